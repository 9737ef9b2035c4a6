"""Events against lists: an order that is told to be over and listed as working is not proven to be over."""

import json
import time
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection

from relay import deliver
from relay.alert import Alert, ReplyWhen
from relay.cancel import Cancel, Scope
from relay.compose import Relay
from relay.ledger import Key
from relay.outcome import Outcome, Progress, Status
from relay.record import Record
from tests.socket_vendor import SocketVendor, led_to, name_of, reply
from tests.vendors.of_alphapoint import ACCOUNT, OF_ACCOUNT, ORDER, row

#: Long before any alert.
PLACED_MS = 1_600_000_000_000

#: Seconds in which a reply has to be there, on a machine that has much else to do.
LONG = 30.0

BUYS = Cancel("alphapoint", ACCOUNT, Scope.ACCOUNT, side="buy")


class Exchange:
    """An exchange with one order, which tells of its end whenever someone asks for its list."""

    def __init__(self) -> None:
        self.works = True
        #: Cancels that are taken and come to nothing.
        self.in_vain = 0
        self.vendor = SocketVendor(self._behave)

    def _behave(self, vendor: SocketVendor, sock: ServerConnection) -> None:
        for message in vendor.messages(sock):
            name = name_of(message)
            if name == "GetOpenOrders":
                told = json.dumps(row(OrderState="Canceled", ReceiveTime=PLACED_MS))
                sock.send(json.dumps({"m": 3, "i": 0, "n": "OrderStateEvent", "o": told}))
                listed = [row(ReceiveTime=PLACED_MS)] if self.works else []
                sock.send(json.dumps({**json.loads(message), "m": 1, "o": json.dumps(listed)}))
                continue
            if name.startswith("Cancel"):
                self.works, self.in_vain = self.in_vain > 0, self.in_vain - 1
            sock.send(reply(message, Authenticated=True, result=True, errorcode=0))


@pytest.fixture
def exchange() -> Exchange:
    """Give an exchange, which ends with its relay."""
    return Exchange()


@pytest.fixture
def relay(redis_url: str, exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Put a relay together that speaks to the exchange over its WebSocket."""
    # A bulk call is to start, however long a busy machine takes for handshake, log-in and list.
    monkeypatch.setattr(deliver, "FRESH_MS", 20_000)
    with led_to(exchange.vendor, redis_url) as relay:
        yield relay


def carried(relay: Relay, cancel: Cancel) -> Progress:
    """Carry an alert that waits until it is confirmed, and give what came of its cancel."""
    alert = Alert(
        vendor="alphapoint",
        accounts=(ACCOUNT,),
        scope="account",
        side=cancel.side,
        reply_when=ReplyWhen.CONFIRMED,
    )
    record = Record("1" * 32, "default", alert, [(cancel, Progress())], 60_000, "content", "request-1")
    held = relay.ledger.claim(record, Key("default", "1", "1" * 64, 30_000)).held
    assert held is not None
    job = relay.lanes.first(held, until=time.monotonic() + LONG)
    job.wait(LONG * 2)
    return record.cancels[0][1]


@pytest.mark.promise(5)
def test_an_order_that_is_listed_as_working_is_asked_for_whatever_was_told(
    relay: Relay, exchange: Exchange
) -> None:
    """An event that says "cancelled" of an order that works spares it no cancel."""
    progress = carried(relay, BUYS)

    assert exchange.vendor.names().count("CancelOrder") == 1
    assert not exchange.works
    assert progress.status is Status.CONFIRMED
    assert [(order.order_id, order.outcome) for order in progress.orders] == [(ORDER, Outcome.CANCELLED)]


@pytest.mark.promise(5)
def test_an_order_that_is_listed_as_working_is_not_proven_by_an_event(
    relay: Relay, exchange: Exchange
) -> None:
    """Where the bulk call came to nothing the order is asked for by its id, and only then confirmed."""
    exchange.in_vain = 1

    progress = carried(relay, OF_ACCOUNT)

    assert exchange.vendor.names().count("CancelAllOrders") == 1
    assert exchange.vendor.names().count("CancelOrder") == 1
    assert not exchange.works
    assert progress.status is Status.CONFIRMED
