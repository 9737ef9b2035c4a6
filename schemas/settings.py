"""The settings as the environment spells them: one field a name, with its default and its bounds."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

#: Characters of a secret at least: shorter ones can be guessed over the network in a year.
SECRET_CHARACTERS = 16

#: TradingView's senders: https://in.tradingview.com/support/solutions/43000529348
TRADINGVIEW = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")

#: Bytes of a signing key, from and to: the Standard Webhooks specification's own bounds.
_KEY_BYTES = (24, 64)

_ONE_WORD = re.compile(r"[!-~]+")

_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}

#: Where CrossTrade is, over HTTP and over its WebSocket.
_CROSSTRADE = "https://app.crosstrade.io"
_CROSSTRADE_SOCKET = "wss://app.crosstrade.io/ws/stream"


class Listed(fields.Field[tuple[str, ...]]):
    """Words separated by commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401, ARG002 - marshmallow's
        return tuple(each.strip() for each in value.split(",") if each.strip())


class Secrets(Listed):
    """Secrets separated by commas; each long enough, none told in an error."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401 - marshmallow's
        secrets = super()._deserialize(value, attr, data, **kwargs)
        short = [number for number, secret in enumerate(secrets, 1) if len(secret) < SECRET_CHARACTERS]
        if not all(map(_is_utf8, secrets)):
            raise ValidationError("is not UTF-8")
        if short or not secrets:
            which = f" (number {', '.join(map(str, short))})" if len(secrets) > 1 else ""
            raise ValidationError(f"is shorter than {SECRET_CHARACTERS} characters{which}: {HOW_TO_MAKE}")
        return secrets


def _is_utf8(text: str) -> bool:
    """Say whether the environment's bytes were UTF-8; others come as halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class Token(fields.Field[str]):
    """A credential that goes out in a header, which carries printable ASCII alone."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        text = str(value)
        if not (text.isascii() and text.isprintable()):
            raise ValidationError("holds a character that no header can carry, such as a line break")
        return text


class Text(fields.Field[str]):
    """A text of whole characters."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        text = str(value)
        if not _is_utf8(text):
            raise ValidationError("is not UTF-8")
        return text


class Version(fields.Field[str]):
    """The version in an API's address, with or without its v."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        number = str(value).removeprefix("v")
        if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", number):
            raise ValidationError("is not a version such as 1.0")
        return number


class SigningSecrets(Listed):
    """Standard Webhooks secrets: `whsec_` and the base64 of 24 to 64 bytes; the bytes inside."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[bytes, ...]:  # type: ignore[override]  # noqa: ANN401 - marshmallow's; bytes for texts
        keys = []
        for secret in super()._deserialize(value, attr, data, **kwargs):
            try:
                key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
            except (binascii.Error, ValueError):
                key = b""
            if not secret.startswith("whsec_") or not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
                raise ValidationError("must be whsec_ and the base64 of 24 to 64 bytes")
            keys.append(key)
        return tuple(keys)


HOW_TO_MAKE = "make one with `python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`"


class Networks(Listed):
    """Addresses, networks, and the word `tradingview`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[str, ...]:  # noqa: ANN401 - marshmallow's
        networks: list[str] = []
        for word in super()._deserialize(value, attr, data, **kwargs):
            if word.lower() == "tradingview":
                networks.extend(TRADINGVIEW)
                continue
            try:
                networks.append(str(ipaddress.ip_network(word)))
            except ValueError:
                raise ValidationError(
                    f'"{word}" is neither `tradingview` nor a network such as 203.0.113.0/24'
                ) from None
        return tuple(networks)


class VendorUrl(fields.Field[str]):
    """An https address, such as the `example`, or http on this very machine; no user, query or fragment."""

    def __init__(self, example: str, **more: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**more)
        self.example = example

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        text = str(value).strip().rstrip("/")
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            raise ValidationError(f"is not an address such as {self.example}") from None
        if parts.scheme not in {"http", "https"} or not host or not _ONE_WORD.fullmatch(text):
            raise ValidationError(f"is not an address such as {self.example}")
        if parts.scheme == "http" and not _on_loopback(host):
            raise ValidationError(f"http:// would send the credential to {host} unencrypted: write https://")
        # Looked for in the text itself: an empty user before a password, or an empty query, count too.
        if "@" in parts.netloc or "?" in text or "#" in text:
            raise ValidationError("holds more than host, port and path")
        return text


class RelayUrl(VendorUrl):
    """A relay's own address: its senders' secret goes there, and links to its records begin so."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__("https://your-relay.example", **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's
        text = super()._deserialize(value, attr, data, **kwargs)
        if text.endswith("/webhook"):
            raise ValidationError("is the webhook's: write the relay's own address, without /webhook")
        return text


