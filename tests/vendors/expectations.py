"""What differs between vendors, a row for each: the contract suite beside this file is one for all of them.

A new vendor is one row here, beside its file, its schema and its stand-in. Rows are written from the
specification and from the vendors' documents, never from our adapters. A vendor that is spoken to in two
ways, or whose documents leave two readings that matter, has a row for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay.sandbox.alphapoint import AlphaPointBehaviour, AlphaPointSandbox
from relay.sandbox.autoshares import AutosharesBehaviour, AutosharesSandbox
from relay.sandbox.crosstrade import CrossTradeBehaviour, CrossTradeSandbox
from relay.sandbox.trouble import On

Broker = CrossTradeSandbox | AlphaPointSandbox | AutosharesSandbox

#: As an alert writes it.
Id = str | int

#: An alert's fields beside action and vendor, and the one that is at fault.
Refused = tuple[Mapping[str, Any], str]


@dataclass(frozen=True)
class Gone:
    """The answer to a cancel that found no working order."""

    status: int
    body: str


@dataclass(frozen=True)
class Row:
    """What the suite has to know of a vendor.

    `settings` point a relay at the stand-in that `start` makes; the one of its address is `address`.
    `other_names` mean the instrument too. `nowhere` is an order id that is in no book. `takes` are the
    targets that the vendor can express; `refused`, by their names, those that it cannot, and ids of other
    types. `one_call` says of a target whether the first try is a bulk call; what is not in it is left open.
    `own_id` is the trader's own id of an order. `user` may trade in the accounts, and so may `colleague`;
    `stranger` is somebody else's account. `wrong` are the settings of a credential that is none. `tried` are
    the calls that the row runs into trouble with; what another row of the vendor sends alike is tried there.
    """

    name: str
    vendor: str
    start: Callable[[], Broker]
    address: str
    settings: Mapping[str, str]
    account: Id
    second: Id
    instrument: str
    other_instrument: str
    cancelled: str
    filled: str
    as_id: Callable[[str], Id]
    nowhere: Id
    gone: Gone
    takes: frozenset[str]
    refused: Mapping[str, Refused]
    one_call: Mapping[str, bool]
    wrong: tuple[Mapping[str, str], ...]
    tried: frozenset[On]
    other_names: tuple[Id, ...] = ()
    own_id: Id | None = None
    user: int | None = None
    colleague: int | None = None
    stranger: Id | None = None
    logs_in: bool = False
    #: The setting of its WebSocket's address, for a row whose calls go over that.
    ws_address: str | None = None
    end_sessions: Callable[[Broker], None] = field(default=lambda _: None)

    def __str__(self) -> str:
        return self.name


def _refused_ids(target: str, ids: Mapping[str, object], **beside: object) -> dict[str, Refused]:
    return {f"{target} {name}": ({**beside, target: value}, target) for name, value in ids.items()}


_NO_TEXT: Mapping[str, object] = {
    "as a number": 17,
    "as a fraction": 1.5,
    "as true": True,
    "as an object": {"id": "x"},
}

CROSSTRADE = Row(
    name="crosstrade",
    vendor="crosstrade",
    start=lambda: CrossTradeSandbox("invented-crosstrade-token", behaviour=CrossTradeBehaviour(burst=None)),
    address="CROSSTRADE_URL",
    settings={
        "CROSSTRADE_TOKEN": "invented-crosstrade-token",
        "CROSSTRADE_BURST": "100000",
        "CROSSTRADE_PER_SECOND": "100000",
    },
    account="Sim101",
    second="Sim102",
    instrument="MES 12-26",
    other_instrument="NQ 12-26",
    other_names=("mes 12-26", "MESZ26"),
    cancelled="Cancelled",
    filled="Filled",
    as_id=str,
    nowhere="0" * 32,
    gone=Gone(400, '{"error": "Order linked to \'0\' not found or already terminal."}'),
    takes=frozenset({"order_id", "instrument", "account", "everything"}),
    refused={
        "the trader's own id": ({"account": "Sim101", "client_order_id": "mine"}, "client_order_id"),
        "a user": ({"scope": "user"}, "scope"),
        "a user by his id": ({"scope": "user", "user_id": 446}, "user_id"),
        "an order management system": ({"account": "Sim101", "scope": "account", "oms_id": 1}, "oms_id"),
        **_refused_ids("order_id", _NO_TEXT, account="Sim101"),
        **_refused_ids("instrument", _NO_TEXT, account="Sim101"),
        **_refused_ids("account", _NO_TEXT, scope="account"),
    },
    one_call={"order_id": False, "instrument": True, "account": True, "everything": True},
    wrong=({"CROSSTRADE_TOKEN": "invented-wrong-token"},),
    tried=frozenset({"cancel", "read"}),
)


CROSSTRADE_SOCKET = replace(
    CROSSTRADE,
    name="crosstrade, websocket",
    settings={**CROSSTRADE.settings, "CROSSTRADE_TRANSPORT": "websocket"},
    ws_address="CROSSTRADE_WS_URL",
)


_NO_INT64: Mapping[str, object] = {
    "as a word": "seven",
    "as a fraction": 1.5,
    "as true": True,
    "as an object": {"id": 7},
    "of nought": 0,
    "below nought": -7,
    "past 64 bits": 2**63,
}

#: An id that a parser which reads numbers as floats cannot hold.
_PAST_FLOATS = 2**53 + 1


def _exchange(behaviour: AlphaPointBehaviour) -> AlphaPointSandbox:
    behaviour.first_order_id = _PAST_FLOATS
    return AlphaPointSandbox(
        username="invented-trader@example.com",
        password="invented:alphapoint-password",
        api_key="invented-alphapoint-key",
        api_secret="invented-alphapoint-secret",
        user_id=446,
        accounts=(7, 8),
        other_accounts=(9,),
        behaviour=behaviour,
    )


def _end_exchange_sessions(broker: Broker) -> None:
    assert isinstance(broker, AlphaPointSandbox)
    broker.expire_sessions()


_ALPHAPOINT: Mapping[str, Any] = {
    "vendor": "alphapoint",
    "address": "ALPHAPOINT_URL",
    "account": 7,
    "second": 8,
    "instrument": "BTCCAD",
    "other_instrument": "ETHCAD",
    "other_names": (1,),
    "cancelled": "Canceled",
    "filled": "FullyExecuted",
    "as_id": int,
    "nowhere": 999,
    "gone": Gone(200, '{"result":false,"errormsg":"Resource Not Found","errorcode":104,"detail":null}'),
    "takes": frozenset({"order_id", "client_order_id", "instrument", "account", "user", "everything"}),
    "refused": {
        **_refused_ids("order_id", _NO_INT64, account=7),
        **_refused_ids("client_order_id", _NO_INT64, account=7),
        **_refused_ids("account", _NO_INT64, scope="account"),
        **_refused_ids("user_id", {"as a word": "seven", "of nought": 0}, scope="user"),
        **_refused_ids("oms_id", {"as a word": "one", "of nought": 0}, account=7, scope="account"),
    },
    "own_id": 9_007_199_254_740_995,
    "user": 446,
    "colleague": 447,
    "stranger": 9,
    "logs_in": True,
    "end_sessions": _end_exchange_sessions,
}

ALPHAPOINT_BY_ORDER = Row(
    name="alphapoint, by order",
    # The server of all that is most dangerous: its CancelAllOrders reads no instrument and no user.
    start=lambda: _exchange(AlphaPointBehaviour(version="3.3")),
    settings={
        "ALPHAPOINT_API_KEY": "invented-alphapoint-key",
        "ALPHAPOINT_API_SECRET": "invented-alphapoint-secret",
        "ALPHAPOINT_USER_ID": "446",
    },
    one_call={
        "order_id": False,
        "client_order_id": False,
        "instrument": False,
        "account": True,
        "user": False,
    },
    wrong=({"ALPHAPOINT_API_SECRET": "invented-wrong-secret"},),
    tried=frozenset({"cancel", "read", "login"}),
    **_ALPHAPOINT,
)

ALPHAPOINT_SOCKET = replace(
    ALPHAPOINT_BY_ORDER,
    name="alphapoint, websocket",
    settings={
        "ALPHAPOINT_USERNAME": "invented-trader@example.com",
        "ALPHAPOINT_PASSWORD": "invented:alphapoint-password",
        "ALPHAPOINT_TRANSPORT": "websocket",
    },
    wrong=({"ALPHAPOINT_PASSWORD": "invented:wrong-password"},),
    ws_address="ALPHAPOINT_WS_URL",
)

ALPHAPOINT_BULK = Row(
    name="alphapoint, bulk",
    start=lambda: _exchange(
        AlphaPointBehaviour(
            version="3.2", session_ended=401, bad_login_status=401, status_of_one="array", no_message="empty"
        )
    ),
    settings={
        "ALPHAPOINT_CANCEL": "bulk",
        "ALPHAPOINT_USERNAME": "invented-trader@example.com",
        "ALPHAPOINT_PASSWORD": "invented:alphapoint-password",
    },
    one_call={
        "order_id": False,
        "client_order_id": False,
        "instrument": True,
        "account": True,
        "user": True,
    },
    wrong=({"ALPHAPOINT_PASSWORD": "invented:wrong-password"},),
    tried=frozenset({"cancel", "login"}),
    **_ALPHAPOINT,
)


_NO_INT32: Mapping[str, object] = {
    "as a word": "seven",
    "as a fraction": 1.5,
    "as true": True,
    "as an object": {"id": 7},
    "past 32 bits": 2**31,
}


def _etna(behaviour: AutosharesBehaviour) -> AutosharesSandbox:
    behaviour.sync_after_s = 0.0
    behaviour.tokens_per_minute = behaviour.actions_per_minute = behaviour.queries_per_minute = None
    return AutosharesSandbox(
        app_key="invented-autoshares-key",
        username="invented-trader",
        password="invented-autoshares-password",
        accounts=(6303, 6304),
        behaviour=behaviour,
    )


def _end_tokens(broker: Broker) -> None:
    assert isinstance(broker, AutosharesSandbox)
    broker.expire_tokens()


_AUTOSHARES: Mapping[str, Any] = {
    "vendor": "autoshares",
    "address": "AUTOSHARES_URL",
    "account": 6303,
    "second": 6304,
    "instrument": "AAPL",
    "other_instrument": "MSFT",
    "other_names": ("aapl", 4),
    "cancelled": "Canceled",
    "filled": "Filled",
    "as_id": int,
    "nowhere": 999,
    "gone": Gone(409, ""),
    "takes": frozenset({"order_id", "client_order_id", "instrument", "account", "everything"}),
    "refused": {
        "a user": ({"scope": "user"}, "scope"),
        "a user by his id": ({"scope": "user", "user_id": 446}, "user_id"),
        "an order management system": ({"account": 6303, "scope": "account", "oms_id": 1}, "oms_id"),
        **_refused_ids("order_id", _NO_INT32, account=6303),
        **_refused_ids("account", {**_NO_INT32, "of nought": 0}, scope="account"),
    },
    "one_call": dict.fromkeys(("order_id", "client_order_id", "instrument", "account", "everything"), False),
    "own_id": "mine-17",
    "logs_in": True,
    "end_sessions": _end_tokens,
    "wrong": (
        {"AUTOSHARES_PASSWORD": "invented-wrong-password"},
        {"AUTOSHARES_APP_KEY": "invented-wrong-key"},
    ),
}

_AUTOSHARES_SETTINGS: Mapping[str, str] = {
    "AUTOSHARES_APP_KEY": "invented-autoshares-key",
    "AUTOSHARES_USERNAME": "invented-trader",
    "AUTOSHARES_PASSWORD": "invented-autoshares-password",
    "AUTOSHARES_PER_MINUTE": "100000",
}

AUTOSHARES_OMS = Row(
    name="autoshares, oms",
    start=lambda: _etna(AutosharesBehaviour()),
    settings=_AUTOSHARES_SETTINGS,
    tried=frozenset({"cancel", "read", "login"}),
    **_AUTOSHARES,
)

AUTOSHARES_VENUE = Row(
    name="autoshares, venue",
    # What the vendor's pages and its schema say differently.
    start=lambda: _etna(
        AutosharesBehaviour(cancel_status=200, app_key_status=401, page_links="null", error_bodies="json")
    ),
    settings={**_AUTOSHARES_SETTINGS, "AUTOSHARES_CONFIRM": "venue"},
    tried=frozenset({"cancel"}),
    **_AUTOSHARES,
)

ROWS: tuple[Row, ...] = (
    CROSSTRADE,
    CROSSTRADE_SOCKET,
    ALPHAPOINT_BY_ORDER,
    ALPHAPOINT_SOCKET,
    ALPHAPOINT_BULK,
    AUTOSHARES_OMS,
    AUTOSHARES_VENUE,
)
