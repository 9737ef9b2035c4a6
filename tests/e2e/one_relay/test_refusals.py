"""What is refused is refused in the documented words, reaches no broker and leaves nothing behind."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, at_once, leftovers, message, place, problem, raw, state
from tests.running import SECRET, RunningRelay, until

WRONG = "an-invented-secret-that-is-wrong"

BEARER = {"Authorization": f"Bearer {SECRET}"}

#: An alert that would be carried out, but for what a test makes wrong in it.
GOOD: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run two web processes for all refusals."""
    with Stage(redis_server, WEB_CONCURRENCY="2") as stage:
        yield stage


@pytest.mark.promise(8)
@pytest.mark.usefixtures("untouched")
def test_every_missing_or_wrong_credential_is_refused_in_one_wording(relay: RunningRelay) -> None:
    """Nobody without the secret gets in, and nothing tells a guesser how near he was."""
    basic = {"Authorization": f"Basic {SECRET}"}
    signed = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(time.time())),
        "webhook-signature": "v1,AAAA",
    }
    answers = [
        relay.alert(**GOOD, secret=None),
        relay.alert(**GOOD, secret=WRONG),
        relay.alert(**GOOD, secret=""),
        relay.alert(**GOOD, secret=SECRET[:-1]),
        relay.alert(**GOOD, secret=SECRET + "1"),
        relay.alert(**GOOD, secret=SECRET.upper()),
        relay.alert(**GOOD, secret=[SECRET]),
        relay.alert(**GOOD, secret=0),
        relay.alert(**GOOD, secret=True),
        relay.alert(**GOOD, secret=None, headers={"Authorization": f"Bearer {WRONG}"}),
        relay.alert(**GOOD, secret=None, headers={"Authorization": "Bearer"}),
        relay.alert(**GOOD, secret=None, headers=basic),
        relay.alert(**GOOD, headers=basic),
        relay.alert(**GOOD, headers={"Authorization": f"Bearer {WRONG}"}),
        relay.alert(**GOOD, secret=WRONG, headers=BEARER),
        relay.alert(**GOOD, headers=signed),
        relay.post(f"key={WRONG}; command=CANCELALLORDERS;"),
        relay.post("action=cancel&vendor=crosstrade&scope=everything&secret=" + WRONG),
    ]

    said = [problem(answer, 401, "unauthenticated") for answer in answers]

    assert len({json.dumps({**each, "request_id": ""}) for each in said}) == 1
    assert not any(SECRET in answer.text or WRONG in answer.text for answer in answers)


@pytest.mark.promise(8)
@pytest.mark.usefixtures("untouched")
def test_a_stranger_learns_nothing_of_the_fields(relay: RunningRelay) -> None:
    """Who is not known is told so, whatever is wrong with the alert beside."""
    problem(relay.post('{"action": "fly", "secret": "x"}'), 401, "unauthenticated")
    problem(relay.post('{"action": "fly"}'), 401, "unauthenticated")


@pytest.mark.promise(8)
@pytest.mark.usefixtures("untouched")
def test_a_body_over_16_kib_is_refused_before_anything_else(relay: RunningRelay) -> None:
    """Size is the first check, with a length and without one, with the secret and without."""
    large = message(**GOOD, secret=SECRET, note="x" * 20_000).encode()

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    answers = [
        relay.post(large),
        relay.post(large, {"Authorization": f"Bearer {WRONG}"}),
        requests.post(f"{relay.url}/webhook", data=chunks(), timeout=30),
    ]

    for answer in answers:
        problem(answer, 413, "body-too-large")


