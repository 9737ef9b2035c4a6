"""What ended without success can be tried again, by the same rules about which orders it means."""

import time
from typing import Any

import pytest
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import Stage, bulk_calls, outcomes, place, problem, state
from tests.running import RunningRelay, until

#: The broker's definite no.
REFUSAL = Trouble(on="cancel", status=400, answer='{"success": false, "error": "account_disconnected"}')


def retry(relay: RunningRelay, alert_id: str) -> requests.Response:
    """Ask for another attempt."""
    credential = {"Authorization": f"Bearer {relay.secret}"}
    return requests.post(f"{relay.url}/alerts/{alert_id}/retry", headers=credential, timeout=10)


@pytest.mark.promise(1, 2, 3)
@pytest.mark.parametrize("target", ["order_id", "instrument"])
def test_a_refused_cancel_is_tried_again_and_spares_a_newer_order(
    relay: RunningRelay, broker: CrossTradeSandbox, target: str
) -> None:
    """The orders that were there go, by their ids; one that was placed since the alert stays."""
    order = place(broker)
    broker.trouble = REFUSAL
    fields: dict[str, Any] = {target: order if target == "order_id" else "MES 12-26"}
    refused = relay.alert(account="Sim101", **fields)
    assert (refused.status_code, refused.json()["status"]) == (424, "rejected"), refused.text
    broker.trouble = None
    past_doubt = time.time() + 2.2
    until(lambda: time.time() > past_doubt, what="the end of the doubt")
    newer = place(broker, ago=0)
    calls = len(bulk_calls(broker))

    answer = retry(relay, refused.json()["alert_id"])

    record = relay.ended(refused.json()["alert_id"])
    assert answer.status_code in {200, 202}, answer.text
    assert (record["status"], outcomes(record)) == ("confirmed", {order: "cancelled"})
    assert (state(broker, order), state(broker, newer)) == ("Cancelled", "Working")
    assert len(bulk_calls(broker)) == calls
    assert "retry" in [step["step"] for step in record["history"]]


@pytest.mark.promise(2)
def test_what_came_true_cannot_be_tried_again(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """A confirmed cancel is left as it is; so is another sender's, or one that there is not."""
    place(broker)
    alert_id = relay.alert(account="Sim101", instrument="MES 12-26", reply_when="confirmed").json()[
        "alert_id"
    ]
    relay.ended(alert_id)
    broker.forget_calls()

    problem(retry(relay, alert_id), 409, "conflict")
    problem(retry(relay, "0" * 32), 404, "not-found")
    problem(requests.post(f"{relay.url}/alerts/{alert_id}/retry", timeout=10), 401, "unauthenticated")

    assert broker.calls == []
    assert relay.record(alert_id)["status"] == "confirmed"


@pytest.mark.promise(1)
@pytest.mark.parametrize(("method", "what"), [("POST", "/retry"), ("DELETE", "")])
def test_a_refused_alert_is_in_nobodys_hand(
    stage: Stage, relay: RunningRelay, method: str, what: str
) -> None:
    """It has nothing to carry out: taken by a process that dies then, it would be due for ever."""
    assert relay.alert(account="Sim101", instrument="").status_code == 422
    (name,) = stage.redis.scan_iter("relay:alert:*")
    alert_id = name.decode().rpartition(":")[2]
    credential = {"Authorization": f"Bearer {relay.secret}"}

    answer = requests.request(method, f"{relay.url}/alerts/{alert_id}{what}", headers=credential, timeout=10)

    assert "send it anew" in problem(answer, 409, "conflict")["detail"]
    assert stage.redis.hget(name, "settled_by") is None
    assert stage.redis.zscore("relay:due", alert_id) is None


@pytest.mark.promise(7)
def test_a_failure_is_told_and_told_again_when_the_retry_fails(
    stage: Stage, relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Each end without success leaves its notice, in the words of the reply."""
    order = place(broker)
    broker.trouble = REFUSAL
    alert_id = relay.alert(account="Sim101", order_id=order).json()["alert_id"]
    assert stage.redis.zcard("relay:notices") == 1

    assert retry(relay, alert_id).json()["status"] == "rejected"

    told = stage.redis.zrange("relay:notices", 0, -1)
    assert len(told) == 2
    assert all(b"account_disconnected" in each for each in told)
