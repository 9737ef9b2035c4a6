"""Every way in which a cancel can fail unseen ends in a message at a receiver. The receiver judges."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
import requests

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.autoshares import AutosharesSandbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.e2e import Stage, deployed, place, problem
from tests.receiver import Receiver
from tests.running import SECRET, RunningRelay, until

#: An alert that would be carried out, but for what a test makes wrong in it, or for its broker.
GOOD: dict[str, Any] = {"account": "Sim101", "instrument": "MES 12-26"}

#: The broker's definite no.
REFUSAL = Trouble(on="cancel", status=400, answer='{"success": false, "error": "account_disconnected"}')

URL = "https://relay.example"

#: A log-in that the broker knows otherwise.
AUTOSHARES = {
    "AUTOSHARES_APP_KEY": "tests-only-app-key",
    "AUTOSHARES_USERNAME": "trader",
    "AUTOSHARES_PASSWORD": "tests-only-wrong-password",
}


@pytest.fixture(scope="module")
def phone() -> Iterator[Receiver]:
    """Run one receiver for all of the file."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis, phone: Receiver) -> Iterator[Stage]:
    """Run a relay that tells the receiver, soon; behind one proxy, with two brokers."""
    with AutosharesSandbox(
        app_key=AUTOSHARES["AUTOSHARES_APP_KEY"], username="trader", password="tests-only-right-password"
    ) as autoshares:
        settings = {
            "RELAY_NOTIFY": phone.url,
            "RELAY_URL": URL,
            "RELAY_WARN_AFTER": "3",
            "RELAY_TRUSTED_PROXIES": "1",
            "RELAY_CONTENT_TTL": "60",
            "WEB_CONCURRENCY": "2",
            "AUTOSHARES_URL": autoshares.url,
            **AUTOSHARES,
        }
        with Stage(redis_server, **settings) as stage:
            yield stage


@pytest.fixture
def relay(stage: Stage, phone: Receiver) -> RunningRelay:
    """Give the file's relay, with nothing left of the last test."""
    relay = stage.clean().relay
    phone.told.clear()
    return relay


@pytest.fixture
def broker(stage: Stage) -> CrossTradeSandbox:
    """Give the file's broker."""
    return stage.broker


