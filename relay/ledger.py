"""Claim, settle, take over: every touch of Redis, and its few scripts.

The record is the claim. Times and leases are told by Redis's clock, inside the scripts, so that a
machine whose clock is ahead cannot steal work that is alive. A record that is held has a token; only
its holder can write it, and whoever finds a token on a record that is due knows that the holder died
or was paused in mid work.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import redis

from relay import log, notify
from relay.budget import Budget, Rate, Window
from relay.errors import LeaseEnded, NotReady
from relay.primary import connect
from relay.record import Record
from relay.settings import Settings

#: Milliseconds by which an alert's timestamp may lie in the future: clocks differ.
AHEAD_MS = 30_000

#: Wrong credentials an address may send within STRIKES_MS before it is told to wait.
STRIKES = 20
STRIKES_MS = 60_000

#: Milliseconds for which a refused credential is not tried again: doubled each time, up to the longest.
REFUSED_MS = 60_000
REFUSED_MOST_MS = 3_600_000

#: Milliseconds of rest after a log-in that came to nothing, for all processes: doubled each time, up to the
#: longest, so that a vendor that is away for a minute uses up no limit on log-ins.
LOG_IN_REST_MS = 1_000
LOG_IN_REST_MOST_MS = 10_000

#: Milliseconds by which a window is longer than the vendor's: a call may reach him later than the next.
_WINDOW_MARGIN_MS = 1_000

_AWAY = (
    "Redis cannot be reached, so nothing was recorded for certain and nothing was sent: "
    "sending the alert again is safe."
)

#: One part in so many of a limit is left alone by reads, so that no cancel waits for read-backs.
_RESERVED_PART = 4

_PREFIX = "relay:"
_RECORD = _PREFIX + "alert:"
_DUE = _PREFIX + "due"
_INDEX = _PREFIX + "alerts"
_REFUSED = _PREFIX + "refused:"

#: Ended alerts that give way at a time, and among how many of the oldest they are looked for.
_GIVE_WAY = 100
_GIVE_WAY_AMONG = 10_000

_MB = 1024 * 1024

_NOTICES = _PREFIX + "notices"

#: Notices kept that nobody has taken: where nobody is told, they must not fill Redis.
_NOTICES_KEPT = 1_000

#: What `outbox` has to know, which keeps keys of its own beside these.
PREFIX, RECORD, ALERTS, REFUSED = _PREFIX, _RECORD, _INDEX, _REFUSED
NOTICES, NOTICES_KEPT = _NOTICES, _NOTICES_KEPT

_SCRIPTS = Path(__file__).parent / "scripts"

#: A place in a list of records: the ms in which one was received, and its alert's id.
Mark = tuple[int, str]


class Hold(StrEnum):
    """What a settle leaves behind: the record held on, due later, or ended."""

    HOLD = "hold"
    LATER = "later"
    END = "end"


@dataclass(frozen=True, slots=True)
class Persistence:
    """Whether Redis writes what it is told to disk, and whether it forgets keys when its memory is full."""

    keeps: bool
    evicts: bool


@dataclass(frozen=True, slots=True)
class Key:
    """What an alert is known by when it comes again. `ttl_ms` 0: it is not de-duplicated."""

    sender: str
    value: str
    content: str
    ttl_ms: int

    def name(self) -> str:
        """Give the name in Redis: a hash, since a key is the sender's own text."""
        if self.ttl_ms == 0:
            return ""
        return f"{_PREFIX}key:{hashlib.sha256(f'{self.sender} {self.value}'.encode()).hexdigest()}"


class Claimed(StrEnum):
    """What came of a claim."""

    CLAIMED = "claimed"
    DUPLICATE = "duplicate"
    REUSED = "reused"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer to a claim, at `now_ms`: the record in hand, or one that waits; the first; or the age."""

    result: Claimed
    now_ms: int
    held: Held | None = None
    record: Record | None = None
    age_ms: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether it is one's turn to log in; if not, whether the credential was refused, and for how long."""

    mine: bool
    refused: bool
    wait_ms: int


