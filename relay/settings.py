"""The settings: read once from the environment into a frozen object, all mistakes reported together."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from relay import service
from relay.errors import SettingsError
from relay.room import Room, room
from relay.service import Service, ServiceError
from schemas.settings import SettingsSchema

#: Names that begin so are ours, and an unknown one is a misspelt one.
OUR_PREFIXES = ("RELAY_", "CROSSTRADE_", "ALPHAPOINT_", "AUTOSHARES_")

#: What container platforms set for a service that happens to be called `relay`: this one shows the others.
_SERVICE = re.compile(r"(?:tcp|udp|sctp)://")
_SERVICE_LINK = re.compile(
    r"_(?:SERVICE_(?:HOST|PORT)(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?|NAME|ENV_\w+)"
)

#: Settings whose meaning this version cannot keep: starting without it would be a surprise with money in it.
_NOT_YET = {
    "RELAY_CONFIG": "relay.toml (senders, aliases, groups) is not supported by this version: unset it",
}

#: Settings that this version takes without acting on them: a warning at start says so.
_WITHOUT_EFFECT = {
    "RELAY_ADMIN_PASSWORD": "this version has no pages yet",
}

_SCHEMA = SettingsSchema()

#: What stands for a secret wherever one would be shown.
MASK = "***"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that prints as stars. `reveal()` is the one way to it."""

    _text: str

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """A vendor's WebSocket: where it is, and whether it is open before anybody needs it."""

    url: str
    always_open: bool


@dataclass(frozen=True, slots=True)
class CrossTradeSettings:
    """How CrossTrade is reached."""

    token: Secret
    url: str
    burst: int
    per_second: Decimal
    timezone: str
    #: Whether the operator named the zone himself.
    timezone_is_sure: bool
    #: None: over HTTP alone.
    socket: SocketSettings | None


@dataclass(frozen=True, slots=True)
class AlphaPointSettings:
    """How AlphaPoint is reached: by an API key of `user_id`, or by name and password."""

    #: None: over its WebSocket alone.
    url: str | None
    api_key: Secret | None
    api_secret: Secret | None
    user_id: int | None
    username: str | None
    password: Secret | None
    oms_id: int
    #: Whether CancelAllOrders reads an instrument and a user: the server is of version 3.2 or before.
    bulk: bool
    #: None: over HTTP alone.
    socket: SocketSettings | None

    @property
    def address(self) -> str:
        """Name where it is: by the gateway, where there is one."""
        return self.url or (self.socket.url if self.socket else "")


@dataclass(frozen=True, slots=True)
class AutosharesSettings:
    """How Autoshares is reached."""

    url: str
    app_key: Secret
    username: str
    password: Secret
    version: str
    #: Whether a cancel waits for the venue's word.
    at_venue: bool
    per_minute: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the operator decides. Spans are whole milliseconds where the name says so."""

    redis_url: Secret
    #: Of one process.
    redis_connections: int
    redis_verified: bool
    secrets: tuple[Secret, ...]
    signing_keys: tuple[Secret, ...]
    allow_from: tuple[str, ...]
    trusted_proxies: int
    client_cert_header: str | None
    reply_within_ms: int
    max_age_ms: int
    id_ttl_ms: int
    content_ttl_ms: int
    lease_ms: int
    warn_after_ms: int
    #: Who tells the trader; empty: nobody.
    notify: tuple[Service, ...]
    #: The relay's own public address, for links in messages.
    url: str | None
    keep_ms: int
    keep_mb: int | None
    log_level: str
    web_processes: int
    room: Room
    crosstrade: CrossTradeSettings | None
    alphapoint: AlphaPointSettings | None
    autoshares: AutosharesSettings | None
    #: What the operator should know though it keeps nothing from starting.
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """Read the settings; raise `SettingsError` with every mistake in them."""
        given = {name: value.strip() for name, value in environ.items() if value.strip()}
        mistakes = [_unknown(name) for name in sorted(given) if _looks_like_ours(name, given)]
        try:
            values = _SCHEMA.load({name: given[name] for name in _SCHEMA.fields if name in given})
        except ValidationError as failure:
            mistakes += [f"{name} {said[0]}" for name, said in sorted(failure.messages_dict.items())]
            values = failure.valid_data if isinstance(failure.valid_data, dict) else {}
        mistakes += [f"{name}: {why}" for name, why in _NOT_YET.items() if name in given]
        mistakes += _half_given(given)
        try:
            services = service.read(service.split(given.get("RELAY_NOTIFY", "")))
        except ServiceError as failure:
            mistakes.append(f"RELAY_NOTIFY: {failure}")
        if "RELAY_CLIENT_CERT_HEADER" in given and "DYNO" in given:
            mistakes.append(
                "RELAY_CLIENT_CERT_HEADER proves nothing on Heroku: its router ends TLS, so anyone could "
                "send that header"
            )
        if "RELAY_CLIENT_CERT_HEADER" in given and not _proxies(values, given):
            mistakes.append(
                "RELAY_CLIENT_CERT_HEADER needs RELAY_TRUSTED_PROXIES: without a proxy anyone could send "
                "that header"
            )
        if mistakes:
            raise SettingsError(mistakes)
        return cls(**_settled(values, given, services))

    @property
    def vendors_secrets(self) -> list[Secret]:
        """List what vendors know us by, joined as HTTP's Basic credentials join them, too."""
        found: list[Secret | None] = []
        if self.crosstrade:
            found.append(self.crosstrade.token)
        if self.alphapoint:
            vendor = self.alphapoint
            found += [vendor.api_key, vendor.api_secret, vendor.password]
            if vendor.password:
                found.append(Secret(f"{vendor.username}:{vendor.password.reveal()}"))
        if self.autoshares:
            found += [self.autoshares.app_key, self.autoshares.password]
        return [each for each in found if each]


