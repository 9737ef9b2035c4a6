"""A line to a vendor without a network: each call is answered by a rule and kept, over a real ledger."""

import itertools
from collections.abc import Callable, Mapping

from relay.alarm import Alarm
from relay.alert import Alert
from relay.breaker import Breaker
from relay.budget import Budget, Rate, Window
from relay.cancel import Cancel
from relay.converse import Conversations, Line
from relay.ledger import Held, Key, Ledger
from relay.outcome import Progress
from relay.record import Record
from relay.scrubber import Scrubber
from relay.session import Session
from relay.settings import Settings
from relay.vendor import Answer, Call, Clearance, LoggedIn, Vendor
from tests.running import SECRET

#: Names the credential in the ledger.
CREDENTIAL = "one"

Rule = Callable[[Call, Mapping[str, str]], Answer]


def some_settings(url: str, **more: str) -> Settings:
    """Give the settings of a relay with a short lease, whose Redis is there."""
    return Settings.read({"REDIS_URL": url, "RELAY_SECRET": SECRET, "RELAY_LEASE": "1", **more})


class Scripted:
    """A transport that answers by a rule, and keeps each call with the session that it was one of."""

    def __init__(self, rule: Rule) -> None:
        """Take the rule; it may raise what a transport raises."""
        self.calls: list[Call] = []
        self.sessions: list[dict[str, str]] = []
        self._rule = rule

    def carry(self, call: Call, *, session: LoggedIn | None, within_s: float, clearance: Clearance) -> Answer:
        """Carry the call to the rule."""
        assert within_s > 0
        clearance()
        headers = dict(session.headers) if session else {}
        self.calls.append(call)
        self.sessions.append(headers)
        return self._rule(call, headers)

    def holds(self, session: LoggedIn) -> bool:  # noqa: ARG002 - the same for all
        """Say yes: no session lives in a connection."""
        return True

    def ready(self, *, session: LoggedIn | None, within_s: float) -> None:
        """Open nothing: no call needs a connection."""

    def close(self) -> None:
        """Close nothing."""

    def shown(self, call: Call) -> Mapping[str, object]:
        """Show no more than the path."""
        return {"method": call.method, "url": call.path}

    def paths(self, *, to: str = "") -> list[str]:
        """Give the paths that were called, all of them or those that begin so."""
        return [call.path for call in self.calls if call.path.startswith(to)]


class Stage:
    """A line, its ledger and a record in hand: what a conversation is held with."""

    def __init__(
        self,
        url: str,
        vendor: Vendor,
        rule: Rule,
        *,
        limits: Mapping[str, Rate | Window] | None = None,
        lease_s: int = 5,
    ) -> None:
        """Put it together; no call is made."""
        settings = some_settings(url, RELAY_LEASE=str(lease_s))
        self.scrubber = Scrubber(settings)
        self.ledger = Ledger(settings)
        self.transport = Scripted(rule)
        self.session = Session(vendor, CREDENTIAL, self.ledger, self.scrubber)
        self.line = Line(
            vendor,
            self.transport,
            Budget(CREDENTIAL, limits or {}),
            self.session,
            Alarm(),
            Breaker(vendor.name),
        )
        self._numbers = itertools.count(1)

    def hold(self, cancel: Cancel, *, came_ms_ago: int = 0) -> Held:
        """Claim an alert that means one cancel, and give its record in hand."""
        number = next(self._numbers)
        accounts = () if cancel.account is None else (cancel.account,)
        alert = Alert(vendor=cancel.vendor, accounts=accounts, scope="account")
        progress = Progress()
        record = Record(
            f"{number:032x}", "default", alert, [(cancel, progress)], 60_000, "content", "request-1"
        )
        held = self.ledger.claim(record, Key("default", f"{number}", "c" * 64, 30_000)).held
        assert held is not None
        record.received_ms -= came_ms_ago
        return held

    def talk(self, held: Held) -> Conversations:
        """Give the conversations of a record in hand."""
        return Conversations(self.line, self.ledger, held, self.scrubber)

    def carry(self, call: Call) -> Answer:
        """Carry one call as a log-in's are carried."""
        return self.transport.carry(call, session=None, within_s=1, clearance=lambda: None)
