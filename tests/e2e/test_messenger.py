"""Who tells the trader may be killed, and services may be dead or hang: nothing that waits is lost."""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from email import message_from_string, policy

import pytest
import redis

from relay import messenger
from relay.errors import NotReady
from relay.ledger import Ledger
from relay.notice import Kind
from relay.outbox import Outbox
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from relay.scrubber import Scrubber
from relay.settings import Settings
from tests.e2e import REPLY_WITHIN, deployed, message, place, settings_for
from tests.e2e.test_secrets import found
from tests.receiver import MailBox, Receiver
from tests.running import SECRET, TOKEN, Process, RunningRelay, relay_command, until, worker

#: The broker's definite no.
REFUSAL = Trouble(on="cancel", status=400, answer='{"success": false, "error": "account_disconnected"}')


@pytest.fixture
def phone() -> Iterator[Receiver]:
    """Run a receiver."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def other() -> Iterator[Receiver]:
    """Run another receiver."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def waiting(redis_url: str) -> Iterator[redis.Redis]:
    """Give the relay's Redis, to count what waits to be told."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@contextlib.contextmanager
def working(environ: dict[str, str]) -> Iterator[Process]:
    """Run a worker for a part of a test."""
    process = worker(environ).start()
    try:
        yield process
    finally:
        if process.running.poll() is None:
            process.kill()


def fail(relay: RunningRelay, broker: CrossTradeSandbox, name: str) -> None:
    """Have a cancel fail whose words hold this name."""
    broker.trouble = REFUSAL
    answer = relay.alert(account="Sim101", instrument=name, id=name)
    assert answer.json()["status"] == "rejected", answer.text


@pytest.mark.promise(7)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_who_is_ended_between_sending_and_noting_it_leads_to_a_second_message(
    environ: dict[str, str],
    broker: CrossTradeSandbox,
    phone: Receiver,
    waiting: redis.Redis,
    how: signal.Signals,
) -> None:
    """A message may come twice, and is never lost: another process takes the turn when the first is gone."""
    phone.answers.clear()
    with deployed(environ) as relay, working({**environ, "RELAY_NOTIFY": phone.url}) as first:
        fail(relay, broker, "MES 12-26")
        assert phone.arrived.acquire(timeout=20)
        first.running.send_signal(how)
        first.wait()
        assert waiting.zcard("relay:notices") == 1
        phone.answers.set()

        with working({**environ, "RELAY_NOTIFY": phone.url}):
            until(lambda: phone.count("MES 12-26") == 2, what="the second message")
            until(lambda: waiting.zcard("relay:notices") == 0, what="the end of the queue")


@pytest.mark.promise(7)
def test_one_process_at_a_time_tells(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver, waiting: redis.Redis
) -> None:
    """Three processes that could tell lead to one message."""
    told = {**environ, "RELAY_NOTIFY": phone.url, "WEB_CONCURRENCY": "2"}
    with working(told), deployed(told) as relay:
        for number in range(3):
            fail(relay, broker, f"MES 0{number + 1}-27")
            phone.hear(f"MES 0{number + 1}-27")
        until(lambda: waiting.zcard("relay:notices") == 0, what="the end of the queue")

    lines = "\n".join(each.body for each in phone.told)
    assert [lines.count(f"MES 0{number + 1}-27") for number in range(3)] == [1, 1, 1]


@pytest.mark.promise(6, 7)
def test_a_service_that_hangs_delays_no_alert_and_not_the_other_service(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver, other: Receiver
) -> None:
    """Alerts are answered, carried out and told while one service answers nobody."""
    other.answers.clear()
    told = {**environ, "RELAY_NOTIFY": f"{other.url}?rto=600, {phone.url}"}
    with deployed(told) as relay:
        fail(relay, broker, "MES 12-26")
        phone.hear("MES 12-26")
        until(lambda: relay.log("service_failed"), within=40, what="the end of its time")
        for name in ("MNQ 12-26", "MYM 12-26"):
            fail(relay, broker, name)
            # Known to hang, it is waited for no more: its time is 15 s.
            phone.hear(name, within=10)
        broker.trouble = None
        place(broker)
        answer = relay.alert(account="Sim101", instrument="MES 12-26", id="3", reply_when="confirmed")
        took_s = answer.elapsed.total_seconds()
        assert relay.stop() == 0

    assert answer.json()["status"] == "confirmed", answer.text
    assert took_s < REPLY_WITHIN
    assert other.count("MES 12-26") == 1


@pytest.mark.promise(7)
def test_of_two_services_one_is_dead_and_it_is_remembered_until_it_works(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver, other: Receiver
) -> None:
    """One that takes it is enough; `check` shows the other, without its address, until it takes one."""
    other.status = 500
    told = {**environ, "RELAY_NOTIFY": f"{phone.url},{other.url}"}
    with deployed(told) as relay:
        fail(relay, broker, "MES 12-26")
        phone.hear("MES 12-26")
        failing = until(lambda: relay.log("service_failed"), what="the log line of the dead one")
        broken = relay_command("check", environ=told)
        other.status = 200
        fail(relay, broker, "MNQ 12-26")
        other.hear("MNQ 12-26")
        well = until(lambda: good(told), what="a check that is well")

    assert failing[0]["service"] == "number 2 (json)"
    assert broken.returncode == 1
    assert "Service number 2 (json) has failed 1 times since" in broken.stdout
    assert "Service number 1 (json) took a message" in broken.stdout
    assert "Service number 2 (json) took a message" in well
    assert found(broken.stdout + well + relay.text, "tests-only-path-of-a-receiver") == []


def good(environ: dict[str, str]) -> str | None:
    """Give what check says, once it finds all well."""
    ended = relay_command("check", environ=environ)
    return ended.stdout if ended.returncode == 0 else None


@pytest.mark.promise(7)
def test_what_no_service_takes_waits_and_comes_as_one_message(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver, waiting: redis.Redis
) -> None:
    """While none works it is tried with growing pauses; then all that waits is told together."""
    phone.status = 503
    with deployed({**environ, "RELAY_NOTIFY": phone.url}) as relay:
        fail(relay, broker, "MES 12-26")
        until(lambda: len(relay.log("not_notified")) > 1, what="the second try")
        pauses = relay.log("not_notified")
        names = [f"ES {month:02}-{year}" for year in (27, 28, 29) for month in range(1, 13)]
        for name in names:
            fail(relay, broker, name)
        for number in range(3):
            relay.alert(account="Sim101", order_id="same", id=f"same {number}")
        assert waiting.zcard("relay:notices") == 40
        # Right after a try: the next one has all that waits, and none is under way that has less.
        tries = len(relay.log("not_notified"))
        until(lambda: len(relay.log("not_notified")) > tries, what="another try")
        phone.status = 200

        told = phone.hear("MES 12-26", within=40)
        until(lambda: waiting.zcard("relay:notices") == 0, what="the end of the queue")

    assert [each["again_in_s"] for each in pauses[:2]] == [1, 2]
    assert told.title == "40 × cancel REJECTED"  # noqa: RUF001 - a sign of multiplication
    assert len(told.body) <= 1_000
    assert "more: " in told.body.splitlines()[-1]
    assert len(phone.told) == 1


@pytest.mark.promise(7)
def test_redis_dies_and_what_waited_is_told_when_it_is_back(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver, waiting: redis.Redis
) -> None:
    """The thread that tells outlives a Redis whose every connection is cut."""
    phone.status = 503
    with deployed({**environ, "RELAY_NOTIFY": phone.url}) as relay:
        fail(relay, broker, "MES 12-26")
        until(lambda: relay.log("not_notified"))
        waiting.client_kill_filter(_type="normal", skipme=True)
        phone.status = 200
        phone.hear("MES 12-26")
        until(lambda: waiting.zcard("relay:notices") == 0, what="the end of the queue")


@pytest.mark.promise(7)
def test_what_hangs_is_counted_though_redis_goes_away_meanwhile(
    redis_url: str, phone: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try leaves a thread behind: after a few the service is asked no more, which `check` shows."""

    def away(_: Outbox) -> None:
        raise NotReady("Redis cannot be reached")

    # The turn is taken, and then Redis is away: again and again, as in a fail-over, only faster.
    monkeypatch.setattr(Outbox, "keep_turn", away)
    monkeypatch.setattr(messenger, "_KEEP_EVERY_S", 0.05)
    monkeypatch.setattr(messenger, "_AWAY_S", 0.05)
    phone.answers.clear()
    settings = Settings.read(settings_for(redis_url, "http://127.0.0.1:1") | {"RELAY_NOTIFY": phone.url})
    outbox = Outbox(Ledger(settings))
    telling = messenger.Messenger(outbox, settings.notify, Scrubber(settings), None)
    outbox.tell(Kind.LOG_IN, "the log-in was refused")
    telling.start()
    try:
        words = until(lambda: outbox.service("number 1 (json)").words, what="the word that it hangs")
        until(lambda: phone.count("the log-in was refused") == 4, what="the fourth try")
    finally:
        phone.answers.set()
        telling.stop()

    assert words == "it hangs: 4 messages to it never came to an end"
    assert phone.count("the log-in was refused") == 4