class SocketUrl(VendorUrl):
    """A wss address, or ws on this very machine."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's
        text = str(value).strip()
        if not re.match(r"wss?://", text):
            raise ValidationError(f"is not an address such as {self.example}")
        # The rules of http addresses are those of these: a slash at the end means something here.
        like_http = text.replace("ws", "http", 1)
        try:
            super()._deserialize(like_http, attr, data, **kwargs)
        except ValidationError as failure:
            said = str(failure.messages[0]).replace("http://", "ws://").replace("https://", "wss://")
            raise ValidationError(said) from None
        return text


def _on_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK_NAMES


class RedisUrl(fields.Field[str]):
    """An address of one Redis primary, or of the Sentinels that know it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        text = str(value).strip()
        if re.match(r"rediss?\+sentinel:", text):
            return _sentinels(text)
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            parts, host = urlsplit(""), None
        if parts.scheme not in {"redis", "rediss", "unix"} or not (
            host or (parts.scheme == "unix" and parts.path)
        ):
            raise ValidationError(
                "is not an address such as redis://host:6379/0, rediss://…, unix:///path.sock, or "
                "redis+sentinel://host:26379,host:26379/service; a Cluster is not supported"
            )
        if re.search(r"[?&]ssl_cert_reqs=(?!none|required|optional)", text):
            raise ValidationError("ssl_cert_reqs is none, optional or required")
        return text


def _sentinels(text: str) -> str:
    """Check the address of several Sentinels, each with or without a port, and the service they watch."""
    parts = urlsplit(text)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    whole = all(re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:\[\]]+)(:[0-9]{1,5})?", each) for each in hosts)
    if not (whole and re.fullmatch(r"[\w.-]+", service) and re.fullmatch(r"[0-9]{0,3}", database)):
        raise ValidationError(
            "is not an address such as redis+sentinel://:password@host:26379,host:26379/service/0"
        )
    return text