#: The names that together switch a vendor on; of several ways one is enough.
_ALPHAPOINT = (
    ("ALPHAPOINT_API_KEY", "ALPHAPOINT_API_SECRET", "ALPHAPOINT_USER_ID"),
    ("ALPHAPOINT_USERNAME", "ALPHAPOINT_PASSWORD"),
)
_AUTOSHARES = (("AUTOSHARES_APP_KEY", "AUTOSHARES_USERNAME", "AUTOSHARES_PASSWORD"),)


def _half_given(given: Mapping[str, str]) -> list[str]:
    """Name what is missing of a credential that is there in part, and of an address to use it at."""
    mistakes = []
    for url, ways in (("ALPHAPOINT_URL", _ALPHAPOINT), ("AUTOSHARES_URL", _AUTOSHARES)):
        for names in ways:
            there = [name for name in names if name in given]
            missing = [name for name in names if name not in given]
            if there and missing:
                mistakes.append(
                    f"{', '.join(missing)} is missing: {' and '.join(there)} cannot log in without"
                )
        by_socket = url == "ALPHAPOINT_URL" and given.get("ALPHAPOINT_TRANSPORT") == "websocket"
        if url not in given and not by_socket and any(name in given for names in ways for name in names):
            mistakes.append(f"{url} is missing: where is the broker of these credentials?")
    if given.get("ALPHAPOINT_TRANSPORT") == "websocket" and "ALPHAPOINT_WS_URL" not in given:
        mistakes.append(
            "ALPHAPOINT_WS_URL is missing: ALPHAPOINT_TRANSPORT=websocket needs the exchange's WebSocket "
            "address, such as wss://api.ndax.io/WSGateway/"
        )
    return mistakes


def _is_on(ways: Iterable[Iterable[str]], given: Mapping[str, str]) -> bool:
    return any(all(name in given for name in names) for names in ways)


def _settled(
    values: dict[str, Any], given: Mapping[str, str], services: tuple[Service, ...]
) -> dict[str, Any]:
    """Turn checked values into the fields of `Settings`."""
    warnings = []
    if not services:
        warnings.append(
            "nobody is told when a cancel fails: set RELAY_NOTIFY, as ntfys://a-topic-that-nobody-guesses "
            "(docs/notifications.md)"
        )
    warnings += [f"{name} has no effect: {why}" for name, why in _WITHOUT_EFFECT.items() if name in given]
    for url, ways in (("ALPHAPOINT_URL", _ALPHAPOINT), ("AUTOSHARES_URL", _AUTOSHARES)):
        if url in given and not _is_on(ways, given):
            names = ", or ".join(" and ".join(each) for each in ways)
            warnings.append(f"{url} has no effect: that broker is off until there is {names}")
    for vendor in ("CROSSTRADE", "ALPHAPOINT"):
        idle = [f"{vendor}_WS_{what}" for what in ("URL", "OPEN") if f"{vendor}_WS_{what}" in given]
        if idle and values[f"{vendor}_TRANSPORT"] != "websocket":
            warnings.append(f"{' and '.join(idle)} has no effect without {vendor}_TRANSPORT=websocket")
    if values["CROSSTRADE_TOKEN"] is not None and "CROSSTRADE_TIMEZONE" not in given:
        warnings.append(
            "CROSSTRADE_TIMEZONE is unset: order times without an offset are read as UTC, so set it to "
            "NinjaTrader's zone, or a new order can be taken for an old one, and cancelled"
        )
    vendors = {
        "crosstrade": _crosstrade(values, given),
        "alphapoint": _alphapoint(values, given),
        "autoshares": _autoshares(values, given),
    }
    if not any(vendors.values()):
        warnings.append(
            "no vendor is configured, so every alert is refused: set CROSSTRADE_TOKEN, or the settings of "
            "AlphaPoint or Autoshares"
        )
    return {
        **vendors,
        "redis_url": Secret(values["REDIS_URL"]),
        "redis_connections": values["RELAY_REDIS_CONNECTIONS"] or _connections(given),
        # Heroku's Key-Value Store has self-signed certificates; the URL may say ssl_cert_reqs=none itself.
        "redis_verified": "DYNO" not in given,
        "secrets": tuple(map(Secret, values["RELAY_SECRET"])),
        "signing_keys": tuple(Secret(key.hex()) for key in values["RELAY_SIGNING_SECRET"]),
        "allow_from": values["RELAY_ALLOW_FROM"],
        "trusted_proxies": _proxies(values, given),
        "client_cert_header": values["RELAY_CLIENT_CERT_HEADER"],
        "reply_within_ms": _ms(values["RELAY_REPLY_WITHIN"]),
        "max_age_ms": _ms(values["RELAY_MAX_AGE"]),
        "id_ttl_ms": _ms(values["RELAY_ID_TTL"]),
        "content_ttl_ms": _ms(values["RELAY_CONTENT_TTL"]),
        "lease_ms": _ms(values["RELAY_LEASE"]),
        "warn_after_ms": _ms(values["RELAY_WARN_AFTER"]),
        "notify": services,
        "url": values["RELAY_URL"],
        "keep_ms": _ms(values["RELAY_KEEP_DAYS"] * 86_400),
        "keep_mb": values["RELAY_KEEP_MB"],
        "log_level": values["LOG_LEVEL"],
        "web_processes": values["WEB_CONCURRENCY"],
        "room": room(given, values["WEB_CONCURRENCY"]),
        "warnings": tuple(warnings),
    }


