"""Look at what the relay was given: the settings, its Redis, and a read-only call at each vendor."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from relay.compose import Relay
from relay.converse import CALL_SHARE, Line
from relay.errors import NotReady, VendorError
from relay.messenger import try_out
from relay.service import Message, Service
from relay.settings import AlphaPointSettings, Settings, SocketSettings
from relay.vendor import Answer, Call, LoggedIn, cleared, held

#: Seconds that a vendor may take to list its accounts.
ANSWER_WITHIN = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A line for the operator, and whether what it tells of is in order."""

    words: str
    good: bool = True


def settings_on(settings: Settings) -> Iterator[str]:
    """Tell what is on, a line each, without a secret."""
    address = _address(settings.redis_url.reveal())
    yield f"Redis: {address}, {settings.redis_connections} connections a process"
    yield f"Secrets of senders: {len(settings.secrets)}, signing keys: {len(settings.signing_keys)}"
    networks = len(settings.allow_from)
    yield f"Senders' addresses: {f'{networks} networks allowed' if networks else 'any'}"
    yield (
        f"Answers within {settings.reply_within_ms / 1000:g} s; "
        f"an alert may be {settings.max_age_ms / 1000:g} s old"
    )
    if settings.crosstrade:
        vendor = settings.crosstrade
        limit = f"{vendor.burst} calls at once, then {vendor.per_second} a second"
        yield f"CrossTrade: {vendor.url}{_socket(vendor.socket)}, {limit}"
    if settings.alphapoint:
        yield _alphapoint(settings.alphapoint)
    if settings.autoshares:
        broker = settings.autoshares
        proof = "the venue" if broker.at_venue else "its order system"
        yield f"Autoshares: {broker.url}, {broker.per_minute} cancels a minute, each answered by {proof}"
    if settings.notify:
        yield f"Tells the trader by service {', '.join(each.name for each in settings.notify)}"
    for warning in settings.warnings:
        yield f"Warning: {warning}"


def outside(relay: Relay) -> Iterator[Finding]:
    """Ask Redis, then each vendor; nothing is written, nothing is cancelled."""
    yield _redis(relay)
    yield from _connections(relay)
    for line in relay.lines.values():
        yield _vendor(relay, line)
    for service in relay.settings.notify:
        yield _service(relay, service)


def told(relay: Relay) -> Iterator[Finding]:
    """Send a test message to each service that tells the trader, and say which took it."""
    if not relay.settings.notify:
        yield Finding("Nobody would be told when a cancel fails: set RELAY_NOTIFY.", good=False)
    body = "This is a test. So you will be told when a cancel fails, or is not proven in time."
    for service in relay.settings.notify:
        failure = try_out(service, Message("Cancel Relay tells you", body, good=True))
        words = relay.scrubber.scrub(failure or "")
        try:
            relay.outbox.service(service.name, "failed" if failure else "took", words)
        except NotReady:
            words += " (Redis does not answer, so nobody remembers it)" * bool(failure)
        if failure:
            yield Finding(f"Service {service.name} did NOT take the test message: {words}", good=False)
        else:
            yield Finding(f"Service {service.name} took the test message: look whether it arrived.")


def _service(relay: Relay, service: Service) -> Finding:
    """Tell how a service did, as whoever handed it messages noted."""
    try:
        state = relay.outbox.service(service.name)
    except NotReady:
        return Finding(f"Service {service.name}: how it did is in Redis, which does not answer", good=False)
    if state.failing_since_ms:
        since = f"has failed {state.times} times since {_moment(state.failing_since_ms)}"
        return Finding(f"Service {service.name} {since}: {state.words}", good=False)
    if not state.took_ms:
        return Finding(f"Service {service.name} was given nothing yet: try it by check --notify.")
    return Finding(f"Service {service.name} took a message on {_moment(state.took_ms)}.")


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _redis(relay: Relay) -> Finding:
    began = time.monotonic()
    try:
        relay.ledger.now_ms()
    except NotReady as failure:
        why = relay.scrubber.scrub(str(failure.__cause__))
        return Finding(f"Redis does not answer: {why}", good=False)
    answer = f"Redis answers in {(time.monotonic() - began) * 1000:.1f} ms"
    found = relay.ledger.persistence()
    if found is None:
        return Finding(f"{answer}. It does not tell whether it persists: its plan has to say so.")
    wrong = []
    if not found.keeps:
        wrong.append("does not persist: alerts under way are lost with it")
    if found.evicts:
        wrong.append("evicts keys when it is full: set maxmemory-policy noeviction")
    if wrong:
        return Finding(f"{answer}, but {', and '.join(wrong)}.", good=False)
    return Finding(f"{answer}, persists and evicts nothing.")


def _connections(relay: Relay) -> Iterator[Finding]:
    """Say where Redis allows fewer connections than one dyno and a worker open during a deploy."""
    settings = relay.settings
    processes = settings.web_processes + 1
    most = 2 * processes * settings.redis_connections
    try:
        allowed = relay.ledger.connections_allowed()
    except NotReady:
        return
    if allowed is None or most <= allowed:
        return
    fitting = max(1, allowed // (2 * processes))
    yield Finding(
        f"Redis allows {allowed} connections, and {settings.web_processes} web processes and a worker open "
        f"up to {most} during a deploy, when old and new run side by side: set RELAY_REDIS_CONNECTIONS to "
        f"{fitting}, or less where there are more dynos.",
        good=False,
    )


def _alphapoint(settings: AlphaPointSettings) -> str:
    who = f"user {settings.user_id} by API key" if settings.api_key else f"{settings.username} by password"
    how = "in one call, as up to version 3.2" if settings.bulk else "order by order"
    where = f"{settings.url or ''}{_socket(settings.socket)}".removeprefix(" and ")
    return f"AlphaPoint: {where}, OMS {settings.oms_id}, {who}; an instrument is cancelled {how}"


def _socket(settings: SocketSettings | None) -> str:
    if settings is None:
        return ""
    return f" and {settings.url}, open {'always' if settings.always_open else 'from the first call on'}"


def _vendor(relay: Relay, line: Line) -> Finding:
    """Ask for the accounts, outside the rate budget; a log-in waits its turn, as everybody's does."""

    def carry(call: Call) -> Answer:
        return carried(call, None)

    def carried(call: Call, session: LoggedIn | None) -> Answer:
        # A turn to log in lasts a lease: one that takes longer is somebody else's turn, too.
        within_s = ANSWER_WITHIN if session else min(ANSWER_WITHIN, relay.ledger.lease_s * CALL_SHARE)
        return line.transport.carry(call, session=session, within_s=within_s, clearance=cleared)

    try:
        session = line.session.get(carry)
        accounts = held(line.vendor.accounts(), lambda call: carried(call, session))
        line.transport.ready(session=session, within_s=ANSWER_WITHIN)
    except VendorError as failure:
        return Finding(f"{line.vendor.name}: {relay.scrubber.scrub(failure.words)}", good=False)
    except NotReady:
        words = "not asked, since log-ins take turns in Redis, which does not answer"
        return Finding(f"{line.vendor.name}: {words}", good=False)
    names = ", ".join(map(str, accounts)) or "none"
    return Finding(f"{line.vendor.name} answers. Accounts: {names}.")


def _address(url: str) -> str:
    """Give a Redis address without user, password and options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