class Held:
    """A record in hand. `interrupted`: its last holder died or was paused in mid work."""

    def __init__(self, ledger: Ledger, record: Record, token: str, now_ms: int, since: float) -> None:
        """Take the record, as of `now_ms`; `since` is the local clock before Redis was asked."""
        self.record = record
        self.token = token
        self.interrupted = False
        self._ledger = ledger
        self._lock = threading.RLock()
        self._ends = since + ledger.lease_s
        #: Redis's time in ms, and the local clock when it was asked: one pair, so that none reads half of it.
        self._told = (now_ms, since)

    def now_ms(self) -> int:
        """Give Redis's time: as it last told it, and what has passed here since."""
        now_ms, at = self._told
        return now_ms + int((time.monotonic() - at) * 1000)

    def left_s(self) -> float:
        """Give the seconds that the lease has left at least."""
        return self._ends - time.monotonic()

    def clearance(self) -> None:
        """Stand before each write to a vendor: raise `LeaseEnded` when the lease is over."""
        if self.left_s() <= 0:
            raise LeaseEnded

    def keep(self, needed_s: float) -> None:
        """Make sure the lease lasts for `needed_s`; what is known so far is written on the way."""
        with self._lock:
            if self.left_s() < needed_s:
                self.save()

    def note(self, step: str, **facts: Any) -> None:  # noqa: ANN401 - any JSON value
        """Add a step to the record's history."""
        with self._lock:
            self.record.note(self.now_ms(), step, **facts)

    def save(self) -> None:
        """Write what is known, and hold on: it survives this process."""
        with self._lock:
            self._settle(Hold.HOLD, int(self._ledger.lease_s * 1000))

    def settle(self) -> None:
        """Write what is known, and let go: due again, or ended."""
        with self._lock:
            now_ms, due_ms = self.now_ms(), self.record.due_ms
            warn_after_ms = self._ledger.warn_after_ms
            if due_ms is None:
                if self.record.ended_ms is None:
                    self.record.ended_ms = now_ms
                    notify.tell(self.record, now_ms, warn_after_ms)
                self._settle(Hold.END, 0)
            else:
                notify.tell(self.record, now_ms, warn_after_ms)
                warn_ms = notify.warn_at(self.record, warn_after_ms)
                next_ms = due_ms if warn_ms is None else min(due_ms, warn_ms)
                self._settle(Hold.LATER, max(0, next_ms - now_ms))

    def _settle(self, hold: Hold, in_ms: int) -> None:
        since = time.monotonic()
        now_ms = self._ledger.write(self, hold, in_ms)
        if not now_ms:
            self._ends = 0.0
            raise LeaseEnded
        self._told = (now_ms, since)
        if hold is Hold.HOLD:
            self._ends = since + self._ledger.lease_s