@pytest.mark.promise(9)
def test_no_secret_is_in_what_the_receiver_gets_nor_in_the_log(
    environ: dict[str, str], broker: CrossTradeSandbox, phone: Receiver
) -> None:
    """A broker that repeats its credential, a sender who writes any: none reaches the phone, nor the log."""
    password = "tests-only-password-of-a-receiver"
    service = phone.url.replace("//", f"//user:{password}@")
    dead = "json://127.0.0.1:1/tests-only-topic-of-nobody"
    told = {**environ, "RELAY_NOTIFY": f"{service}, {dead}", "LOG_LEVEL": "DEBUG"}
    secrets = [SECRET, TOKEN, password, "tests-only-path-of-a-receiver", "tests-only-topic-of-nobody"]
    body = json.dumps({"success": False, "error": f"{' '.join(secrets)} account_disconnected"})
    with deployed(told) as relay, redis.Redis.from_url(environ["REDIS_URL"]) as client:
        broker.trouble = Trouble(on="cancel", status=400, answer=body)
        relay.alert(account="Sim101", instrument="MES 12-26")
        relay.alert(account="Sim101", instrument=f"MES {SECRET}", note=TOKEN)
        relay.post(message(secret=SECRET, account="Sim101", instrument="NQ", **{f"x{SECRET}": 1}))
        relay.alert(account="Sim101", order_id=password, must_exist=True)
        phone.hear("REJECTED", "MES 12-26")
        phone.hear("refused")
        until(lambda: relay.log("service_failed"))
        until(lambda: client.zcount("relay:notices", 0, time.time() * 1000) == 0, what="the end of the queue")
        kept = " ".join(str(client.hgetall(name)) for name in client.scan_iter("relay:service:*"))

    # Its own address, and the log-in to it, are how a service is reached at all.
    got = "\n".join(f"{each.title} {each.body}" for each in phone.told)
    assert found(got, *secrets) == []
    assert found(relay.text + kept, *secrets) == []


