"""CrossTrade's WebSocket messages: https://docs.crosstrade.io/api/websocket-api, and its OpenAPI description.

`rpc` and its reply are documented, `ping` by name alone. No message tells by itself what becomes of an order.
"""

from __future__ import annotations

import json

from relay.reading import parsed, whole
from relay.vendor import Answer, Frame, Frames, Heard


class CrossTradeFrames(Frames):
    """How CrossTrade's messages are written and read."""

    #: It documents the ping, and no answer to it.
    answers_pings = False

    def write(self, number: int, frame: Frame) -> str:
        """Write an `rpc`; its id is a text, as in the documents."""
        return json.dumps(
            {"action": "rpc", "id": str(number), "api": frame.name, "args": dict(frame.payload)}
        )

    def ping(self, number: int) -> str:  # noqa: ARG002 - its answer, if there is one, has no number [U]
        """Write the documented keep-alive."""
        return json.dumps({"action": "ping"})

    def read(self, text: str) -> Heard:
        """Read the reply to an `rpc`: `data` holds REST's body [I]; an error may stand in its place [U]."""
        message = parsed(text)
        number = whole(message.get("id")) if isinstance(message, dict) else None
        if number is None:
            return Heard()
        body = (
            message["data"]
            if "data" in message
            else {each: message[each] for each in message if each != "id"}
        )
        return Heard(number, Answer(0, json.dumps(body).encode()))

    def subscription(self, frame: Frame) -> Frame | None:  # noqa: ARG002 - the same for all
        """Give none."""
        return None
