"""Stand in for an exchange that runs AlphaPoint: its gateways, HTTP and WebSocket, and what is behind them.

Written from the vendor's documents, https://alphapoint.github.io/slate/, and those of exchanges that run it:
https://trade.coinext.com.br/api/index.html, https://github.com/NDAXlO/ndax-api-documentation. About HTTP
these say little; there it follows what public clients send and expect, https://github.com/ccxt/ccxt (ndax)
and https://github.com/notbank-exchange/notbank-python. Marks beside the code: [3P] seen in such clients,
[I] inferred, [U] unknown, [!] the sources contradict each other; so one answer was chosen or a switch made.
"""

from __future__ import annotations

import base64
import binascii
import socket
import time
from collections.abc import Callable, Iterable, Mapping

from relay.sandbox.alphapoint_access import BAD_LOGIN, SIGNED, Access, LoginFailedError, NoSessionError, User
from relay.sandbox.alphapoint_behaviour import AlphaPointBehaviour
from relay.sandbox.alphapoint_calls import Call, Calls
from relay.sandbox.alphapoint_events import AccountEvents
from relay.sandbox.alphapoint_frames import GATEWAY as SOCKET_GATEWAY
from relay.sandbox.alphapoint_frames import AlphaPointTalk
from relay.sandbox.alphapoint_instruments import symbol_of
from relay.sandbox.alphapoint_rows import ALPHAPOINT
from relay.sandbox.alphapoint_wire import (
    MESSAGES,
    Payload,
    RefusedError,
    camel,
    read_payload,
    standard,
    write_payload,
)
from relay.sandbox.control import Control
from relay.sandbox.order import Order
from relay.sandbox.order_book import Happening, OrderBook
from relay.sandbox.server import SandboxServer
from relay.sandbox.sockets import Sockets
from relay.sandbox.talk import Talk
from relay.sandbox.wire import Answer, Kind, Request

__all__ = ["AlphaPointBehaviour", "AlphaPointSandbox"]

#: Where the gateway is; Notbank writes it small [3P].
GATEWAY = "/AP"

#: The calls that need no session since they begin one.
LOG_IN = ("Authenticate", "AuthenticateUser", "Authenticate2FA")

#: The call that ends one.
LOG_OUT = "LogOut"

#: What a call may be sent with: clients read with GET and cancel with POST, or send all with POST [3P].
METHODS = ("GET", "POST")