class Zone(fields.Field[str]):
    """A time zone's name."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        try:
            ZoneInfo(value.strip())
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValidationError('is not a time zone such as "UTC" or "America/Chicago"') from None
        return str(value.strip())


def _seconds(default: str, least: str, most: str, unit: str = "seconds") -> fields.Decimal:
    wrong = f"must be a number of {unit} from {least} to {most}"
    return fields.Decimal(
        load_default=Decimal(default),
        validate=validate.Range(Decimal(least), Decimal(most), error=wrong),
        error_messages={"invalid": wrong, "special": wrong},
    )


def _count(default: int | None, least: int, most: int) -> fields.Integer:
    wrong = f"must be a whole number from {least} to {most}"
    return fields.Integer(
        load_default=default,
        validate=validate.Range(least, most, error=wrong),
        error_messages={"invalid": wrong},
    )


def _one_of(*choices: str) -> fields.String:
    return fields.String(
        load_default=choices[0],
        validate=validate.OneOf(choices, error=f"must be one of {', '.join(choices)}"),
    )


class SettingsSchema(Schema):
    """Every setting of the relay."""

    class Meta:
        # The environment holds much that is not ours; `relay.settings` names what looks like ours.
        unknown = EXCLUDE

    PORT = _count(8000, 1, 65535)
    WEB_CONCURRENCY = _count(2, 1, 64)
    REDIS_URL = RedisUrl(
        required=True,
        error_messages={
            "required": "is missing: set it to a Redis (redis://host:6379/0; on Heroku the Key-Value Store "
            "add-on sets it), or try the relay with a Redis of its own by `python -m relay run`"
        },
    )
    RELAY_REDIS_CONNECTIONS = _count(None, 1, 1000)
    RELAY_SECRET = Secrets(
        required=True,
        error_messages={"required": f"is missing: without it anyone could cancel; {HOW_TO_MAKE}"},
    )
    RELAY_SIGNING_SECRET = SigningSecrets(load_default=())
    RELAY_ALLOW_FROM = Networks(load_default=())
    RELAY_TRUSTED_PROXIES = _count(None, 0, 10)
    RELAY_CLIENT_CERT_HEADER = fields.String(load_default=None)
    RELAY_URL = RelayUrl(load_default=None)
    RELAY_REPLY_WITHIN = _seconds("2.5", "0.2", "30")
    RELAY_MAX_AGE = _seconds("60", "1", "86400")
    RELAY_ID_TTL = _seconds("86400", "1", "2592000")
    RELAY_CONTENT_TTL = _seconds("30", "0", "86400")
    RELAY_LEASE = _seconds("5", "1", "60")
    RELAY_KEEP_DAYS = _seconds("7", "1", "3650", "days")
    RELAY_KEEP_MB = _count(None, 1, 1_000_000)
    RELAY_WARN_AFTER = _seconds("15", "1", "3600")
    RELAY_ADMIN_PASSWORD = fields.String(load_default=None)
    # Split and read by `relay.service`, as Apprise does: its URLs may hold commas.
    RELAY_NOTIFY = Text(load_default=None)
    RELAY_CONFIG = fields.String(load_default=None)
    LOG_LEVEL = _one_of("INFO", "DEBUG", "WARNING", "ERROR")

    CROSSTRADE_TOKEN = Token(load_default=None)
    CROSSTRADE_URL = VendorUrl(_CROSSTRADE, load_default=_CROSSTRADE)
    CROSSTRADE_TRANSPORT = _one_of("http", "websocket")
    CROSSTRADE_WS_URL = SocketUrl(_CROSSTRADE_SOCKET, load_default=_CROSSTRADE_SOCKET)
    CROSSTRADE_WS_OPEN = _one_of("on-use", "always")
    CROSSTRADE_BURST = _count(20, 1, 10_000_000)
    CROSSTRADE_PER_SECOND = _seconds("3", "0.01", "10000000", "calls a second")
    CROSSTRADE_TIMEZONE = Zone(load_default="UTC")

    ALPHAPOINT_URL = VendorUrl("https://api.ndax.io:8443/AP", load_default=None)
    ALPHAPOINT_API_KEY = Token(load_default=None)
    ALPHAPOINT_API_SECRET = Text(load_default=None)
    ALPHAPOINT_USER_ID = _count(None, 1, 2**63 - 1)
    ALPHAPOINT_USERNAME = Text(load_default=None)
    ALPHAPOINT_PASSWORD = Text(load_default=None)
    ALPHAPOINT_OMS_ID = _count(1, 1, 2**31 - 1)
    ALPHAPOINT_TRANSPORT = _one_of("http", "websocket")
    ALPHAPOINT_WS_URL = SocketUrl("wss://api.ndax.io/WSGateway/", load_default=None)
    ALPHAPOINT_WS_OPEN = _one_of("on-use", "always")
    ALPHAPOINT_CANCEL = _one_of("by-order", "bulk")

    AUTOSHARES_URL = VendorUrl("https://api.autoshares.com", load_default=None)
    AUTOSHARES_APP_KEY = Token(load_default=None)
    AUTOSHARES_USERNAME = Token(load_default=None)
    AUTOSHARES_PASSWORD = Token(load_default=None)
    AUTOSHARES_VERSION = Version(load_default="1.0")
    AUTOSHARES_CONFIRM = _one_of("oms", "venue")
    AUTOSHARES_PER_MINUTE = _count(50, 1, 100_000)
