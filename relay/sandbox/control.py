"""Let a person or a test steer a stand-in broker over HTTP, at an address the vendor does not have."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any

from relay.sandbox.book_behaviour import BookBehaviour
from relay.sandbox.order import Order
from relay.sandbox.order_book import OrderBook
from relay.sandbox.server import CONTROL, SandboxServer
from relay.sandbox.socket_behaviour import SocketBehaviour
from relay.sandbox.sockets import Sockets
from relay.sandbox.trouble import Trouble, check
from relay.sandbox.wire import Answer, RecordedCall, Request, Route

#: Headers whose value is a credential; it is not shown.
SECRET_HEADERS = frozenset(
    {
        "apikey",
        "aptoken",
        "authorization",
        "cookie",
        "et-app-key",
        "password",
        "pending2fatoken",
        "pincode",
        "signature",
        "verificationcode",
    }
)


@dataclasses.dataclass(frozen=True)
class NewOrder:
    """Name what an order is placed with; prices are strings, and so are fractions of a quantity."""

    account: str
    instrument: str
    action: str
    order_type: str = "Limit"
    quantity: int | str = 1
    limit_price: str = "0"
    stop_price: str = "0"
    state: str | None = None
    created: float | None = None
    time_in_force: str = "Gtc"
    oco_id: str = ""
    name: str = ""
    user_data: str = ""
    user: str = ""
    client_id: str = ""


class Control:
    """Answer what is sent to `/_sandbox/`; a mistake gets a 400 with a sentence."""

    def __init__(
        self,
        sandbox: SandboxServer,
        book: OrderBook,
        behaviour: BookBehaviour,
        sockets: Sockets | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._book = book
        self._behaviour = behaviour
        self._routes = (
            Route("GET", CONTROL + "orders", "other", self._orders),
            Route("POST", CONTROL + "orders", "other", self._place),
            Route("POST", CONTROL + "orders/{order_id}/fill", "other", self._fill),
            Route("GET", CONTROL + "calls", "other", self._calls),
            Route("GET", CONTROL + "trouble", "other", self._trouble),
            Route("PUT", CONTROL + "trouble", "other", self._set_trouble),
            Route("GET", CONTROL + "behaviour", "other", self._show_behaviour),
            Route("PUT", CONTROL + "behaviour", "other", self._set_behaviour),
            *([] if sockets is None else self._routes_of(sockets)),
        )

    @staticmethod
    def _routes_of(sockets: Sockets) -> Sequence[Route]:
        def show(_request: Request, _names: Mapping[str, str]) -> Answer:
            refused = [{"at": each.at, "path": each.path, "status": each.status} for each in sockets.refused]
            behaviour = dataclasses.asdict(sockets.behaviour)
            counts = {"opened": sockets.opened, "open": sockets.open, "refused": refused}
            return Answer.json(200, {**counts, "behaviour": behaviour})

        def change(request: Request, names: Mapping[str, str]) -> Answer:
            _switch(sockets.behaviour, _object(request))
            return show(request, names)

        address = CONTROL + "sockets"
        return Route("GET", address, "other", show), Route("PUT", address, "other", change)

    def answer(self, request: Request) -> Answer:
        """Carry one request out."""
        for route in self._routes:
            names = route.match(request)
            if names is not None:
                try:
                    return route.carry_out(request, names)
                except ValueError as error:
                    return Answer.json(400, {"error": str(error)})
        known = [f"{route.method} {route.template}" for route in self._routes]
        return Answer.json(404, {"error": f"there is no {request.method} {request.path}", "known": known})

    def _orders(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        return Answer.json(200, {"orders": [_order_as_json(order) for order in self._book.orders()]})

    def _place(self, request: Request, _names: Mapping[str, str]) -> Answer:
        fields = _object(request)
        check(NewOrder, fields)
        missing = [name for name in ("account", "instrument", "action") if name not in fields]
        if missing:
            raise ValueError(f"an order needs {', '.join(missing)}")
        order_id = self._book.place(**dataclasses.asdict(NewOrder(**fields)))
        return Answer.json(201, _order_as_json(self._book.order(order_id)))

    def _fill(self, request: Request, names: Mapping[str, str]) -> Answer:
        fields = _object(request) if request.body else {}
        if fields.keys() - {"quantity"} or type(fields.get("quantity")) not in (int, str, NoneType):
            raise ValueError('a fill takes nothing, or {"quantity": <number>}, a fraction as a string')
        if self._book.find(names["order_id"]) is None:
            raise ValueError(f"there is no order {names['order_id']}")
        return Answer.json(200, _order_as_json(self._book.fill(names["order_id"], fields.get("quantity"))))

    def _calls(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        return Answer.json(200, {"calls": [_call_as_json(call) for call in self._sandbox.calls]})

    def _trouble(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        return Answer.json(200, [dataclasses.asdict(trouble) for trouble in self._sandbox.trouble])

    def _set_trouble(self, request: Request, names: Mapping[str, str]) -> Answer:
        wanted = _document(request)
        if not isinstance(wanted, list):
            raise ValueError("troubles are a JSON list; an empty one clears")  # noqa: TRY004 - a 400
        self._sandbox.trouble = [Trouble.from_json(each) for each in wanted]
        return self._trouble(request, names)

    def _show_behaviour(self, _request: Request, _names: Mapping[str, str]) -> Answer:
        return Answer.json(200, dataclasses.asdict(self._behaviour))

    def _set_behaviour(self, request: Request, names: Mapping[str, str]) -> Answer:
        _switch(self._behaviour, _object(request))
        return self._show_behaviour(request, names)


def _document(request: Request) -> object:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise ValueError(f"the body is not JSON: {error}") from error


def _object(request: Request) -> dict[str, Any]:
    document = _document(request)
    if not isinstance(document, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004 - a 400
    return document


def _switch(behaviour: BookBehaviour | SocketBehaviour, fields: dict[str, Any]) -> None:
    check(type(behaviour), fields)
    for name, value in fields.items():
        setattr(behaviour, name, value)


def _order_as_json(order: Order) -> dict[str, object]:
    return {name: _plain(value) for name, value in dataclasses.asdict(order).items()}


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def _call_as_json(call: RecordedCall) -> dict[str, object]:
    headers = {name: "***" if name.lower() in SECRET_HEADERS else text for name, text in call.headers.items()}
    # A log-in over a WebSocket has its credentials in the frame.
    hidden = call.kind == "login" and call.socket is not None
    body = "***" if hidden else call.body.decode("utf-8", "replace")
    return {**dataclasses.asdict(call), "headers": headers, "body": body}
