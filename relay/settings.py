"""The settings: read once from the environment into a frozen object, all mistakes reported together."""

from __future__ import annotations

import base64
import difflib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from marshmallow import ValidationError

from relay.errors import SettingsError
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
    "ALPHAPOINT_URL": "AlphaPoint is not supported by this version: unset it",
    "AUTOSHARES_URL": "Autoshares is not supported by this version: unset it",
}

#: Settings that this version takes without acting on them: a warning at start says so.
_WITHOUT_EFFECT = {
    "RELAY_ADMIN_PASSWORD": "this version has no pages yet",
    "RELAY_URL": "this version has no pages to link to yet",
    "RELAY_KEEP_MB": "this version does not bound Redis's memory yet",
    "RELAY_WARN_AFTER": "this version notifies nobody yet",
}

_SCHEMA = SettingsSchema()

_MASK = "***"

#: Characters from which on a text in a vendor's answer is surely the credential, and no word of its own.
_SURELY_SECRET = 8


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that prints as stars. `reveal()` is the one way to it."""

    _text: str

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    __str__ = __repr__


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


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the operator decides. Spans are whole milliseconds where the name says so."""

    redis_url: Secret
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
    keep_ms: int
    log_level: str
    crosstrade: CrossTradeSettings | None
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
        if given.get("CROSSTRADE_TRANSPORT") == "websocket":
            mistakes.append("CROSSTRADE_TRANSPORT: websocket is not supported by this version: write http")
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
        return cls(**_settled(values, given))


def _settled(values: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Turn checked values into the fields of `Settings`."""
    warnings = ["this version tells nobody when a cancel fails (RELAY_NOTIFY comes later): watch the log"]
    warnings += [f"{name} has no effect: {why}" for name, why in _WITHOUT_EFFECT.items() if name in given]
    later = sorted(name for name in given if name.startswith(("ALPHAPOINT_", "AUTOSHARES_")))
    warnings += [f"{name} has no effect: this version does not speak to that broker yet" for name in later]
    if values["CROSSTRADE_TOKEN"] is not None and "CROSSTRADE_TIMEZONE" not in given:
        warnings.append(
            "CROSSTRADE_TIMEZONE is unset: order times without an offset are read as UTC, so set it to "
            "NinjaTrader's zone, or a new order can be taken for an old one, and cancelled"
        )
    if values["CROSSTRADE_TOKEN"] is None:
        warnings.append("no vendor is configured, so every alert is refused: set CROSSTRADE_TOKEN")
    return {
        "redis_url": Secret(values["REDIS_URL"]),
        "redis_connections": values["RELAY_REDIS_CONNECTIONS"],
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
        "keep_ms": _ms(values["RELAY_KEEP_DAYS"] * 86_400),
        "log_level": values["LOG_LEVEL"],
        "crosstrade": _crosstrade(values, given),
        "warnings": tuple(warnings),
    }


def _proxies(values: Mapping[str, Any], given: Mapping[str, str]) -> int:
    """Count the proxies that are believed: Heroku's router is one."""
    stated: int | None = values.get("RELAY_TRUSTED_PROXIES")
    return int("DYNO" in given) if stated is None else stated


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
    )


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


class Scrubber:
    """Replace every secret that the relay knows by stars, whoever wrote it into a text."""

    def __init__(self, settings: Settings) -> None:
        """Gather the secrets, in every form in which they may come back."""
        credentials = [each.reveal() for each in settings.secrets]
        # As the operator wrote them, behind `whsec_`.
        credentials += [
            base64.b64encode(bytes.fromhex(each.reveal())).decode() for each in settings.signing_keys
        ]
        if settings.crosstrade:
            credentials.append(settings.crosstrade.token.reveal())
        password = urlsplit(settings.redis_url.reveal()).password or ""
        self._credentials = credentials
        plain = {*credentials, password, unquote(password)} - {""}
        self._known = _all_forms(plain)
        self._in_answers = [each.encode() for each in _all_forms(credentials) if len(each) >= _SURELY_SECRET]

    def scrub(self, text: str) -> str:
        """Give the text without secrets."""
        for secret in self._known:
            text = text.replace(secret, _MASK)
        return text

    def scrub_bytes(self, body: bytes) -> bytes:
        """Give a vendor's answer without secrets, before anybody reads it."""
        for secret in self._in_answers:
            body = body.replace(secret, _MASK.encode())
        return body

    def holds(self, text: str) -> bool:
        """Say whether a text holds a credential of a sender's or a vendor's.

        Redis's password is none: it may be an everyday word, and no sender is given it.
        """
        return any(secret in text for secret in self._credentials)


def _all_forms(secrets: Iterable[str]) -> list[str]:
    """Give all forms of all secrets, the longest first, so that none hides within another."""
    return sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)


def _forms(secret: str) -> set[str]:
    """Give a secret as it may come back: plain, within JSON, within an address, and as base64."""
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        encoded,
    }