@pytest.mark.promise(8)
def test_the_largest_body_is_read_and_one_byte_more_is_not(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """The limit is 16 KiB to the byte."""
    alert = message(**GOOD, secret=SECRET, dry_run=True).encode()

    fits = relay.post(alert + b" " * (16 * 1024 - len(alert)))
    over = relay.post(alert + b" " * (16 * 1024 + 1 - len(alert)))

    assert fits.status_code == 200, fits.text
    problem(over, 413, "body-too-large")
    assert broker.calls == []


@pytest.mark.promise(3)
@pytest.mark.usefixtures("untouched")
def test_an_alert_that_is_too_old_is_refused(relay: RunningRelay) -> None:
    """Older than max_age is too late, the message's own max_age as well as the relay's."""
    now = time.time()

    old = problem(relay.alert(**GOOD, timestamp=int(now) - 61), 422, "stale-alert")
    own = problem(relay.alert(**GOOD, timestamp=int(now) - 8, max_age=5), 422, "stale-alert")
    iso = datetime.fromtimestamp(now - 90, UTC).isoformat()
    problem(relay.alert(**GOOD, timestamp=iso), 422, "stale-alert")
    problem(relay.alert(**GOOD, timestamp=int(now) - 61, dry_run=True), 422, "stale-alert")

    assert "61 s" in old["detail"] or "62 s" in old["detail"]
    assert "max_age" in own["detail"]


@pytest.mark.promise(3)
@pytest.mark.usefixtures("untouched")
def test_an_alert_from_the_future_is_refused(relay: RunningRelay) -> None:
    """More than 30 s ahead is no alert of now."""
    said = problem(relay.alert(**GOOD, timestamp=int(time.time()) + 40), 422, "stale-alert")

    assert "future" in said["detail"]


@pytest.mark.promise(3)
@pytest.mark.usefixtures("untouched")
def test_the_start_of_a_bar_is_recognised(relay: RunningRelay) -> None:
    """Who wrote {{time}}, the bar's start, is told to write {{timenow}}."""
    bar = int(time.time()) // 60 * 60 - 120

    said = problem(relay.alert(**GOOD, timestamp=bar), 422, "stale-alert")

    assert "{{timenow}}" in said["detail"]


@pytest.mark.promise(8)
@pytest.mark.usefixtures("untouched")
def test_other_addresses_and_methods_are_problems_too(relay: RunningRelay) -> None:
    """An address or method that is not there is said to be so, in the same form."""
    problem(requests.get(f"{relay.url}/webhooks", timeout=30), 404, "not-found")
    problem(requests.post(f"{relay.url}/webhook/", data="{}", timeout=30), 404, "not-found")
    for method in ("GET", "PUT", "DELETE"):
        answer = requests.request(method, f"{relay.url}/webhook", timeout=30)
        problem(answer, 405, "method-not-allowed")
        assert "POST" in answer.headers["Allow"]


@pytest.mark.promise(8)
@pytest.mark.usefixtures("untouched")
def test_a_request_that_is_no_http_gets_no_further(relay: RunningRelay) -> None:
    """Two lengths, or a length and chunks, are refused: nobody can hide a request in another."""
    head = b"POST /webhook HTTP/1.1\r\nHost: x\r\n"
    body = message(**GOOD, secret=SECRET).encode()
    for lengths in (
        f"Content-Length: {len(body)}\r\nContent-Length: 0\r\n",
        f"Content-Length: {len(body)}\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
    ):
        answer = raw(relay.port, head + lengths.encode() + b"\r\n" + body)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answer


@pytest.mark.promise(8)
def test_who_guesses_is_slowed_down_and_the_right_secret_still_gets_in(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Over 20 wrong credentials a minute from one address, counted over both processes, are 429."""

    def guess(number: int) -> list[requests.Response]:
        # One after the other, since a Redis that is asked too much counts no strike.
        return [relay.alert(**GOOD, secret=f"{WRONG}-{number}-{again}") for again in range(5)]

    guesses = [answer for answers in at_once(8, guess) for answer in answers]

    statuses = [answer.status_code for answer in guesses]
    assert (statuses.count(401), statuses.count(429)) == (20, 20)
    for answer in guesses:
        if answer.status_code == 429:
            problem(answer, 429, "too-many-requests")
            assert int(answer.headers["Retry-After"]) > 0
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    problem(relay.alert(**GOOD, secret=WRONG, headers=forged), 429, "too-many-requests")
    assert broker.calls == []
    order = place(broker)
    right = relay.alert(**GOOD, reply_when="confirmed")
    assert right.status_code == 200, right.text
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(2)
def test_the_same_id_with_another_content_is_refused(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """An id names one alert: another content under it is never sent, nor taken for a duplicate."""
    meant, other = place(broker), place(broker, "NQ 12-26")
    assert relay.alert(**GOOD, id="exit-1", reply_when="confirmed").status_code == 200
    broker.forget_calls()

    by_id = relay.alert(account="Sim101", instrument="NQ 12-26", id="exit-1")
    key = {"Idempotency-Key": "exit-2"}
    relay.alert(**GOOD, headers=key)
    broker.forget_calls()
    by_header = relay.alert(account="Sim101", instrument="NQ 12-26", headers=key)

    problem(by_id, 422, "id-reused")
    problem(by_header, 422, "id-reused")
    assert broker.cancel_calls == []
    assert (state(broker, meant), state(broker, other)) == ("Cancelled", "Working")


@pytest.mark.promise(4)
@pytest.mark.parametrize("key", ["", '""', "x" * 256])
@pytest.mark.usefixtures("untouched")
def test_an_idempotency_key_that_cannot_be_one_is_refused(relay: RunningRelay, key: str) -> None:
    """An empty key would make every alert a duplicate of the last."""
    answer = relay.alert(**GOOD, headers={"Idempotency-Key": key})

    assert "Idempotency-Key" in problem(answer, 422, "invalid-alert")["errors"]


@pytest.mark.promise(1)
def test_without_redis_the_sender_is_asked_to_send_again(tmp_path: Path) -> None:
    """What cannot be recorded is not sent: 503, nothing at the broker, and resending is safe."""
    with EmbeddedRedis(tmp_path) as server, Stage(server) as stage:
        order = place(stage.broker)
        server.kill()
        answers = at_once(8, lambda _: stage.relay.alert(**GOOD))
        for answer in answers:
            problem(answer, 503, "not-ready")
            assert answer.headers["Retry-After"] == "5"
        problem(stage.relay.alert(**GOOD, secret=WRONG), 401, "unauthenticated")
        assert stage.broker.calls == []
        server.start()
        again = until(
            lambda: _recorded(stage.relay.alert(**GOOD, reply_when="confirmed")), what="Redis's return"
        )
        stage.relay.ended(again.json()["alert_id"])
        assert state(stage.broker, order) == "Cancelled"


@pytest.mark.promise(1)
def test_a_redis_that_is_full_records_nothing_and_nothing_is_sent(
    relay: RunningRelay, stage: Stage, broker: CrossTradeSandbox
) -> None:
    """A Redis without memory refuses the claim, so the alert is refused too, and asked for again."""
    order = place(broker)
    stage.redis.config_set("maxmemory", 1)
    try:
        answer = relay.alert(**GOOD)
    finally:
        stage.redis.config_set("maxmemory", 0)

    problem(answer, 503, "not-ready")
    assert broker.calls == []
    assert state(broker, order) == "Working"
    assert leftovers(stage.redis) == []


def _recorded(answer: requests.Response) -> requests.Response | None:
    return answer if answer.ok else None