class Ledger:
    """The alerts in Redis. Every method raises `NotReady` when Redis does not answer."""

    def __init__(self, settings: Settings) -> None:
        """Take the address; no connection is opened before the first use."""
        self._redis = connect(settings)
        self._scripts = {
            path.stem: self._redis.register_script(path.read_text()) for path in _SCRIPTS.glob("*.lua")
        }
        self._process = secrets.token_hex(8)
        self.lease_s = settings.lease_ms / 1000
        self.warn_after_ms = settings.warn_after_ms
        self._lease_ms = settings.lease_ms
        # A record outlives the keys that lead to it.
        self.keep_ms = self._keep_ms = max(settings.keep_ms, settings.id_ttl_ms, settings.content_ttl_ms)

    def claim(self, record: Record, key: Key) -> Claim:
        """Make the record and its key, or say why not; one step for Redis, one round trip."""
        token, since = secrets.token_hex(8), time.monotonic()
        timestamp_ms = record.alert.timestamp_ms
        answer = self._run(
            "claim",
            [key.name(), _RECORD + record.alert_id, _DUE, _INDEX, f"{_INDEX}:{record.sender}"],
            [
                record.alert_id,
                token,
                key.content,
                key.ttl_ms,
                self._lease_ms,
                record.encode(),
                self._keep_ms,
                "" if timestamp_ms is None else timestamp_ms,
                record.max_age_ms,
                AHEAD_MS,
                _RECORD,
                record.first_visit_in_ms,
            ],
        )
        result, now_ms = Claimed(answer[0]), answer[1]
        if result is Claimed.CLAIMED:
            record.received_ms = answer[2]
            if record.first_visit_in_ms:
                return Claim(result, now_ms, record=record)
            return Claim(result, now_ms, held=Held(self, record, token, now_ms, since))
        if result is Claimed.DUPLICATE:
            return Claim(result, now_ms, record=_decoded(answer[3], answer[2]))
        return Claim(result, now_ms, age_ms=answer[2] if result is Claimed.STALE else 0)

    def write(self, held: Held, hold: Hold, in_ms: int) -> int:
        """Write a held record; give Redis's time, or 0 when another holds it by now."""
        record, notices = held.record, list(held.record.notices)
        now_ms = int(
            self._run(
                "settle",
                [_RECORD + record.alert_id, _DUE, _NOTICES],
                [
                    record.alert_id,
                    held.token,
                    record.encode(),
                    self._keep_ms,
                    hold.value,
                    in_ms,
                    _NOTICES_KEPT,
                    *(each.encode() for each in notices),
                ],
            )
        )
        if now_ms:
            record.notices = [each for each in record.notices if each not in notices]
        return now_ms

    def take_one(self, alert_id: str) -> Held | None:
        """Take a record by its id, with a new lease; None where somebody has it in hand, or there is none."""
        token, since = secrets.token_hex(8), time.monotonic()
        answer = self._run("take_one", [_RECORD + alert_id, _DUE], [alert_id, token, self._lease_ms])
        if answer[0] != "taken":
            return None
        _, now_ms, text, received_ms = answer
        return Held(self, _decoded(text, int(received_ms)), token, now_ms, since)

    def take_due(self, most: int) -> list[Held]:
        """Take up to `most` records whose time has come, each with a new lease."""
        token, since = secrets.token_hex(8), time.monotonic()
        now_ms, taken = self._run("take", [_DUE, _RECORD], [token, self._lease_ms, most])
        all_held = []
        for text, received_ms, earlier in taken:
            try:
                record = _decoded(text, int(received_ms))
            except NotReady:
                continue  # it comes back after the lease, to a process that may know it
            held = Held(self, record, token, now_ms, since)
            held.interrupted = bool(earlier)
            all_held.append(held)
        return all_held

    def read(self, alert_id: str) -> Record | None:
        """Give a record as it stands."""
        record, received_ms = self._guard(
            lambda: self._redis.hmget(_RECORD + alert_id, ["record", "received"])
        )
        return None if record is None else _decoded(record, int(received_ms))

    def received(
        self, sender: str, before: Mark | None, most: int
    ) -> tuple[list[tuple[Mark, str | None]], bool]:
        """Give up to `most` of a sender's records before a mark, newest first, and whether there are more.

        Each is as Redis keeps it, None where it is gone. Those of one ms are in the order of their ids.
        """
        marks = self._guard(lambda: self._marks(f"{_INDEX}:{sender}", before, most + 1))
        shown = marks[:most]
        asked = self._redis.pipeline(transaction=False)
        for _, alert_id in shown:
            asked.hget(_RECORD + alert_id, "record")
        return list(zip(shown, self._guard(asked.execute), strict=True)), len(marks) > most

    def _marks(self, index: str, before: Mark | None, most: int) -> list[Mark]:
        if before is None:
            found: Any = self._redis.zrevrange(index, 0, most - 1, withscores=True)
            return [(int(ms), alert_id) for alert_id, ms in found]
        ms, last = before
        asked = self._redis.pipeline(transaction=False)
        # Of one ms there are no more than Redis takes in one.
        asked.zrevrangebyscore(index, ms, ms, withscores=True)
        asked.zrevrangebyscore(index, f"({ms}", "-inf", start=0, num=most, withscores=True)
        same, older = asked.execute()
        rest = [(ms, alert_id) for alert_id, _ in same if alert_id < last]
        return [*rest, *((int(at), alert_id) for alert_id, at in older)][:most]

    def spend(self, budget: Budget, of_call: str, *, spare: bool = False) -> int:
        """Take a call whose `limit` is given from a budget: 0, or the ms after which to ask again.

        `spare`: leave a part of the limit to those who don't say so.
        """
        limit = budget.limit(of_call)
        name = f"{_PREFIX}budget:{budget.credential}"
        return int(self._run("spend", [name, f"{name}:{of_call}"], _spent_from(limit, spare=spare)))

    def hold_back(self, credential: str, ms: int) -> None:
        """Hold back all calls of a credential, in all processes."""
        self._run("hold", [f"{_PREFIX}budget:{credential}"], [ms])

    def turn_to_log_in(self, credential: str) -> Turn:
        """Take the turn to log in with a credential, for a lease's time, or say why it is not to be had."""
        answer, wait_ms = self._log_in(credential, "begin")
        return Turn(answer == "mine", answer == "refused", int(wait_ms))

    def end_log_in(self, credential: str, how: str) -> int:
        """Give the turn back: the log-in was done, failed, or refused, or the vendor was unreached.

        Gives the number of log-ins done so far where it was done, else the ms until the next may begin.
        """
        done, wait_ms = self._log_in(credential, how)
        return int(done if how == "done" else wait_ms)

    def log_ins(self, credential: str) -> int:
        """Give how many log-ins were done with a credential."""
        name = f"{_PREFIX}log-in:{credential}"
        return int(self._guard(lambda: self._redis.hget(name, "done")) or 0)

    def _log_in(self, credential: str, step: str) -> Any:  # noqa: ANN401 - a pair of the script's
        times = [self._lease_ms, LOG_IN_REST_MS, LOG_IN_REST_MOST_MS, REFUSED_MS, REFUSED_MOST_MS]
        return self._run("log_in", [f"{_PREFIX}log-in:{credential}"], [step, self._process, *times])

    def strike(self, address: str) -> bool:
        """Count a wrong credential; say whether the address has sent too many."""
        name = f"{_PREFIX}strikes:{hashlib.sha256(address.encode()).hexdigest()[:32]}"
        return int(self._run("strike", [name], [STRIKES_MS])) > STRIKES

    def give_way(self) -> int:
        """Forget some of the oldest alerts that have ended; give how many."""
        answer = self._scripts["give_way"](
            keys=[_INDEX, _DUE],
            args=[_RECORD, _GIVE_WAY, _GIVE_WAY_AMONG, _REFUSED],
            client=self._redis,
        )
        return int(answer)

    def keep_within(self, keep_mb: int) -> int:
        """Forget ended alerts until Redis uses no more than that; give how many."""
        forgotten = 0
        while self._used_bytes() > keep_mb * _MB:
            gone = self._guard(self.give_way)
            if not gone:
                break  # what is under way stays, whatever it takes
            forgotten += gone
        return forgotten

    def _used_bytes(self) -> int:
        return int(self._guard(lambda: self._redis.info("memory"))["used_memory"])

    def close(self) -> None:
        """Close the connections; whoever asks again opens another."""
        self._redis.connection_pool.disconnect()

    def now_ms(self) -> int:
        """Give Redis's time."""
        seconds, microseconds = self._guard(self._redis.time)
        return int(seconds) * 1000 + int(microseconds) // 1000

    def persistence(self) -> Persistence | None:
        """Say whether Redis keeps what it is told; None where a managed Redis forbids the question."""
        try:
            found = {
                name: self._redis.config_get(name).get(name, "")
                for name in ("appendonly", "save", "maxmemory-policy")
            }
        except redis.ResponseError:
            return None
        except redis.RedisError as failure:
            raise NotReady(_AWAY) from failure
        keeps = found["appendonly"] == "yes" or bool(found["save"])
        return Persistence(keeps, found["maxmemory-policy"] != "noeviction")

    def run(self, script: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401 - what the script returns
        """Run one of the scripts for `outbox`, on keys of its own."""
        return self._run(script, keys, args)

    def connections_allowed(self) -> int | None:
        """Give how many connections Redis allows to all its clients; None where it does not say."""
        allowed = self._guard(lambda: self._redis.info("clients")).get("maxclients")
        return None if allowed is None else int(allowed)

    def _run(self, script: str, keys: list[str], args: list[Any]) -> Any:  # noqa: ANN401 - what the script returns
        return self._guard(lambda: self._scripts[script](keys=keys, args=args))

    def _guard(self, ask: Any) -> Any:  # noqa: ANN401 - what Redis answers
        try:
            try:
                return ask()
            except redis.OutOfMemoryError:
                if not self.give_way():
                    raise
                return ask()
        except redis.RedisError as failure:
            # The kind tells a wrong password or a full memory from a Redis that is away.
            log.say("redis_error", {"kind": type(failure).__name__, "words": str(failure)}, logging.WARNING)
            raise NotReady(_AWAY) from failure


def _spent_from(limit: Rate | Window | None, *, spare: bool) -> list[Any]:
    """Give a limit as the script takes it."""
    if isinstance(limit, Rate):
        kind, most, pace = "rate", limit.burst, str(limit.per_second)
    elif isinstance(limit, Window):
        kind, most, pace = "window", limit.calls, str(limit.seconds * 1000 + _WINDOW_MARGIN_MS)
    else:
        return ["none", 0, 0, 0]
    return [kind, most, pace, most // _RESERVED_PART if spare else 0]


def _decoded(text: str, received_ms: int) -> Record:
    """Read a record; raise `NotReady` where another version of the relay wrote it."""
    try:
        return Record.decode(text, received_ms)
    except (KeyError, TypeError, ValueError) as failure:
        log.say_unforeseen({"record": "unreadable"})
        raise NotReady(
            "Another version of the relay wrote this record: send it again in a while."
        ) from failure