class AlphaPointSandbox(SandboxServer):
    """Answer as an exchange's gateway does, for one user with a password and an API key.

    `accounts` are his, the first by default; he may share them with other users. `other_accounts` are other
    people's, on the same system.
    """

    def __init__(  # noqa: PLR0913 - a user has that many credentials
        self,
        *,
        username: str,
        password: str,
        api_key: str,
        api_secret: str,
        user_id: int,
        oms_id: int = 1,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        accounts: Iterable[int] = (7, 8),
        other_accounts: Iterable[int] = (9,),
        behaviour: AlphaPointBehaviour | None = None,
    ) -> None:
        super().__init__(host=host, port=port, clock=clock)
        user = User(user_id, username, password, api_key, api_secret)
        self._accounts = tuple(accounts)
        self._user_id = user_id
        self.behaviour = behaviour or AlphaPointBehaviour()
        self.book = OrderBook(
            accounts=[str(account) for account in (*self._accounts, *other_accounts)],
            vocabulary=ALPHAPOINT,
            behaviour=self.behaviour,
            clock=clock,
            resolve_instrument=symbol_of,
            new_id=lambda number: str(self.behaviour.first_order_id + number - 1),
            told=self._tell,
        )
        self._events = AccountEvents(oms_id)
        self._access = Access(
            user, oms_id=oms_id, account=self._accounts[0], behaviour=self.behaviour, clock=clock
        )
        self._calls_of_user = Calls(
            user,
            oms_id=oms_id,
            accounts=self._accounts,
            book=self.book,
            behaviour=self.behaviour,
            events=self._events,
        )
        self.sockets = Sockets(self, self._admit)
        self._control = Control(self, self.book, self.behaviour, self.sockets)

    @property
    def url(self) -> str:
        """Give the gateway's address, to which a slash and the name of a call are added."""
        return super().url + GATEWAY

    @property
    def ws_url(self) -> str:
        """Give the address of the WebSocket gateway."""
        return f"ws://{self.host}:{self.port}/WSGateway/"

    def fill(self, order_id: str, quantity: str | None = None) -> Order:
        """Fill an order now, whole or in part."""
        return self.book.fill(order_id, quantity)

    def expire_sessions(self) -> None:
        """End every session, as a restart of the gateway does."""
        self._access.expire()

    def place_samples(self) -> list[str]:
        """Put working orders of two users into the user's accounts and return their ids."""
        first, last = str(self._accounts[0]), str(self._accounts[-1])
        own, colleague = str(self._user_id), str(self._user_id + 1)
        limits = (
            (first, "BTCCAD", "Buy", "0.345", "89010.5", own, ""),
            (first, "BTCCAD", "Sell", "0.1", "98750", own, "9007199254740993"),  # past 2^53
            (first, "ETHCAD", "Buy", "2", "3105.25", own, "41"),
            (first, "BTCCAD", "Buy", "1.5", "88000", colleague, ""),
            (last, "BTCCAD", "Buy", "0.02", "87500", own, ""),
        )
        return [
            self.book.place(
                account=account,
                instrument=instrument,
                action=side,
                quantity=quantity,
                limit_price=price,
                user=user,
                client_id=client_id,
            )
            for account, instrument, side, quantity, price, user, client_id in limits
        ]

    def kind_of(self, request: Request) -> Kind:
        """Say what a request is by its address."""
        call = self._call(request)
        if call:
            return call.kind
        return "login" if self._name(request) in LOG_IN else "other"

    def control(self, request: Request) -> Answer:
        """Leave the control address to what every sandbox has there."""
        return self._control.answer(request)

    def upgrade(self, request: Request, connection: socket.socket) -> bool:
        """Talk over a WebSocket at the gateway's address."""
        if request.path.removesuffix("/").casefold() != SOCKET_GATEWAY:
            return False
        self.sockets.serve(request, connection)
        return True

    def words_for(self, status: int) -> bytes:
        """Give the standard response that fits an error's status, where one does."""
        code = {401: 20, 404: 20, 400: 100, 500: 102}.get(status)
        return super().words_for(status) if code is None else self._refusal(RefusedError(code)).body

    def answer(self, request: Request) -> Answer:
        """Check a request in the order address, method, log-in, payload."""
        if self._call(request) is None and self._name(request) not in (*LOG_IN, LOG_OUT):
            return Answer(404, b"Not Found", {"Content-Type": "text/plain"})  # [U]
        if request.method not in METHODS:
            return Answer(405, b"", {"Allow": ", ".join(METHODS)})  # [U]
        try:
            return self._json(200, self._carry_out(request))
        except RefusedError as refusal:
            return self._refusal(refusal)
        except LoginFailedError as failure:
            return self._json(self.behaviour.bad_login_status, self._access.refused(str(failure)))
        except NoSessionError:
            # That NDAX's 404 means this is what a client takes it for; what is in its body is not known [U].
            return self._json(self.behaviour.session_ended, standard(20, MESSAGES[20], None))

    def _admit(self, request: Request) -> Talk:
        return AlphaPointTalk(
            request,
            access=self._access,
            calls=self._calls_of_user,
            events=self._events,
            behaviour=self.behaviour,
        )

    def _tell(self, order: Order, happening: Happening) -> None:
        tell = self._calls_of_user.cancel_refused if happening == "refused" else self._calls_of_user.changed
        tell(order)

    def _carry_out(self, request: Request) -> object:
        name, call = self._name(request), self._call(request)
        signed = {header: request.header(header) for header in SIGNED}
        if name in LOG_IN:
            return self._log_in(name, request, signed)
        token = request.header("APToken")
        if not self._access.admits(token, signed) and not (call and call.public):
            raise NoSessionError
        if call is None:
            self._access.log_out(token)
            return self._calls_of_user.done()
        return call.carry_out(_payload(request))

    def _log_in(self, name: str, request: Request, signed: Mapping[str, str | None]) -> object:
        payload = _payload(request)
        if name == "Authenticate":
            return self._access.with_password(*_basic(request))
        if name == "Authenticate2FA":
            return self._access.with_code(request.header("Pending2FaToken"), payload.text("Code"))
        return self._access.with_any(payload if signed["APIKey"] is None else Payload(signed))

    def _refusal(self, refusal: RefusedError) -> Answer:
        return self._json(self.behaviour.error_status, standard(refusal.code, str(refusal), None))

    def _json(self, status: int, value: object) -> Answer:
        shown = camel(value) if self.behaviour.keys == "camel" else value
        return Answer(status, write_payload(shown).encode(), {"Content-Type": "application/json"})

    def _call(self, request: Request) -> Call | None:
        return self._calls_of_user.by_name.get(self._name(request))

    def _name(self, request: Request) -> str:
        """Read the call's name out of the address; the gateway's own is found in any case."""
        gateway, _, name = request.path.rpartition("/")
        return name if gateway.casefold() == GATEWAY.casefold() else ""


def _payload(request: Request) -> Payload:
    """Read the payload out of the body, or of the query where there is no body."""
    if not request.body.strip():
        return Payload(request.query)
    try:
        return Payload(read_payload(request.body))
    except ValueError as error:
        raise RefusedError(100) from error


def _basic(request: Request) -> tuple[str, str]:
    """Read name and password out of HTTP's Basic credentials."""
    scheme, _, encoded = (request.header("Authorization") or "").partition(" ")
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise LoginFailedError(BAD_LOGIN) from error
    if scheme.casefold() != "basic" or not colon:
        raise LoginFailedError(BAD_LOGIN)
    return name, password
