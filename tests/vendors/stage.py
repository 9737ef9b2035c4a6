"""A relay between a real Redis and one row's stand-in broker, put together in this process."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any, Self

import pytest
import redis

from relay.compose import compose
from relay.outcome import Outcome
from relay.pipeline import Pipeline, Received
from relay.record import Record
from relay.reply import Reply
from relay.sandbox.alphapoint_frames import AlphaPointTalk
from relay.sandbox.autoshares import AutosharesSandbox
from relay.sandbox.control import SECRET_HEADERS
from relay.sandbox.crosstrade_frames import CrossTradeTalk
from relay.sandbox.talk import Ask, Talk
from relay.sandbox.talk import Reply as SocketReply
from relay.sandbox.wire import Answer, Kind, RecordedCall, Request
from relay.settings import Settings
from tests.e2e.test_secrets import everything_in, found
from tests.running import SECRET, until
from tests.vendors.desk import DESK, Resting, has
from tests.vendors.expectations import Broker, Id, Row

#: Meets one call, of its kind, and answers it in the broker's place or by it.
Meet = Callable[[Kind, Request, Callable[[Request], Answer]], Answer]

#: Seconds from a cancel that the broker took to the exchange's confirmation.
SOON_S = 0.01

#: Seconds before now at which an order was placed that was there beyond doubt; the rule knows two of it.
LONG_AGO_S = 60.0

#: Seconds within which everything here comes to its end, on a machine that has much else to do.
PATIENCE_S = 30.0


class Stage:
    """A relay with its worker, and its broker: the judge is the broker's own book and its record of calls."""

    def __init__(self, row: Row, redis_url: str, changes: Mapping[str, str]) -> None:
        """Take the row; `changes` go before its settings."""
        self.row = row
        self.broker = row.start()
        self.broker.behaviour.cancel_after_s = SOON_S
        self.desk: dict[str, str] = {}
        environ = {
            "REDIS_URL": redis_url,
            "RELAY_SECRET": SECRET,
            "RELAY_LEASE": "2",
            "RELAY_REPLY_WITHIN": "1",
            # Two alerts alike are two alerts here.
            "RELAY_CONTENT_TTL": "0",
            "LOG_LEVEL": "DEBUG",
            row.address: self.broker.url,
            **_socket_of(row, self.broker),
            **row.settings,
            **changes,
        }
        self._secrets = [SECRET, *(environ[name] for name in {**row.settings, **changes} if _is_secret(name))]
        self._redis_url = redis_url
        self._replies: list[Reply] = []
        self._printed = io.StringIO()
        with contextlib.redirect_stdout(self._printed):
            self._relay = compose(Settings.read(environ))
        relay = self._relay
        self._pipeline = Pipeline(relay.settings, relay.ledger, relay.lanes, relay.lines, relay.scrubber)

    def __enter__(self) -> Self:
        """Open the broker, and set the worker to work."""
        self.broker.start()
        self._relay.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it; every trouble ends first, so that nothing is waited for."""
        self.broker.trouble = None
        self._relay.stop()
        self.broker.stop()

    def place(self, order: Resting = DESK["buy"], *, ago_s: float = LONG_AGO_S, quantity: int = 1) -> str:
        """Rest one order at the broker, placed so long ago."""
        row = self.row
        named = {"client_id": str(row.own_id)} if order.named and row.own_id is not None else {}
        user = row.colleague if order.colleagues else None
        return self.broker.book.place(
            account=str(getattr(row, order.account)),
            instrument=getattr(row, order.instrument),
            action=order.side.capitalize(),
            quantity=quantity,
            created=time.time() - ago_s,
            user=str(user or ""),
            **named,
        )

    def set_desk(self) -> dict[str, str]:
        """Rest the whole desk; give the ids by the orders' names."""
        self.desk = {name: self.place(order) for name, order in DESK.items() if has(self.row, order)}
        return self.desk

    def state(self, order_id: str) -> str:
        """Read an order's state in the broker's own book."""
        return self.broker.book.order(order_id).state

    def is_untouched(self, order_id: str) -> bool:
        """Say whether nothing ever happened to an order: not even a cancel that is still pending."""
        order = self.broker.book.order(order_id)
        return len(order.history) == 1 and not order.cancel_asked

    def is_asked_for(self, order_id: str) -> bool:
        """Say whether the broker was asked to cancel an order, and the order still works."""
        return self.broker.book.is_pending(self.broker.book.order(order_id))

    def touched(self) -> set[str]:
        """Name the orders of the desk to which anything happened."""
        return {name for name, order_id in self.desk.items() if not self.is_untouched(order_id)}

    def cancelled(self) -> set[str]:
        """Name the orders of the desk that are cancelled."""
        return {name for name, order_id in self.desk.items() if self.state(order_id) == self.row.cancelled}

    def let_go(self, order_ids: Collection[str]) -> None:
        """Confirm, as the exchange, each cancel of these orders as soon as it was asked for."""
        for order_id in order_ids:
            asked_for = partial(self.is_asked_for, order_id)
            until(asked_for, within=PATIENCE_S, what=f"the cancel of {order_id}")
            self.broker.book.move(order_id, self.row.cancelled)

    def calm(self) -> None:
        """End all trouble, and with it what hangs: over a socket that is its end."""
        self.broker.trouble = None
        if not isinstance(self.broker, AutosharesSandbox):
            self.broker.sockets.close(None)

    @contextlib.contextmanager
    def between(self, meet: Meet) -> Iterator[None]:
        """Stand between relay and broker: what is given sees each call, and the broker's way to answer.

        A call in a frame is met with its fields among its headers, and answered by what its frame carries.
        """
        kind_of, answer = self.broker.kind_of, self.broker.answer
        with pytest.MonkeyPatch.context() as patch:
            for talk, carried in _TALKS:
                patch.setattr(talk, "answer", _meeting(meet, talk.answer, carried))
            patch.setattr(self.broker, "answer", lambda request: meet(kind_of(request), request, answer))
            yield

    def send(self, **fields: Any) -> Reply:  # noqa: ANN401 - a JSON value
        """Send an alert; its reply comes back, or the `Refusal` is raised."""
        body = json.dumps({"action": "cancel", "vendor": self.row.vendor, **fields}).encode()
        credential = {"Authorization": f"Bearer {SECRET}"}
        received = Received(body, credential, "127.0.0.1", "request-1", time.monotonic())
        reply = self._pipeline.handle(received)
        self._replies.append(reply)
        return reply

    def cancel(self, order_id: str, **fields: Any) -> Reply:  # noqa: ANN401 - a JSON value
        """Send an alert that names an order of the row's own account."""
        return self.send(account=self.row.account, order_id=self.row.as_id(order_id), **fields)

    def record(self, reply: Reply) -> Record:
        """Read what is known of an alert by now."""
        record = self._relay.ledger.read(reply.body["alert_id"])
        assert record is not None
        return record

    def ended(self, reply: Reply) -> Record:
        """Wait until an alert has ended, and give its record."""

        def look() -> Record | None:
            record = self.record(reply)
            return record if record.status.ended else None

        return until(look, within=PATIENCE_S, what="the alert's end")

    def calls(self, *kinds: Kind) -> list[RecordedCall]:
        """List the broker's calls of these kinds."""
        return [call for call in self.broker.calls if call.kind in kinds]

    def sent_twice(self) -> list[tuple[str, bytes]]:
        """Name the bulk calls that came more than once."""
        counts = Counter((call.path, call.body) for call in self.calls("bulk"))
        return [call for call, count in counts.items() if count > 1]

    def log(self, event: str) -> list[dict[str, Any]]:
        """Give the log's lines of one kind."""
        lines = [json.loads(line) for line in self._printed.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def leaks(self) -> dict[str, list[str]]:
        """Look where none may be for every secret: those of the settings, and those that headers carried."""
        sent = [
            value.rpartition(" ")[2]
            for call in self.broker.calls
            for name, value in call.headers.items()
            if name.lower() in SECRET_HEADERS
        ]
        secrets = {*self._secrets, *sent}
        with redis.Redis.from_url(self._redis_url) as client:
            kept = everything_in(client) if client.dbsize() else ""
        leaks = {
            "log": found(self._printed.getvalue(), *secrets),
            "replies": found(json.dumps([reply.body for reply in self._replies]), *secrets),
            "Redis": found(kept, *secrets),
        }
        return {where: what for where, what in leaks.items() if what}


def _meeting(
    meet: Meet, answer: Callable[[Any, Ask], SocketReply], carried: Callable[[Any], bytes]
) -> Callable[[Talk, Ask], SocketReply]:
    def met(talk: Talk, ask: Ask) -> SocketReply:
        def by_broker(request: Request) -> Answer:
            reply = answer(talk, talk.read(request.body.decode()))
            return Answer(reply.status, carried(json.loads(reply.frame or "null")))

        if ask.kind == "other":
            return answer(talk, ask)
        return talk.wrap(ask, meet(ask.kind, ask.with_fields, by_broker))

    return met


#: What CrossTrade's frames carry, and AlphaPoint's.
_TALKS: tuple[tuple[type[Talk], Callable[[Any], bytes]], ...] = (
    (CrossTradeTalk, lambda frame: json.dumps(frame["data"]).encode()),
    (AlphaPointTalk, lambda frame: str(frame["o"]).encode()),
)


def _socket_of(row: Row, broker: Broker) -> dict[str, str]:
    if row.ws_address is None:
        return {}
    assert not isinstance(broker, AutosharesSandbox)  # it has none
    return {row.ws_address: broker.ws_url}


def outcomes(record: Record) -> dict[Id, Outcome]:
    """Give what a record says of each order."""
    return {order.order_id: order.outcome for _, progress in record.cancels for order in progress.orders}


def reasons(record: Record) -> str:
    """Give all that a record says about why."""
    said = [
        reason
        for _, progress in record.cancels
        for reason in (progress.reason, *(order.reason for order in progress.orders))
    ]
    return "; ".join(reason for reason in said if reason)


def _is_secret(name: str) -> bool:
    return name.endswith(("_TOKEN", "_KEY", "_SECRET", "_PASSWORD"))


#: Makes a stage; what it is given goes before the row's own settings.
StageFor = Callable[..., Stage]
