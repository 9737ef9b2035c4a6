"""Speak CrossTrade's WebSocket API: the calls of its REST API, in frames.

https://docs.crosstrade.io/api/websocket-api and https://app.crosstrade.io/v1/api/openapi.json name the
address, the actions, the shape of a reply and the two pushes. How an error, a pong or a call over the budget
looks is not known [U]; that `data` is the body that REST has is inferred [I]. No push tells of orders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from relay.sandbox.crosstrade_behaviour import CrossTradeBehaviour
from relay.sandbox.talk import Ask, Reply, Talk
from relay.sandbox.wire import Answer, Kind, Request

#: Where the socket is.
STREAM = "/ws/stream"

#: Least status of an error.
ERROR = 400

#: The pushes [S]; what is in a quote or an account's profit is not known [U].
MARKET_DATA = {"type": "marketData", "quotes": [{"instrument": "ES 12-26", "last": 6120.75}]}
PROFIT = {"type": "pnlUpdate", "epoch": 0, "accounts": [{"account": "Sim101", "unrealized": 0.0}]}


@dataclass(frozen=True)
class Rpc:
    """Tie a function's name to the REST call that does the same; `names` are the arguments in its path."""

    kind: Kind
    path: str
    names: tuple[str, ...]


#: The functions whose names are documented; those of the reads are not, nor that of cancelling all [U].
RPCS = {
    "Cancel": Rpc("one", "/v1/api/accounts/{account}/orders/{orderId}/cancel", ("account", "orderId")),
    "CancelOrders": Rpc("bulk", "/v1/api/accounts/{account}/orders/cancel", ("account",)),
}


class CrossTradeTalk(Talk):
    """Answer one client, whose token was good at the handshake; `rest` carries a REST call out."""

    def __init__(
        self, handshake: Request, behaviour: CrossTradeBehaviour, rest: Callable[[Request], Answer]
    ) -> None:
        self._headers = handshake.headers
        self._behaviour = behaviour
        self._rest = rest
        self._quotes: set[str] = set()
        self._profit = False

    def read(self, frame: str) -> Ask:
        """Understand an action; a call's record has the function's name, another's that of the action."""
        try:
            fields = json.loads(frame)
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            return Ask(self._request("", frame), fault=True)
        action = fields.get("action")
        if action != "rpc":
            return Ask(self._request(str(action or ""), frame), id=fields.get("id"), fields=fields)
        name, args = fields.get("api"), fields.get("args", {})
        rpc = RPCS.get(name) if isinstance(name, str) else None
        fault = not isinstance(args, dict) or not isinstance(name, str)
        return Ask(
            self._request(str(name or ""), frame),
            rpc.kind if rpc else "other",
            fields.get("id"),
            {**fields, "args": {} if fault else args},
            fault,
        )

    def answer(self, ask: Ask) -> Reply:
        """Carry an action out."""
        if ask.fields.get("action") == "rpc":
            return self.wrap(ask, self._call(ask))
        if ask.name == "ping":
            return Reply(_json({"type": "pong"}) if self._behaviour.pong == "frame" else None)
        instruments = ask.fields.get("instruments")
        named = {str(each) for each in instruments} if isinstance(instruments, list) else set()
        if ask.name == "subscribe":
            self._quotes |= named
        elif ask.name == "unsubscribe":
            self._quotes -= named
        elif ask.name == "streamPnl":
            self._profit = ask.fields.get("enabled") is True
        else:
            words = "Invalid request" if ask.fault else f"Unknown action {ask.name!r}"
            return Reply(_json({"type": "error", "error": words}), 400)  # [U]
        return Reply(None)  # no acknowledgement is documented [I]

    def wrap(self, ask: Ask, answer: Answer) -> Reply:
        """Put REST's body into a frame, as it is: what is no JSON makes the frame none."""
        body = answer.body.decode("utf-8", "replace")
        key = "data"
        if answer.status >= ERROR and self._behaviour.rpc_errors == "error":
            key, body = "error", _json(_words(body))
        return Reply(f'{{"id":{_json(ask.id)},"{key}":{body}}}', answer.status)

    def stray(self) -> str:
        """Answer a cancel that nobody asked for."""
        return _json({"id": "nobody-asked", "data": {"orderIds": [], "success": True}})

    def beside(self) -> Sequence[str]:
        """Push quotes and profit between the answers, where the behaviour says so."""
        streams = self._behaviour.streams
        pushes = ((MARKET_DATA, self._quotes), (PROFIT, self._profit))
        return [
            _json(push) for push, wanted in pushes if streams == "unasked" or (streams == "asked" and wanted)
        ]

    def _call(self, ask: Ask) -> Answer:
        rpc = RPCS.get(ask.name)
        if ask.fault:
            return Answer.json(400, {"error": "Invalid request"})
        if rpc is None:  # the words are not known [U]
            detail = f"There is no function {ask.name!r}"
            return Answer.json(404, {"success": False, "error": "unknown_api", "detail": detail})
        args = ask.fields["args"]
        if not isinstance(args, Mapping) or not all(_is_name(args.get(name)) for name in rpc.names):
            return Answer.json(400, {"error": "Invalid request"})  # [I] from REST's words
        path = rpc.path.format_map({name: quote(args[name], safe="") for name in rpc.names})
        body = {name: value for name, value in args.items() if name not in rpc.names}
        return self._rest(Request("POST", path, self._headers, _json(body).encode()))

    def _request(self, name: str, frame: str) -> Request:
        return Request("SOCKET", name, self._headers, frame.encode("utf-8", "replace"))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _words(body: str) -> object:
    try:
        fields = json.loads(body)
    except ValueError:
        return body
    return fields.get("error") if isinstance(fields, dict) else fields


def _json(value: object) -> str:
    return json.dumps(value)