def _proxies(values: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """Count the proxies that are believed: Heroku's router is one."""
    stated: int | None = values.get("RELAY_TRUSTED_PROXIES")
    return int("DYNO" in given) if stated is None else stated


def _connections(given: Mapping[str, str]) -> int:
    """Give the connections to Redis of one process: a claim holds one for a few milliseconds at most.

    Heroku's smallest plan that persists allows 40: two dynos of two processes and a worker, old and new side
    by side during a deploy, open 30.
    """
    return 3 if "DYNO" in given else 8


def _crosstrade(values: Mapping[str, Any], given: Mapping[str, str]) -> CrossTradeSettings | None:
    if values["CROSSTRADE_TOKEN"] is None:
        return None
    return CrossTradeSettings(
        token=Secret(values["CROSSTRADE_TOKEN"]),
        url=values["CROSSTRADE_URL"],
        burst=values["CROSSTRADE_BURST"],
        per_second=values["CROSSTRADE_PER_SECOND"],
        timezone=values["CROSSTRADE_TIMEZONE"],
        timezone_is_sure="CROSSTRADE_TIMEZONE" in given,
        socket=_socket("CROSSTRADE", values),
    )


def _socket(vendor: str, values: Mapping[str, Any]) -> SocketSettings | None:
    if values[f"{vendor}_TRANSPORT"] != "websocket":
        return None
    return SocketSettings(values[f"{vendor}_WS_URL"], values[f"{vendor}_WS_OPEN"] == "always")


def _alphapoint(values: Mapping[str, Any], given: Mapping[str, str]) -> AlphaPointSettings | None:
    if not _is_on(_ALPHAPOINT, given):
        return None
    return AlphaPointSettings(
        url=values["ALPHAPOINT_URL"],
        api_key=_secret(values["ALPHAPOINT_API_KEY"]),
        api_secret=_secret(values["ALPHAPOINT_API_SECRET"]),
        user_id=values["ALPHAPOINT_USER_ID"],
        username=values["ALPHAPOINT_USERNAME"],
        password=_secret(values["ALPHAPOINT_PASSWORD"]),
        oms_id=values["ALPHAPOINT_OMS_ID"],
        bulk=values["ALPHAPOINT_CANCEL"] == "bulk",
        socket=_socket("ALPHAPOINT", values),
    )


def _autoshares(values: Mapping[str, Any], given: Mapping[str, str]) -> AutosharesSettings | None:
    if not _is_on(_AUTOSHARES, given):
        return None
    return AutosharesSettings(
        url=values["AUTOSHARES_URL"],
        app_key=Secret(values["AUTOSHARES_APP_KEY"]),
        username=values["AUTOSHARES_USERNAME"],
        password=Secret(values["AUTOSHARES_PASSWORD"]),
        version=values["AUTOSHARES_VERSION"],
        at_venue=values["AUTOSHARES_CONFIRM"] == "venue",
        per_minute=values["AUTOSHARES_PER_MINUTE"],
    )


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _ms(seconds: Decimal) -> int:
    return int(seconds * 1000)


def _looks_like_ours(name: str, given: Mapping[str, str]) -> bool:
    return name.startswith(OUR_PREFIXES) and name not in _SCHEMA.fields and not _is_service_link(name, given)


def _is_service_link(name: str, given: Mapping[str, str]) -> bool:
    """Say whether a container platform wrote this name: of the same service there is a `…_PORT=tcp://…`."""
    services = (each.removesuffix("_PORT") for each, value in given.items() if _SERVICE.match(value))
    return any(_SERVICE_LINK.fullmatch(name.removeprefix(service)) for service in services)


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, _SCHEMA.fields, n=1, cutoff=0.6)
    return f"{name} is no setting of this relay" + (f": did you mean {close[0]}?" if close else "")