@pytest.mark.promise(7)
def test_a_senders_text_is_no_markup_and_has_a_bound(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """In a mail, which is HTML, a name stays a name; line ends and signs that turn the text are gone."""
    box = MailBox()
    name = "<a href='https://evil.example'>MES\u202e</a>\nSubject: x" + "y" * 200
    try:
        with deployed({**environ, "RELAY_NOTIFY": f"{box.url}&format=html"}) as relay:
            broker.trouble = REFUSAL
            relay.alert(account="Sim101", order_id="A1", note=name)
            relay.post(message(secret=SECRET, account="Sim101", **{name[:60]: name}))
            until(lambda: "evil.example" in "".join(box.letters), what="a letter")
    finally:
        box.shutdown()
        box.server_close()

    letters = [message_from_string(each, policy=policy.default) for each in box.letters]
    parts = [part for letter in letters for part in letter.walk()]
    pages = [part.get_content() for part in parts if part.get_content_type() == "text/html"]
    assert pages
    assert not any("<a href" in page for page in pages)
    assert any("&lt;a" in page for page in pages)
    assert not any("\u202e" in page or "\nSubject: x" in page for page in pages)
    assert all(letter["Subject"] != "x" for letter in letters)


@pytest.mark.promise(7)
def test_check_notify_says_which_service_took_a_test_message(
    environ: dict[str, str], phone: Receiver, other: Receiver
) -> None:
    """The operator tries it before it is needed: status 1 when one did not take it."""
    other.status = 404
    both = relay_command("check", "--notify", environ={**environ, "RELAY_NOTIFY": f"{phone.url} {other.url}"})
    one = relay_command("check", "--notify", environ={**environ, "RELAY_NOTIFY": phone.url})
    none = relay_command("check", "--notify", environ=environ)

    assert (both.returncode, one.returncode, none.returncode) == (1, 0, 1)
    assert "Service number 1 (json) took the test message" in both.stdout
    assert "Service number 2 (json) did NOT take the test message" in both.stdout
    assert "set RELAY_NOTIFY" in none.stdout
    assert phone.count("This is a test") == 2
    assert phone.url not in both.stdout + both.stderr


@pytest.mark.promise(7)
def test_ntfy_gets_title_and_text(environ: dict[str, str], phone: Receiver) -> None:
    """A server of the trader's own is reached as its page says."""
    url = f"ntfy://127.0.0.1:{phone.port}/tests-only-topic"

    ended = relay_command("check", "--notify", environ={**environ, "RELAY_NOTIFY": url})

    assert ended.returncode == 0, ended.stdout
    told = phone.hear("This is a test")
    assert told.title == "Cancel Relay tells you"
    assert '"topic": "tests-only-topic"' in told.raw


@pytest.mark.promise(7)
def test_a_storm_of_refusals_fills_neither_phone_nor_redis(
    environ: dict[str, str], phone: Receiver, waiting: redis.Redis
) -> None:
    """One a minute is told in full, the rest is counted; of many records the newest hundred are kept."""
    with deployed({**environ, "RELAY_NOTIFY": phone.url}) as relay:
        for _ in range(150):
            assert relay.alert(account="Sim101", instrument="").status_code == 422
        phone.hear("Alert of default refused")
        until(lambda: waiting.zcount("relay:notices", "-inf", "+inf") == 1, what="the count that waits")
        gate = next(waiting.scan_iter("relay:gate:*:*"))
        counted = int(waiting.get(gate) or 0)
        # The minute is over.
        waiting.zunionstore("relay:notices", {"relay:notices": 0.0})
        phone.hear("More alerts of default were refused", "(149 times)")
        until(lambda: waiting.zcard("relay:notices") == 0, what="the end of the queue")

    assert counted == 149
    assert len(list(waiting.scan_iter("relay:alert:*"))) == 100
    assert waiting.zcard("relay:alerts") == waiting.zcard("relay:alerts:default") == 100
    assert not waiting.exists(gate)
