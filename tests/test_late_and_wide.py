"""What keeps a bulk call from coming late, and a wide one from starving itself."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from relay import deliver
from relay.authenticate import DEFAULT_SENDER
from relay.compose import Relay, compose
from relay.ledger import Key
from relay.outcome import Progress, Status
from relay.plan import plan, read_alert
from relay.record import Record
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from relay.settings import Settings
from tests.running import TOKEN, until


@pytest.fixture
def relay(environ: dict[str, str]) -> Iterator[Relay]:
    """Put a relay together, with its worker at work."""
    made = compose(Settings.read(environ))
    made.worker.start()
    yield made
    made.worker.stop()


def alert(relay: Relay, **fields: Any) -> Record:  # noqa: ANN401 - any field
    """Claim an alert and hand it to its lane, as the pipeline does."""
    sent = {"action": "cancel", "vendor": "crosstrade", **fields}
    asked = read_alert(sent, {}, relay.lines, relay.scrubber)
    cancels = [(cancel, Progress()) for cancel in plan(asked)]
    record = Record("a" * 32, DEFAULT_SENDER, asked, cancels, 60_000, "content", "request-1")
    held = relay.ledger.claim(record, Key(DEFAULT_SENDER, "one", "c" * 64, 30_000)).held
    assert held is not None
    relay.lanes.first(held, until=time.monotonic() + 2)
    return record


def place(broker: CrossTradeSandbox, account: str = "Sim101") -> str:
    """Place an order that was there long before the alert."""
    return broker.book.place(account=account, instrument="MES 12-26", action="Buy", created=time.time() - 60)


def ended(relay: Relay) -> Record:
    """Wait until the alert has ended."""

    def look() -> Record | None:
        found = relay.ledger.read("a" * 32)
        return found if found and found.status.ended else None

    return until(look, within=45, what="the alert's end")


@pytest.mark.promise(3)
def test_a_bulk_call_that_was_held_up_on_its_way_is_not_sent(
    relay: Relay, broker: CrossTradeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that takes seconds to resolve makes the bulk call late: then the old orders go by id."""
    old = place(broker)
    resolve, asked, go_on = socket.getaddrinfo, threading.Event(), threading.Event()

    def slowly(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the resolver's own
        if not asked.is_set():
            asked.set()
            go_on.wait(20)
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    record = alert(relay, account="Sim101", instrument="MES 12-26")
    assert asked.wait(10)
    newer_than = record.received_ms / 1000 + 2.2
    until(lambda: time.time() > newer_than, what="the end of the doubt")
    new = broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")
    go_on.set()

    ended(relay)

    assert [call for call in broker.cancel_calls if call.kind == "bulk"] == []
    assert broker.book.order(old).state == "Cancelled"
    assert broker.book.order(new).state == "Working"


@pytest.fixture
def many_accounts(redis_url: str) -> Iterator[tuple[Relay, CrossTradeSandbox]]:
    """Run a broker with more accounts than its rate limit lets be listed at once, and a relay."""
    names = [f"Sim{number}" for number in range(101, 125)]
    behaviour = CrossTradeBehaviour(burst=20, per_second=20.0)
    with CrossTradeSandbox(TOKEN, accounts=names, behaviour=behaviour) as broker:
        for name in names:
            place(broker, name)
        settings = {
            "REDIS_URL": redis_url,
            "RELAY_SECRET": "tests-only-relay-secret-1",
            "CROSSTRADE_TOKEN": TOKEN,
            "CROSSTRADE_URL": broker.url,
            "CROSSTRADE_PER_SECOND": "20",
        }
        relay = compose(Settings.read(settings))
        relay.worker.start()
        yield relay, broker
        relay.worker.stop()


@pytest.mark.promise(1, 5)
def test_everything_goes_out_and_is_proven_where_accounts_are_many(
    many_accounts: tuple[Relay, CrossTradeSandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing many accounts neither takes the bulk call's place in the limit nor begins for ever anew."""
    # The list beside the call takes half of the time in which that may start, and a busy machine the rest.
    monkeypatch.setattr(deliver, "FRESH_MS", 20_000)
    relay, broker = many_accounts

    alert(relay, scope="everything")

    assert ended(relay).status is Status.CONFIRMED
    assert broker.book.working() == []
    assert len([call for call in broker.cancel_calls if call.path.endswith("/cancelall")]) == 1


@pytest.mark.promise(1)
def test_an_account_that_cannot_be_listed_keeps_no_other_from_being_cancelled_in(
    relay: Relay, broker: CrossTradeSandbox
) -> None:
    """One account's refusal is no word about the others."""
    order = broker.book.place(
        account="Sim102", instrument="MES 12-26", action="Buy", created=time.time() - 60
    )
    refusal = '{"success": false, "error": "account_disconnected"}'
    broker.trouble = Trouble(on="read", times=1, latency_s=5)

    alert(relay, scope="everything", side="buy")

    until(lambda: broker.calls, what="the list of accounts")
    broker.trouble = Trouble(on="read", times=1, status=400, answer=refusal)

    until(lambda: broker.book.order(order).state == "Cancelled", what="the other account's cancel")


@pytest.mark.promise(1)
def test_a_thread_that_cannot_be_started_costs_no_alert(
    relay: Relay, broker: CrossTradeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has no thread left for a moment loses nothing: it comes a little later."""
    order = broker.book.place(
        account="Sim101", instrument="MES 12-26", action="Buy", created=time.time() - 60
    )
    start, failed = threading.Thread.start, threading.Event()

    def fail_once(thread: threading.Thread) -> None:
        if thread.name.startswith("lane-") and not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)

    alert(relay, account="Sim101", instrument="MES 12-26")

    assert ended(relay).status is Status.CONFIRMED
    assert failed.is_set()
    assert broker.book.order(order).state == "Cancelled"
    assert relay.worker.alive


@pytest.mark.promise(5)
def test_a_list_that_came_after_the_bulk_call_is_no_proof_that_nothing_was_there(
    relay: Relay, broker: CrossTradeSandbox
) -> None:
    """A list beside the call that is answered late may lack what the call has cancelled meanwhile."""
    order = place(broker)
    broker.trouble = Trouble(on="read", times=2, latency_s=0.5)

    alert(relay, scope="everything")

    assert ended(relay).status is Status.CONFIRMED
    assert broker.book.order(order).state == "Cancelled"
