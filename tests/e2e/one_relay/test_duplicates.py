"""A resent alert gets the first one's answer, and the broker hears of it once."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, bulk_calls, deployed, place, state
from tests.running import SECRET, RunningRelay, until

INSTRUMENT: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}

#: Seconds that the same message without a timestamp counts as a duplicate, in this file.
CONTENT_TTL = 3.0


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run a relay that forgets contents soon, for all of the file."""
    with Stage(redis_server, RELAY_CONTENT_TTL=str(CONTENT_TTL)) as stage:
        yield stage


def replayed(answer: requests.Response, first: requests.Response, by: str) -> None:
    """Check that an answer is a duplicate's, told as the first one's record."""
    body = answer.json()
    assert body["alert_id"] == first.json()["alert_id"]
    assert (body["duplicate"], body["duplicate_by"]) == (True, by)
    assert answer.headers["Idempotency-Replayed"] == "true"


def fresh(answer: requests.Response) -> None:
    """Check that an answer is a first one's."""
    assert answer.json()["duplicate"] is False
    assert answer.json()["duplicate_by"] is None
    assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.promise(2)
def test_a_copy_gets_the_record_as_it_is_now(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """The duplicate's answer is the first one's present state, with the status that it has now."""
    order = place(broker)
    first = relay.alert(**INSTRUMENT, id="exit-1")
    record = relay.ended(first.json()["alert_id"])

    second = relay.alert(**INSTRUMENT, id="exit-1")

    replayed(second, first, "id")
    assert second.status_code == 200
    assert second.json()["status"] == record["status"] == "confirmed"
    assert second.json()["cancels"][0]["orders"] == [{"order_id": order, "outcome": "cancelled"}]
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(2)
def test_a_copy_of_a_refused_cancel_is_refused_as_the_first_was(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """What the broker refused stays refused: the copy is a 424 too, and no second try."""
    first = relay.alert(account="Sim101", order_id="0" * 32, id="exit-1")
    calls = len(broker.calls)

    second = relay.alert(account="Sim101", order_id="0" * 32, id="exit-1")

    assert (first.status_code, second.status_code) == (424, 424)
    replayed(second, first, "id")
    assert len(broker.calls) == calls


@pytest.mark.promise(2)
def test_a_key_in_the_header_is_one_with_and_without_quotes(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Idempotency-Key may be written bare, or as the structured field that its draft makes it."""
    place(broker)

    first = relay.alert(**INSTRUMENT, headers={"Idempotency-Key": "exit-1"})
    quoted = relay.alert(**INSTRUMENT, headers={"Idempotency-Key": '"exit-1"'})
    other = relay.alert(**INSTRUMENT, headers={"Idempotency-Key": "exit-2"})

    fresh(first)
    replayed(quoted, first, "header")
    fresh(other)
    assert len(bulk_calls(broker)) == 2


@pytest.mark.promise(2)
def test_the_header_counts_before_the_id_and_neither_is_taken_for_the_other(relay: RunningRelay) -> None:
    """The same text as a header and as an id are two keys, and the header's comes first."""
    key = {"Idempotency-Key": "exit-1"}

    first = relay.alert(**INSTRUMENT, id="a", headers=key)
    by_id = relay.alert(**INSTRUMENT, id="exit-1")
    again = relay.alert(**INSTRUMENT, id="a", headers=key)

    fresh(first)
    fresh(by_id)
    replayed(again, first, "header")


@pytest.mark.promise(2)
def test_the_same_content_is_one_alert_however_it_is_spelled(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The credential, the order of fields, their case, and the form of the message make no difference."""
    place(broker)
    backwards = {"instrument": "MES 12-26", "account": "Sim101", "vendor": "CrossTrade", "action": "CANCEL"}

    first = relay.alert(**INSTRUMENT)
    copies = [
        relay.post(json.dumps(backwards), {"Authorization": f"Bearer {SECRET}"}),
        relay.post(f"key={SECRET}; command=CANCELORDERS; account=Sim101; instrument=MES 12-26;"),
        relay.post(f"action=cancel&vendor=crosstrade&account=Sim101&instrument=MES+12-26&secret={SECRET}"),
    ]

    for copy in copies:
        replayed(copy, first, "content")
    assert len(broker.cancel_calls) == 1


@pytest.mark.promise(2)
def test_the_same_message_is_a_new_alert_once_the_resends_are_over(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Without a timestamp the content counts for RELAY_CONTENT_TTL: the next bar's cancel goes out."""
    first_order = place(broker)
    first = relay.alert(**INSTRUMENT, reply_when="confirmed")
    copy = relay.alert(**INSTRUMENT, reply_when="confirmed")
    second_order = place(broker, ago=0)

    later = until(
        lambda: _not_replayed(relay.alert(**INSTRUMENT, reply_when="confirmed")), what="the end of the TTL"
    )

    replayed(copy, first, "content")
    assert later.json()["alert_id"] != first.json()["alert_id"]
    assert (state(broker, first_order), state(broker, second_order)) == ("Cancelled", "Cancelled")
    assert len(bulk_calls(broker)) == 2


@pytest.mark.promise(2)
def test_a_timestamp_makes_the_content_last(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """A message that names its moment is the same alert for a day, and another moment is another alert."""
    now = int(time.time())
    first = relay.alert(**INSTRUMENT, timestamp=now)
    until(lambda: time.time() > now + 1 + CONTENT_TTL, what="the end of the content's TTL")

    copy = relay.alert(**INSTRUMENT, timestamp=now)
    next_one = relay.alert(**INSTRUMENT, timestamp=now + 1)

    replayed(copy, first, "content")
    assert copy.json()["warnings"] == []
    fresh(next_one)
    assert len(bulk_calls(broker)) == 2


@pytest.mark.promise(2)
def test_content_counts_for_nothing_where_that_is_turned_off(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """RELAY_CONTENT_TTL=0: only an id, a header or a timestamp makes a duplicate."""
    with deployed({**environ, "RELAY_CONTENT_TTL": "0"}) as relay:
        answers = [relay.alert(**INSTRUMENT) for _ in range(3)]
        now = int(time.time())
        stamped = [relay.alert(**INSTRUMENT, timestamp=now) for _ in range(2)]

    for answer in answers:
        fresh(answer)
    assert len({answer.json()["alert_id"] for answer in answers}) == 3
    replayed(stamped[1], stamped[0], "content")
    assert len(bulk_calls(broker)) == 4


@pytest.mark.promise(2)
def test_a_copy_that_may_have_been_meant_says_that_it_was_not_sent(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The same message after the first one's end, and an old id, come with a warning."""
    place(broker)
    relay.alert(**INSTRUMENT, reply_when="confirmed")
    content = relay.alert(**INSTRUMENT, reply_when="confirmed")
    relay.alert(account="Sim102", scope="account", id="exit-1", max_age=1)
    old = until(
        lambda: _warned(relay.alert(account="Sim102", scope="account", id="exit-1", max_age=1)),
        what="the warning of an old id",
    )

    (said,) = content.json()["warnings"]
    assert "not sent again" in said
    assert "{{timenow}}" in said
    assert "{{timenow}}" in old.json()["warnings"][-1]
    assert len(bulk_calls(broker)) == 2


@pytest.mark.promise(2)
def test_a_refused_alert_leaves_no_key_behind(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """An id whose first message was at fault is free for the corrected one."""
    place(broker)
    wrong = relay.alert(account="Sim101", instrument="", id="exit-1")
    stale = relay.alert(**INSTRUMENT, id="exit-1", timestamp=int(time.time()) - 600)
    stranger = relay.alert(**INSTRUMENT, id="exit-1", secret="an-invented-secret-that-is-wrong")
    rehearsed = relay.alert(**INSTRUMENT, id="exit-1", dry_run=True)

    right = relay.alert(**INSTRUMENT, id="exit-1")

    assert [wrong.status_code, stale.status_code, stranger.status_code] == [422, 422, 401]
    assert rehearsed.json()["status"] == "dry_run"
    assert right.status_code == 200
    fresh(right)
    assert len(bulk_calls(broker)) == 1


def _not_replayed(answer: requests.Response) -> requests.Response | None:
    return None if answer.json()["duplicate"] else answer


def _warned(answer: requests.Response) -> requests.Response | None:
    return answer if answer.json()["warnings"] else None
