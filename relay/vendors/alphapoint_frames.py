"""AlphaPoint's WebSocket messages: https://alphapoint.github.io/slate/ (frames, SubscribeAccountEvents).

Marks: [3P] seen in public clients (ccxt, https://github.com/alphapoint/apex-api), [U] not documented.
"""

from __future__ import annotations

import json

from relay.errors import Unreadable
from relay.reading import folded, parsed, whole
from relay.vendor import Answer, Frame, Frames, Heard
from relay.vendors.alphapoint import order_of

#: `m`: what a message is.
_REQUEST, _REPLY, _EVENT, _ERROR = 0, 1, 3, 5


class AlphaPointFrames(Frames):
    """How AlphaPoint's messages are written and read: frames {m, i, n, o} whose `o` is JSON within JSON."""

    answers_pings = True

    def __init__(self, oms_id: int) -> None:
        """Take the order management system whose events are heard: ids are unique within one alone."""
        self._oms_id = oms_id

    def write(self, number: int, frame: Frame) -> str:
        """Write a request."""
        return json.dumps({"m": _REQUEST, "i": number, "n": frame.name, "o": json.dumps(dict(frame.payload))})

    def ping(self, number: int) -> str:
        """Write the documented Ping, which is answered by a PONG."""
        return self.write(number, Frame("Ping", {}))

    def read(self, text: str) -> Heard:
        """Read a reply, an error, or what became of an order (OrderStateEvent)."""
        message = folded(parsed(text))
        if message is None:
            return Heard()
        kind, number, payload = whole(message.get("m")), whole(message.get("i")), message.get("o")
        if kind == _EVENT:
            return _told(message.get("n"), payload, self._oms_id)
        if number is None or kind not in {_REPLY, _ERROR}:
            return Heard()
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return Heard(number, _answer(200, body) if kind == _REPLY else _error(body))

    def subscription(self, frame: Frame) -> Frame | None:
        """Have the events of the account told that a call is about; sent as a request, as clients do [3P]."""
        account, oms_id = (frame.payload.get(name) for name in ("AccountId", "OMSId"))
        if account is None or oms_id != self._oms_id:
            return None
        return Frame("SubscribeAccountEvents", {"AccountId": account, "OMSId": oms_id})


def _error(body: str) -> Answer:
    """Give an error's answer: an object as in a reply, or a text; which is not documented [U].

    What a number says, or a log-in's no, is as definite as in a reply. All else is the server's trouble.
    """
    said = folded(parsed(body)) or {}
    if whole(said.get("errorcode")) or said.get("authenticated") is False:
        return _answer(200, body)
    return _answer(500, body if "errormsg" in said else json.dumps({"errormsg": body}))


def _answer(status: int, body: str) -> Answer:
    # JSON can write half a letter, which no encoding holds.
    return Answer(status, body.encode("utf-8", "replace"))


def _told(name: object, payload: object, oms_id: int) -> Heard:
    """Read an event; one that cannot be read tells nothing, since the order is asked for anyway.

    Servers name the order management system in it [3P], documents don't.
    """
    row = folded(parsed(payload) if isinstance(payload, str) else payload)
    account = None if row is None else whole(row.get("account"))
    if row is None or account is None or str(name).casefold() != "orderstateevent":
        return Heard()
    if whole(row.get("omsid", oms_id)) != oms_id:
        return Heard()
    try:
        return Heard(order=order_of(row, account))
    except Unreadable:
        return Heard()
