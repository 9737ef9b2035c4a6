"""A session that lives in a WebSocket: lost with it, renewed once for all, and no call of it leaves twice."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.sync.server import ServerConnection

from relay import ledger
from relay.alert import Alert
from relay.compose import Relay
from relay.converse import Conversations
from relay.errors import NotSent, Unknown
from relay.ledger import LOG_IN_REST_MOST_MS, Held, Key
from relay.outcome import Progress
from relay.record import Record
from tests.socket_vendor import SocketVendor, gone, led_to, name_of, reply
from tests.vendors.of_alphapoint import ACCOUNT, AP, OF_ACCOUNT, ORDER

#: Threads that come at once: more than the failures that open a breaker.
MANY = 12


class Exchange:
    """An exchange that lets in whoever asks; a rule may say what a frame does to its socket."""

    def __init__(self) -> None:
        self.on: Callable[[SocketVendor, ServerConnection, str], bool] = lambda *_: True
        self.vendor = SocketVendor(self._behave)

    def _behave(self, vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            name = name_of(message)
            if not self.on(vendor, sock, name):
                return
            if name == "GetOpenOrders":
                sock.send(json.dumps({**json.loads(message), "m": 1, "o": "[]"}))
            else:
                sock.send(reply(message, Authenticated=True, result=True, errorcode=0))

    def called(self, name: str) -> int:
        """Count the frames of a function."""
        return self.vendor.names().count(name)


@pytest.fixture
def exchange() -> Exchange:
    """Give an exchange, which ends with its relay."""
    return Exchange()


@pytest.fixture
def relay(redis_url: str, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Put a relay together that speaks to the exchange over its WebSocket."""
    # Log-ins follow each other here faster than they ever do.
    monkeypatch.setattr(ledger, "LOG_IN_REST_MS", 5)
    with led_to(exchange.vendor, redis_url) as relay:
        yield relay


def held_alert(relay: Relay, number: int = 1) -> Held:
    """Give an alert that is held."""
    alert = Alert(vendor="alphapoint", accounts=(ACCOUNT,), scope="account")
    cancels = [(OF_ACCOUNT, Progress())]
    record = Record(f"{number:032x}", "default", alert, cancels, 60_000, "content", "request-1")
    held = relay.ledger.claim(record, Key("default", f"{number}", f"{number:064x}", 30_000)).held
    assert held is not None
    return held


def talk(relay: Relay, held: Held) -> Conversations:
    """Give the conversations of a held alert."""
    return Conversations(relay.lines["alphapoint"], relay.ledger, held, relay.scrubber)


@pytest.mark.promise(2, 4)
def test_a_bulk_call_whose_session_was_lost_since_the_list_leaves_once(
    relay: Relay, exchange: Exchange
) -> None:
    """The socket drops between list and cancel: a log-in on a new one goes before the cancel, sent once."""
    held = held_alert(relay)
    conversations = talk(relay, held)
    assert conversations.hold(AP.working(ACCOUNT), urgent=True) == ()
    exchange.vendor.cut()
    gone()

    conversations.hold(AP.bulk(OF_ACCOUNT), urgent=True)

    names = [(number, name_of(message)) for number, message in exchange.vendor.heard]
    asked = [each for each in names if each[1] != "SubscribeAccountEvents"]
    assert asked == [
        (1, "AuthenticateUser"),
        (1, "GetOpenOrders"),
        (2, "AuthenticateUser"),
        (2, "CancelAllOrders"),
    ]
    outcomes = [step["outcome"] for step in held.record.history if step["step"] == "call"]
    assert outcomes == ["answered"] * 4


@pytest.mark.promise(2)
def test_a_bulk_call_that_its_socket_takes_along_is_unknown_and_never_repeated(
    relay: Relay, exchange: Exchange
) -> None:
    """A frame that left with the session that was lost is not sent in the next one."""
    exchange.on = lambda _vendor, _sock, name: name != "CancelAllOrders"

    with pytest.raises(Unknown):
        talk(relay, held_alert(relay)).hold(AP.bulk(OF_ACCOUNT), urgent=True)

    assert exchange.called("CancelAllOrders") == 1


@pytest.mark.promise(2)
def test_a_session_that_is_lost_again_and_again_is_not_sent(relay: Relay, exchange: Exchange) -> None:
    """A socket that ends right after each log-in costs two of them, and the cancel never leaves."""

    def ends_after_the_log_in(_: SocketVendor, sock: ServerConnection, name: str) -> bool:
        if name == "AuthenticateUser":
            sock.send(reply(exchange.vendor.heard[-1][1], Authenticated=True))
        return False

    exchange.on = ends_after_the_log_in
    seen: list[type[Exception]] = []
    for number in range(1, 4):
        with pytest.raises((NotSent, Unknown)) as raised:
            talk(relay, held_alert(relay, number)).hold(AP.bulk(OF_ACCOUNT), urgent=True)
        seen.append(raised.type)

    # Where the end was noticed only after the frame had left it is unknown; it left once a conversation.
    assert exchange.called("CancelAllOrders") <= seen.count(Unknown)


@pytest.mark.promise(6, 7)
def test_sessions_that_end_at_once_do_not_use_up_the_log_ins_of_a_minute(
    relay: Relay, exchange: Exchange
) -> None:
    """The first is renewed at once, the next log-in waits a second or so; the alert is told for how long."""

    def ends_after_the_log_in(_: SocketVendor, sock: ServerConnection, name: str) -> bool:
        if name == "AuthenticateUser":
            sock.send(reply(exchange.vendor.heard[-1][1], Authenticated=True))
        return False

    exchange.on = ends_after_the_log_in
    waits: list[int] = []
    for number in range(1, MANY):
        with pytest.raises((NotSent, Unknown)) as raised:
            talk(relay, held_alert(relay, number)).hold(AP.cancel_one(ACCOUNT, ORDER), urgent=True)
        # Where the end is noticed only after the frame has left, it is unknown and waits for nothing.
        if isinstance(raised.value, NotSent) and raised.value.wait_ms is not None:
            waits.append(raised.value.wait_ms)
        gone()

    # Of the eight that a minute has, also where the machine needs seconds for what is a moment's.
    assert exchange.called("AuthenticateUser") <= 5
    assert waits
    assert max(waits) <= LOG_IN_REST_MOST_MS


@pytest.mark.promise(6, 8)
def test_many_alerts_whose_session_was_lost_renew_it_once(relay: Relay, exchange: Exchange) -> None:
    """One log-in serves all, each cancel leaves once, and nobody is turned away meanwhile."""
    talks = [talk(relay, held_alert(relay, number)) for number in range(MANY)]
    talks[0].hold(AP.working(ACCOUNT), urgent=True)
    exchange.vendor.cut()
    gone()
    together = threading.Barrier(MANY)

    def cancel(number: int) -> None:
        together.wait(30)
        talks[number].hold(AP.cancel_one(ACCOUNT, ORDER + number), urgent=True)

    with ThreadPoolExecutor(MANY) as pool:
        list(pool.map(cancel, range(MANY)))

    assert exchange.called("AuthenticateUser") == 2
    frames = [json.loads(each) for _, each in exchange.vendor.heard if name_of(each) == "CancelOrder"]
    sent = [json.loads(each["o"])["OrderId"] for each in frames]
    assert sorted(sent) == [ORDER + number for number in range(MANY)]
