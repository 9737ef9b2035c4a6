"""Put the relay together from its settings: the one place where collaborators are made."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

from relay import log
from relay.alarm import Alarm
from relay.breaker import Breaker
from relay.budget import Budget, Rate, Window
from relay.converse import Line
from relay.heartbeat import Heartbeat
from relay.keep_open import KeepOpen
from relay.lane import Lanes
from relay.ledger import Ledger
from relay.messenger import Messenger
from relay.news import News
from relay.outages import Outages
from relay.outbox import Outbox
from relay.scrubber import Scrubber
from relay.session import Session
from relay.settings import (
    AlphaPointSettings,
    AutosharesSettings,
    CrossTradeSettings,
    Settings,
    SocketSettings,
)
from relay.transport import Transport
from relay.transports.http import HttpTransport
from relay.transports.websocket import WebSocketTransport
from relay.vendor import Frames, Vendor
from relay.vendors.alphapoint import AlphaPoint, ApiKey, Password
from relay.vendors.alphapoint_frames import AlphaPointFrames
from relay.vendors.autoshares import Autoshares
from relay.vendors.crosstrade import CrossTrade
from relay.vendors.crosstrade_frames import CrossTradeFrames
from relay.worker import Worker

#: Log-ins of one credential: two below what Autoshares allows, and enough for any server that is well.
_LOG_INS = Window(8, 60)

#: Looks at orders that Autoshares allows a user (pages/rate-limits).
_AUTOSHARES_READS = Window(120, 60)

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Relay:
    """All that a web process or a worker is made of. Until `start` no thread runs and no socket is open."""

    settings: Settings
    scrubber: Scrubber
    ledger: Ledger
    lines: dict[str, Line]
    lanes: Lanes
    worker: Worker
    outbox: Outbox
    heartbeat: Heartbeat
    keep_open: KeepOpen

    def start(self) -> None:
        """Start the threads of a process that takes alerts; what is due is worked on, too."""
        self.worker.start()
        self.heartbeat.start()
        self.keep_open.start()

    def stop(self) -> None:
        """Let what runs come to the end of its visit, and leave no thread and no connection behind."""
        self.heartbeat.stop()
        self.keep_open.stop()
        self.worker.stop()
        for line in self.lines.values():
            line.transport.close()
            line.alarm.stop()
        self.keep_open.join()
        self.ledger.close()


def compose(settings: Settings) -> Relay:
    """Make the collaborators, and let the log know what must not stand in it."""
    scrubber = Scrubber(settings)
    log.configure(settings.log_level, scrubber)
    ledger = Ledger(settings)
    lines = {}
    for found in (
        settings.crosstrade and _crosstrade(settings.crosstrade),
        settings.alphapoint and _alphapoint(settings.alphapoint),
        settings.autoshares and _autoshares(settings.autoshares),
    ):
        if found:
            line = _line(found, ledger, scrubber)
            lines[line.vendor.name] = line
    lanes = Lanes(lines, ledger, scrubber, settings.room.lane(len(lines)))
    outbox = Outbox(ledger)
    worker = Worker(
        ledger,
        lanes,
        settings.keep_mb,
        Messenger(outbox, settings.notify, scrubber, settings.url),
        Outages(outbox, [line.breaker for line in lines.values()], scrubber),
    )
    always = {
        "crosstrade": settings.crosstrade and settings.crosstrade.socket,
        "alphapoint": settings.alphapoint and settings.alphapoint.socket,
    }
    open_lines = [lines[name] for name, way in always.items() if way and way.always_open]
    keep_open = KeepOpen(open_lines, ledger, scrubber)
    heartbeat = Heartbeat(outbox)
    return Relay(settings, scrubber, ledger, lines, lanes, worker, outbox, heartbeat, keep_open)


@dataclass(frozen=True, slots=True)
class _Way:
    """A vendor, where it is, what every call carries, and what it allows."""

    vendor: Vendor
    #: None: over its WebSocket alone.
    url: str | None
    headers: Mapping[str, str]
    budget: Budget
    socket: SocketSettings | None = None
    frames: Frames | None = None


def _transport(way: _Way, alarm: Alarm, news: News) -> Transport:
    http = None if way.url is None else HttpTransport(way.url, way.headers, alarm)
    if way.socket and way.frames:
        return WebSocketTransport(way.socket.url, way.headers, way.frames, http, news.tell)
    if http is None:
        raise AssertionError(f"{way.vendor.name} has no address")
    return http


def _line(way: _Way, ledger: Ledger, scrubber: Scrubber) -> Line:
    alarm, news = Alarm(), News()
    return Line(
        way.vendor,
        _transport(way, alarm, news),
        way.budget,
        Session(way.vendor, way.budget.credential, ledger, scrubber),
        alarm,
        Breaker(way.vendor.name),
        news=news,
    )


def _crosstrade(settings: CrossTradeSettings) -> _Way:
    token = settings.token.reveal()
    return _Way(
        CrossTrade(settings.timezone, zone_is_sure=settings.timezone_is_sure),
        settings.url,
        {"Authorization": f"Bearer {token}"},
        Budget(_hashed("crosstrade", token), {"": Rate(settings.burst, settings.per_second)}),
        settings.socket,
        CrossTradeFrames(),
    )


def _alphapoint(settings: AlphaPointSettings) -> _Way:
    credential: ApiKey | Password
    if settings.api_key and settings.api_secret and settings.user_id:
        credential = ApiKey(settings.api_key.reveal(), settings.api_secret.reveal(), settings.user_id)
        known_by = f"{credential.user_id} {credential.key} {credential.secret}"
    else:
        password = settings.password.reveal() if settings.password else ""
        credential = Password(settings.username or "", password)
        known_by = f"{credential.username} {password}"
    return _Way(
        AlphaPoint(credential, settings.oms_id, reads_all_keys=settings.bulk, nonce=_milliseconds),
        settings.url,
        {},
        Budget(_hashed("alphapoint", f"{settings.address} {known_by}"), {"log-ins": _LOG_INS}),
        settings.socket,
        AlphaPointFrames(settings.oms_id),
    )


def _autoshares(settings: AutosharesSettings) -> _Way:
    key, password = settings.app_key.reveal(), settings.password.reveal()
    limits = {
        "log-ins": _LOG_INS,
        "reads": _AUTOSHARES_READS,
        "cancels": Window(settings.per_minute, _MINUTE_S),
    }
    return _Way(
        Autoshares(settings.username, password, version=settings.version, at_venue=settings.at_venue),
        settings.url,
        {"Et-App-Key": key},
        Budget(_hashed("autoshares", f"{settings.url} {key} {settings.username} {password}"), limits),
    )


def _milliseconds() -> str:
    """Give a number that is used once: larger each time, as some servers may want it."""
    return str(time.time_ns() // 1_000_000)


def _hashed(vendor: str, credential: str) -> str:
    """Name a credential in Redis without telling it."""
    return f"{vendor}:{hashlib.sha256(credential.encode()).hexdigest()[:16]}"
