"""Who sent it, and what may that sender do."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from relay.errors import Forbidden, HttpsRequired, Unauthenticated
from relay.settings import Secret, Settings

#: Seconds by which a signature's timestamp may differ from now, either way (Standard Webhooks).
SIGNATURE_S = 300

#: The sender whom RELAY_SECRET makes; it may do everything.
DEFAULT_SENDER = "default"

#: The subject of TradingView's certificate: https://www.tradingview.com/support/solutions/43000680459/
#: A comma behind a backslash belongs to another name's value (RFC 4514).
_TRADINGVIEW = re.compile(r"(?:^|(?<!\\)[,/])\s*CN\s*=\s*TradingView Webhooks\s*(?:$|[,/])")

_UNIX_TIME = re.compile(r"[0-9]{1,11}")

#: Where a body that cannot be read may still name its secret: `"secret": "…"`, `key=…;`, in any quotes.
_NAMED_SECRET = re.compile(
    r"""(?<![\w-])(?:secret|key)["“”„]?\s*[:=]\s*["“”„]?(?P<secret>[^"“”„;&,\s]+)""", re.IGNORECASE
)

#: Secrets that are looked for in such a body at most.
_NAMED_AT_MOST = 4

_SIGNED_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True, slots=True)
class Sender:
    """Someone who proved a credential. `signed_id` is the `webhook-id` that the signature covers."""

    name: str
    signed_id: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from, as far as the trusted proxies say."""

    address: str
    over_https: bool | None
    certificate: str | None


class Authenticator:
    """Check credentials in constant time, on bytes, every one of them each time."""

    def __init__(self, settings: Settings) -> None:
        """Take the secrets and what a sender must come from."""
        self._digests = [_digest(each.reveal().encode()) for each in settings.secrets]
        self._signing_keys: tuple[Secret, ...] = settings.signing_keys
        self._networks = [ipaddress.ip_network(each) for each in settings.allow_from]
        self._wants_certificate = settings.client_cert_header is not None

    def by_header(self, headers: Mapping[str, str], body: bytes, now_s: float) -> Sender | None:
        """Give the sender whom a header proves, None when no header holds a credential.

        Raises `Unauthenticated` for a credential that is wrong.
        """
        authorization = headers.get("Authorization")
        bearer = None if authorization is None else self._bearer(authorization)
        if any(name in headers for name in _SIGNED_HEADERS):
            return self._signed(headers, body, now_s)
        return bearer

    def by_body(self, secret: object, already: Sender | None) -> Sender:
        """Give the sender whom the body's secret proves; it may not disagree with a header's.

        Raises `Unauthenticated` where neither proves anyone, or the two are at odds.
        """
        if secret is None:
            if already is None:
                raise Unauthenticated
            return already
        if not isinstance(secret, str):
            raise Unauthenticated
        sender = self._known(secret.encode())
        if already is not None and already.name != sender.name:
            raise Unauthenticated
        return already or sender

    def by_unreadable(self, body: bytes) -> Sender | None:
        """Give the sender whose secret stands in a body that cannot be read; None where there is none.

        It lets nobody in: it says whom to tell that his alert was not taken.
        """
        found = itertools.islice(_NAMED_SECRET.finditer(body.decode(errors="replace")), _NAMED_AT_MOST)
        for each in found:
            with contextlib.suppress(Unauthenticated):
                return self._known(each["secret"].encode())
        return None

    def require_https(self, origin: Origin) -> None:
        """Refuse what the trusted proxy says came unencrypted; raise `HttpsRequired`."""
        if origin.over_https is False:
            raise HttpsRequired(
                "It came over plain http, so the secret could be read on the way: "
                "write https:// in the address, and change the secret."
            )

    def admit(self, origin: Origin) -> None:
        """Let a known sender's alert in; raise `HttpsRequired` or `Forbidden`."""
        self.require_https(origin)
        if self._wants_certificate and not _TRADINGVIEW.search(origin.certificate or ""):
            raise Forbidden("The client certificate is not TradingView's, which this relay asks for.")
        if self._networks and not self._allowed(origin.address):
            raise Forbidden(
                f"The address {origin.address} is not among those that this relay takes alerts from."
            )

    def _bearer(self, authorization: str) -> Sender:
        # Header text is latin-1 on the wire (PEP 3333), and a secret may be UTF-8: stripped of its own
        # blanks only, since strip() also takes the no-break space that ends "à".
        scheme, _, secret = authorization.strip(" \t").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated
        return self._known(secret.strip(" \t").encode("latin-1", "surrogateescape"))

    def _known(self, given: bytes) -> Sender:
        digest = _digest(given)
        matches = [hmac.compare_digest(digest, known) for known in self._digests]
        if not any(matches):
            raise Unauthenticated
        return Sender(DEFAULT_SENDER)

    def _signed(self, headers: Mapping[str, str], body: bytes, now_s: float) -> Sender:
        """Check a Standard Webhooks signature over the raw body.

        https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        """
        message_id, timestamp, signatures = (headers.get(name, "") for name in _SIGNED_HEADERS)
        if not message_id or not _UNIX_TIME.fullmatch(timestamp):
            raise Unauthenticated
        signed = b".".join((message_id.encode("latin-1", "replace"), timestamp.encode(), body))
        given = [_signature(each) for each in signatures.split(" ")]
        expected = [
            hmac.new(bytes.fromhex(key.reveal()), signed, hashlib.sha256).digest()
            for key in self._signing_keys
        ]
        matches = [hmac.compare_digest(theirs, ours) for theirs in given for ours in expected]
        if not any(matches) or abs(now_s - int(timestamp)) > SIGNATURE_S:
            raise Unauthenticated
        return Sender(DEFAULT_SENDER, signed_id=message_id)

    def _allowed(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._networks)


def _digest(secret: bytes) -> bytes:
    # Digests are of one length, so that comparing tells nothing of a secret's length either.
    return hashlib.sha256(secret).digest()


def _signature(given: str) -> bytes:
    version, _, encoded = given.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def origin_of(
    headers: Mapping[str, str], peer: str | None, *, trusted_proxies: int, certificate_header: str | None
) -> Origin:
    """Give a request's origin: of `X-Forwarded-For` only what the trusted proxies added is believed."""
    if trusted_proxies == 0:
        certificate = headers.get(certificate_header) if certificate_header else None
        return Origin(peer or "", None, certificate)
    hops = [each.strip() for each in headers.get("X-Forwarded-For", "").split(",") if each.strip()]
    address = hops[-trusted_proxies] if len(hops) >= trusted_proxies else (peer or "")
    # Each proxy adds its word, or the last one's stands alone: the sender's own connection counts.
    protos = headers.get("X-Forwarded-Proto", "").lower().split(",")[-trusted_proxies:]
    over_https = protos[0].strip() == "https" if "X-Forwarded-Proto" in headers else None
    certificate = headers.get(certificate_header) if certificate_header else None
    return Origin(address, over_https, certificate)
