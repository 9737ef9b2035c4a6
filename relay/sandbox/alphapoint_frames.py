"""Speak AlphaPoint over its WebSocket: the calls of the HTTP gateway, in frames, and an account's events.

The frame is the "Message Frame" of https://alphapoint.github.io/slate/: `m` its type, `i` the client's
number, `n` the name of a call, `o` the payload as a text. What a frame of type 5 carries is not said [U].
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from relay.sandbox.alphapoint_access import Access, LoginFailedError, NoSessionError
from relay.sandbox.alphapoint_behaviour import AlphaPointBehaviour
from relay.sandbox.alphapoint_calls import Call, Calls
from relay.sandbox.alphapoint_events import AccountEvents
from relay.sandbox.alphapoint_wire import (
    MESSAGES,
    Payload,
    RefusedError,
    camel,
    read_payload,
    standard,
    write_payload,
)
from relay.sandbox.talk import Ask, Reply, Talk
from relay.sandbox.wire import Answer, Kind, Request

#: Where the gateway is, found in any case, with its slash or without: Notbank writes it small [3P].
GATEWAY = "/wsgateway"

#: The calls that begin a session; the second name is in the page's examples. `Authenticate` is HTTP's alone.
LOG_IN = ("AuthenticateUser", "WebAuthenticateUser", "Authenticate2FA")

#: The call that ends one, and the one that begins the events.
LOG_OUT, SUBSCRIBE = "LogOut", "SubscribeAccountEvents"

#: The types of frames.
REQUEST, REPLY, SUBSCRIPTION, EVENT, ERROR = 0, 1, 2, 3, 5

#: Least status of an error over HTTP.
HTTP_ERROR = 400

#: The code and the words for a call that is none; neither is known [U].
NO_SUCH_CALL = 106, "Endpoint Not Found"


class AlphaPointTalk(Talk):
    """Answer one client, whose session is the socket's."""

    def __init__(
        self,
        handshake: Request,
        *,
        access: Access,
        calls: Calls,
        events: AccountEvents,
        behaviour: AlphaPointBehaviour,
    ) -> None:
        self._headers = handshake.headers
        self._access = access
        self._calls = calls
        self._events = events
        self._behaviour = behaviour
        self._token: str | None = None
        self._pending: str | None = None
        self._told: dict[str, int] = {}
        # An event's number is the server's own, and so may be one that the client has used [3P].
        self._numbers = itertools.count(2, 2)

    def read(self, frame: str) -> Ask:
        """Understand a frame; subscriptions may come as requests [3P]."""
        try:
            outer = read_payload(frame.encode("utf-8", "replace"))
        except ValueError:
            return Ask(self._request("", frame), id=0, fault=True)
        name, carried = str(outer.get("n") or ""), outer.get("o")
        fault = outer.get("m") not in (REQUEST, SUBSCRIPTION)
        fields: dict[str, object] = {}
        try:
            if carried not in (None, "", "null"):  # a call without a payload [3P]
                fields = read_payload(carried.encode("utf-8", "replace")) if isinstance(carried, str) else {}
                fault |= not isinstance(carried, str)
        except ValueError:
            fault = True
        return Ask(self._request(name, frame), self._kind(name), outer.get("i", 0), fields, fault)

    def answer(self, ask: Ask) -> Reply:
        """Carry a call out: its frame, its name, the session, its payload."""
        if not ask.fault and self._call(ask) is None and ask.name not in (*LOG_IN, LOG_OUT, SUBSCRIBE):
            code, words = NO_SUCH_CALL
            as_text = self._behaviour.unknown_call == "text"
            return Reply(
                self._frame(ERROR, ask, words if as_text else self._written(standard(code, words, None)))
            )
        try:
            return self._reply(ask, self._carry_out(ask))
        except RefusedError as refusal:
            return self._refuse(ask, standard(refusal.code, str(refusal), None))
        except LoginFailedError as failure:
            return self._reply(ask, self._access.refused(str(failure)))
        except NoSessionError:
            return self._refuse(ask, standard(20, MESSAGES[20], None), self._behaviour.session_ended)

    def wrap(self, ask: Ask, answer: Answer) -> Reply:
        """Put a body into a frame: an error object as the vendor would, an error's free text as type 5."""
        body = answer.body.decode("utf-8", "replace")
        kind = REPLY
        if answer.status >= HTTP_ERROR:
            kind = self._error_kind if body.startswith("{") else ERROR
        return Reply(self._frame(kind, ask, body), answer.status)

    def stray(self) -> str:
        """Answer a cancel that nobody asked for."""
        ask = Ask(self._request("CancelOrder", ""), id=2**40)
        return self._frame(REPLY, ask, self._written(self._calls.done()))

    def news(self) -> Sequence[str]:
        """Tell what has happened in the accounts that were subscribed to, while the session lives."""
        if not self._told or not self._access.lives(self._token):
            return ()
        self._calls.let_time_pass()
        past = min(self._told.values())
        due = self._events.after(past)
        frames = []
        for number, event in enumerate(due, past + 1):
            if self._told.get(event.account, number) < number:
                self._told[event.account] = number
                ask = Ask(self._request(event.name, ""), id=self._event_number())
                frames.append(self._frame(EVENT, ask, self._written(event.payload)))
        self._told = dict.fromkeys(self._told, past + len(due))
        return frames

    def beside(self) -> Sequence[str]:
        """Let an event overtake the reply of the very cancel that led to it, where the behaviour says so."""
        return self.news() if self._behaviour.events_first else ()

    @property
    def close_code(self) -> int | None:
        """End the socket with its session, where the behaviour says so."""
        closes = self._behaviour.ended_session == "closes" and self._token is not None
        return self._behaviour.ended_session_code if closes and not self._access.lives(self._token) else None

    def _carry_out(self, ask: Ask) -> object:
        if ask.fault:
            raise RefusedError(100)
        payload, call = Payload(ask.fields), self._call(ask)
        if ask.name in LOG_IN:
            return self._log_in(ask.name, payload)
        let_in = self._token is not None and self._access.admits(self._token, {})
        if not let_in and not (call and call.public):
            raise NoSessionError
        if ask.name == LOG_OUT:
            self._access.log_out(self._token)
            self._token = None
            return self._calls.done()
        if call is None:
            # From here on, not from before [I].
            self._told[self._calls.own_account(payload)] = self._events.count
            return {"Subscribe": True}
        return call.carry_out(payload)

    def _log_in(self, name: str, payload: Payload) -> object:
        token = payload.text("SessionToken")
        if token is not None:
            answer = self._access.with_session(token)
        elif name == "Authenticate2FA":
            answer = self._access.with_code(self._pending, payload.text("Code"))
        else:
            answer = self._access.with_any(payload)
        if not self._access.lives(self._token):
            self._told.clear()  # what was subscribed to ended with its session [I]
        session, pending = answer.get("SessionToken"), answer.get("Pending2FaToken")
        self._token = str(session) if session else self._token
        self._pending = str(pending) if pending else None
        return answer

    def _reply(self, ask: Ask, value: object) -> Reply:
        return Reply(self._frame(REPLY, ask, self._written(value)))

    def _refuse(self, ask: Ask, value: dict[str, object], status: int = 200) -> Reply:
        return Reply(self._frame(self._error_kind, ask, self._written(value)), status)

    @property
    def _error_kind(self) -> int:
        return REPLY if self._behaviour.error_frame == "reply" else ERROR

    def _written(self, value: object) -> str:
        return write_payload(camel(value) if self._behaviour.keys == "camel" else value)

    @staticmethod
    def _frame(kind: int, ask: Ask, payload: str) -> str:
        return write_payload({"m": kind, "i": ask.id, "n": ask.name, "o": payload})

    def _event_number(self) -> int:
        return next(self._numbers) if self._behaviour.event_numbers == "counted" else 0

    def _call(self, ask: Ask) -> Call | None:
        return self._calls.by_name.get(ask.name)

    def _kind(self, name: str) -> Kind:
        call = self._calls.by_name.get(name)
        if call:
            return call.kind
        return "login" if name in LOG_IN else "other"

    def _request(self, name: str, frame: str) -> Request:
        return Request("SOCKET", name, self._headers, frame.encode("utf-8", "replace"))
