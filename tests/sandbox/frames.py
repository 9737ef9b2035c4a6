"""Speak to a stand-in broker over a WebSocket, with a client that is not the relay's."""

from __future__ import annotations

import itertools
import json
from typing import Any, Self

import websocket

from tests.sandbox.conftest import PATIENCE, TOKEN


class Line:
    """Hold one WebSocket as a client does; frames are JSON."""

    def __init__(self, url: str, **headers: str) -> None:
        """Open it."""
        self.socket = websocket.create_connection(url, timeout=PATIENCE, header=headers)
        self._ids = itertools.count(2, 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.shutdown()  # type: ignore[no-untyped-call]

    def send(self, **fields: object) -> None:
        """Send one frame."""
        self.socket.send(json.dumps(fields))

    def receive(self) -> Any:  # noqa: ANN401 - JSON
        """Read the next frame, a text or a binary one."""
        return json.loads(self.socket.recv())

    def ended(self) -> int | None:
        """Read until the other side ends it, and give the code, None where there was none."""
        try:
            while True:
                code, data = self.socket.recv_data()
                if code == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(data[:2])
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return None


class Desk(Line):
    """Speak CrossTrade's frames, as its user."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        """Open it with a token."""
        super().__init__(url, Authorization=f"Bearer {token}")

    def ask(self, api: str, **args: object) -> int:
        """Send a call and give its id."""
        asked = next(self._ids)
        self.send(action="rpc", id=asked, api=api, args=args)
        return asked

    def call(self, api: str, **args: object) -> Any:  # noqa: ANN401 - JSON
        """Send a call and read the data that answers it."""
        asked = self.ask(api, **args)
        answer = self.receive()
        assert answer["id"] == asked
        return answer["data"]


class Seat(Line):
    """Speak AlphaPoint's frames."""

    def ask(self, name: str, payload: object, kind: int = 0) -> int:
        """Send a call and give its number."""
        asked = next(self._ids)
        self.send(m=kind, i=asked, n=name, o=json.dumps(payload))
        return asked

    def answer(self, name: str, payload: object, kind: int = 0) -> tuple[int, Any]:
        """Send a call, and read the type and the payload of the frame that answers it."""
        asked = self.ask(name, payload, kind)
        frame = self.receive()
        assert (frame["i"], frame["n"]) == (asked, name)
        return frame["m"], json.loads(frame["o"])

    def call(self, name: str, **payload: object) -> Any:  # noqa: ANN401 - JSON
        """Send a call, and read the payload of its reply."""
        kind, answered = self.answer(name, {"OMSId": 1, **payload})
        assert kind == 1
        return answered

    def event(self) -> tuple[str, Any]:
        """Read the next frame, which is an event: its name, its payload."""
        frame = self.receive()
        assert frame["m"] == 3
        return frame["n"], json.loads(frame["o"])
