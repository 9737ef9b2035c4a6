"""`GET /alerts`: the list over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from tests.e2e import Stage, place, problem, settings_for
from tests.running import SECRET, RunningRelay


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run a relay for all tests of this file."""
    with Stage(redis_server) as running:
        yield running


@pytest.fixture(autouse=True)
def _clean(stage: Stage) -> None:
    stage.clean()


def get(relay: RunningRelay, path: str, secret: str = SECRET) -> requests.Response:
    """Ask with a secret."""
    return requests.get(f"{relay.url}{path}", headers={"Authorization": f"Bearer {secret}"}, timeout=10)


@pytest.mark.promise(1)
def test_the_list_has_each_alert_as_its_record_is(stage: Stage) -> None:
    """Newest first, the history left out; the next page's address leads on as it stands."""
    sent = []
    for number in range(3):
        order = place(stage.broker)
        answer = stage.relay.alert(
            account="Sim101", order_id=order, id=f"n-{number}", note=f"note {number}", reply_when="confirmed"
        )
        sent.append(answer.json()["alert_id"])
        stage.relay.ended(sent[-1])

    first = get(stage.relay, "/alerts?limit=2&vendor=crosstrade").json()
    second = get(stage.relay, first["links"]["next"]).json()

    records = [stage.relay.record(alert_id) for alert_id in reversed(sent)]
    for record in records:
        assert record.pop("history")
    assert first["alerts"] + second["alerts"] == records
    assert first["before"] in first["links"]["next"]
    assert (second["before"], second["links"]["next"], second["warnings"]) == (None, None, [])


@pytest.mark.promise(1, 5)
def test_the_list_is_asked_for_what_failed(stage: Stage) -> None:
    """An order that the broker does not know is a failure; `http` says how the alert would be answered."""
    wrong = stage.relay.alert(account="Sim101", order_id="no-such-order", reply_when="confirmed")
    assert wrong.status_code == 424, wrong.text
    stage.relay.alert(account="Sim101", order_id=place(stage.broker), reply_when="confirmed")

    (found,) = get(stage.relay, "/alerts?status=failed,rejected,expired,unknown").json()["alerts"]

    assert (found["alert_id"], found["status"], found["http"]) == (wrong.json()["alert_id"], "rejected", 424)


@pytest.mark.promise(8)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer somebody-elses-secret"}])
def test_the_list_is_for_nobody_without_the_secret(stage: Stage, headers: dict[str, str]) -> None:
    """A stranger is told nothing about parameters either."""
    answer = requests.get(f"{stage.relay.url}/alerts?limt=1", headers=headers, timeout=10)

    body = problem(answer, 401, "unauthenticated")
    assert "errors" not in body


@pytest.mark.promise(4)
def test_wrong_parameters_are_one_problem(stage: Stage) -> None:
    """In the shape of every other problem, with the nearest known parameter named."""
    answer = get(stage.relay, "/alerts?limt=1&status=fine")

    errors: dict[str, Any] = problem(answer, 422, "invalid-query")["errors"]
    assert errors["limt"] == ['unknown parameter; did you mean "limit"?']
    assert sorted(errors) == ["limt", "status"]


@pytest.mark.promise(1)
def test_the_list_says_when_redis_is_away(stage: Stage, tmp_path: Path) -> None:
    """503, and no empty list."""
    with RunningRelay(settings_for(f"unix://{tmp_path}/none.sock", stage.broker.url)) as relay:
        answer = get(relay, "/alerts")

    assert problem(answer, 503, "not-ready")["detail"].startswith("Redis cannot be reached")