@pytest.mark.promise(7)
def test_1_the_broker_says_no(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """A rejected cancel is told with the broker's words, and a link to its record."""
    place(broker)
    broker.trouble = REFUSAL
    alert_id = relay.alert(**GOOD).json()["alert_id"]

    told = phone.hear("Cancel REJECTED", "MES 12-26 in Sim101", "account_disconnected")

    assert f"{URL}/alerts/{alert_id}" in told.body


@pytest.mark.promise(7)
def test_2_its_time_runs_out(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """A cancel that was tried until its time was over is told as failed."""
    place(broker)
    broker.stop()
    try:
        relay.alert(**GOOD, max_age=1)
        phone.hear("Cancel FAILED", "MES 12-26 in Sim101", "Look at the broker now")
    finally:
        broker.start()


@pytest.mark.promise(7)
def test_3_it_is_never_tried(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """A cancel that expires behind the broker's 429 is told as not sent."""
    broker.trouble = Trouble(times=1, status=429, headers={"Retry-After": "30"})
    relay.alert(**GOOD, max_age=1)

    relay.alert(account="Sim102", instrument="NQ 12-26", max_age=1)

    phone.hear("NOT SENT", "NQ 12-26 in Sim102")


@pytest.mark.promise(7)
def test_4_nobody_knows(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """An order that the alert may mean, or not, is left alone and told by its id."""
    order = place(broker)

    relay.alert(account="Sim101", instrument="MES", side="buy")

    phone.hear("Cancel UNKNOWN", "left alone", f"Cancel by hand: order {order}")


@pytest.mark.promise(7)
def test_5_it_is_not_proven_in_time(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """After RELAY_WARN_AFTER it is told what is known, until when it is tried, and how it ended."""
    order = place(broker)
    broker.trouble = Trouble(on="cancel", status=408, answer='{"error": "NinjaTrader not connected"}')
    relay.alert(account="Sim101", order_id=order)

    told = phone.hear("Cancel NOT confirmed yet", "NOT confirmed cancelled after", order)
    assert "CrossTrade" in told.body
    assert "Trying until" in told.body
    assert f"Cancel by hand: order {order}" in told.body
    broker.trouble = None

    phone.hear("ended late, and well", "1 cancelled")


def too_large(relay: RunningRelay) -> requests.Response:
    """Send more than any alert needs, with the secret in a header."""
    return relay.post("x" * 20_000, {"Authorization": f"Bearer {SECRET}"})


#: What is sent, and what is said of it; each name begins with the status.
REFUSED: dict[str, tuple[Callable[[RunningRelay], requests.Response], str]] = {
    "422 a misspelt field": (
        lambda relay: relay.alert(account="Sim101", instrumnet="MES"),
        "instrumnet",
    ),
    "422 too old": (
        lambda relay: relay.alert(
            **GOOD, timestamp=datetime.fromtimestamp(time.time() - 100, UTC).isoformat()
        ),
        "100 s old",
    ),
    "422 an id again": (
        lambda relay: (
            relay.alert(**GOOD, id="one", reply_when="accepted"),
            relay.alert(account="Sim102", instrument="ES 12-26", id="one"),
        )[1],
        "arrived before with another content",
    ),
    "400 no JSON": (lambda relay: relay.post("{,", {"Authorization": f"Bearer {SECRET}"}), "not JSON"),
    "400 no JSON, and the secret in it": (
        lambda relay: relay.post(f'{{"secret": "{SECRET}", "action": "cancel" "vendor": "crosstrade"}}'),
        "not JSON",
    ),
    "413 too large": (too_large, "over 16 KiB"),
    "403 unencrypted": (
        lambda relay: relay.alert(**GOOD, headers={"X-Forwarded-Proto": "http"}),
        "change the secret",
    ),
}


@pytest.mark.promise(7)
@pytest.mark.parametrize("name", REFUSED)
def test_6_an_alert_of_a_known_sender_is_refused(relay: RunningRelay, phone: Receiver, name: str) -> None:
    """A platform shows nobody our status codes: the phone shows the reason, and the record more of it."""
    send, words = REFUSED[name]

    answer = send(relay)

    assert answer.status_code == int(name[:3])
    told = phone.hear("lert refused", "Alert of default", words)
    record = relay.record(told.body.rpartition("/alerts/")[2].split()[0])
    assert record["status"] == "refused"
    assert record["refused"]["status"] == int(name[:3])
    assert record["refused"]["request_id"] == answer.headers["X-Request-ID"]
    assert SECRET not in json.dumps(record)


@pytest.mark.promise(7, 8)
def test_a_stranger_is_no_news(relay: RunningRelay, stage: Stage) -> None:
    """Whoever has no secret leaves no record and rings nobody's phone, whatever he sends."""
    problem(relay.alert(**GOOD, secret="tests-only-wrong-secret"), 401, "unauthenticated")
    problem(relay.post("x" * 20_000, {"Authorization": "Bearer wrong"}), 413, "body-too-large")
    problem(relay.post("x" * 20_000), 413, "body-too-large")
    problem(relay.post('{"secret": "tests-only-wrong-secret",,}'), 400, "malformed-body")

    assert stage.redis.zcard("relay:notices") == 0
    assert list(stage.redis.scan_iter("relay:alert:*")) == []


@pytest.mark.promise(7)
def test_7_it_filled_first(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """An order that filled instead of being cancelled has made a position: that is told."""
    order = place(broker)
    broker.book.fill(order)

    relay.alert(account="Sim101", order_id=order)

    phone.hear("Order filled first", "1 had filled first")


@pytest.mark.promise(7)
@pytest.mark.parametrize("by", ["content", "id"])
def test_8_a_copy_after_the_end_may_have_been_meant(
    relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver, by: str
) -> None:
    """What is not sent again since it looks the same is told, once for all its copies."""
    place(broker)
    fields = {**GOOD, **({"id": "exit", "max_age": 1} if by == "id" else {})}
    first = relay.alert(**fields, reply_when="confirmed")
    relay.ended(first.json()["alert_id"])
    past_its_age = time.time() + 1.2
    until(lambda: by == "content" or time.time() > past_its_age, what="the end of its max_age")

    again = [relay.alert(**fields, reply_when="confirmed").json() for _ in range(2)]

    assert all(each["duplicate"] for each in again)
    advice = 'add "timestamp"' if by == "content" else "missing from the id?"
    phone.hear("Repeated alert not sent", "MES 12-26 in Sim101", advice)


@pytest.mark.promise(7)
def test_9_nothing_is_there_but_another_contract(
    relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver
) -> None:
    """The roll, or a typo: nothing of that contract works, and something of its root does."""
    place(broker, "MES 03-27")

    relay.alert(**GOOD, reply_when="confirmed")

    phone.hear("Nothing to cancel", "working there: MES 03-27, 1")


@pytest.mark.promise(7)
def test_nothing_is_there_that_must_be(relay: RunningRelay, phone: Receiver) -> None:
    """Where the sender says that an order must exist, nothing is a failure."""
    answer = relay.alert(**GOOD, must_exist=True, reply_when="confirmed")

    assert answer.status_code == 424, answer.text
    phone.hear("Nothing to cancel", "MES 12-26 in Sim101")


@pytest.mark.promise(7)
def test_what_went_as_asked_rings_nobody(
    stage: Stage, relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """A confirmed cancel, nothing where nothing else works, and a copy while it runs are no news."""
    place(broker)
    for fields in (GOOD, {**GOOD, "account": "Sim102"}):
        record = relay.ended(relay.alert(**fields, reply_when="confirmed").json()["alert_id"])
        assert record["status"] in {"confirmed", "nothing_to_cancel"}

    assert stage.redis.zcard("relay:notices") == 0


@pytest.mark.promise(7)
def test_10_the_broker_lets_the_relay_in_no_more(relay: RunningRelay, phone: Receiver) -> None:
    """A refused log-in is told once, with how long it rests and where to look."""
    for number in (1, 2):
        relay.alert(vendor="autoshares", account=6303, instrument="AAPL", max_age=1, id=f"log-in {number}")

    told = phone.hear("og-in refused", "Autoshares refuses the log-in", "AUTOSHARES_PASSWORD")
    assert "for 60 s" in told.body
    phone.hear("autoshares refused the log-in", "AAPL in 6303")
    assert phone.count("No process logs in again") == 1


@pytest.mark.promise(7)
def test_11_the_broker_falls_silent(relay: RunningRelay, broker: CrossTradeSandbox, phone: Receiver) -> None:
    """It is told once, whichever processes see it, and so is that it answers again."""
    broker.stop()
    try:
        for number in range(8):
            relay.alert(**GOOD, id=f"silent {number}", reply_when="accepted")
        phone.hear("roker does not answer", "CrossTrade does not answer")
    finally:
        broker.start()

    phone.hear("roker answers again", "CrossTrade answers again")
    assert phone.count("CrossTrade does not answer") == 1


@pytest.mark.promise(7)
def test_12_the_relay_was_away(stage: Stage, phone: Receiver) -> None:
    """The first one that is back tells from when to when, and says what may be lost."""
    stage.clean()
    phone.told.clear()
    environ = {**stage.environ, "REDIS_URL": stage.environ["REDIS_URL"].replace("db=1", "db=2")}
    environ.pop("PORT", None)
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        client.flushdb()
    with deployed({**environ, "RELAY_NOTIFY": ""}):
        heart = until(lambda: beats(environ), what="a heartbeat")
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        client.set("relay:heartbeat", heart - 17_000)

    with deployed(environ):
        told = phone.hear("Relay was AWAY", "alerts fired then may be lost")
        later = until(lambda: beats(environ), what="the next beat")

    assert "compare the chart's alert log" in told.body
    assert later > heart - 17_000
    assert phone.count("AWAY") == 1


def beats(environ: dict[str, str]) -> int:
    """Give the last beat in Redis."""
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        return int(client.get("relay:heartbeat") or 0)


@pytest.mark.promise(7, 8)
def test_6_an_alert_from_an_address_that_is_not_allowed(stage: Stage, phone: Receiver) -> None:
    """The right secret from a strange place is told: a list has to be mended, or the secret is out."""
    stage.clean()
    phone.told.clear()
    with deployed(
        {**stage.environ, "RELAY_TRUSTED_PROXIES": "0", "RELAY_ALLOW_FROM": "203.0.113.0/24"}
    ) as relay:
        problem(relay.alert(**GOOD), 403, "forbidden")

        phone.hear("Alert refused", "Not allowed", "127.0.0.1")
