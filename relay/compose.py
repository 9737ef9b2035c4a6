"""Put the relay together from its settings: the one place where collaborators are made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from relay import log
from relay.alarm import Alarm
from relay.converse import Budget, Line
from relay.lane import Lanes
from relay.ledger import Ledger
from relay.settings import CrossTradeSettings, Scrubber, Settings
from relay.transports.http import HttpTransport
from relay.vendors.crosstrade import CrossTrade
from relay.worker import Worker


@dataclass(frozen=True, slots=True)
class Relay:
    """All that a web process or a worker is made of. Nothing is started, no socket is open."""

    settings: Settings
    scrubber: Scrubber
    ledger: Ledger
    lines: dict[str, Line]
    lanes: Lanes
    worker: Worker


def compose(settings: Settings) -> Relay:
    """Make the collaborators, and let the log know what must not stand in it."""
    scrubber = Scrubber(settings)
    log.configure(settings.log_level, scrubber)
    ledger = Ledger(settings)
    lines = {}
    if settings.crosstrade:
        lines["crosstrade"] = _crosstrade(settings.crosstrade, Alarm())
    lanes = Lanes(lines, ledger, scrubber)
    return Relay(settings, scrubber, ledger, lines, lanes, Worker(ledger, lanes))


def _crosstrade(settings: CrossTradeSettings, alarm: Alarm) -> Line:
    token = settings.token.reveal()
    return Line(
        CrossTrade(settings.timezone, zone_is_sure=settings.timezone_is_sure),
        HttpTransport(settings.url, {"Authorization": f"Bearer {token}"}, alarm),
        Budget(_hashed("crosstrade", token), settings.burst, settings.per_second),
        alarm,
    )


def _hashed(vendor: str, credential: str) -> str:
    """Name a credential's budget in Redis without telling the credential."""
    return f"{vendor}:{hashlib.sha256(credential.encode()).hexdigest()[:16]}"
