"""The path of an alert: the steps in order, as the specification has them."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relay import log, reply
from relay.alert import Alert, ReplyWhen
from relay.authenticate import Authenticator, Origin, Sender, origin_of
from relay.converse import Line
from relay.errors import (
    Conflict,
    IdReused,
    InvalidAlert,
    MalformedBody,
    NotFound,
    NotReady,
    Refusal,
    StaleAlert,
    TooManyRequests,
    Unauthenticated,
)
from relay.lane import Lanes
from relay.ledger import AHEAD_MS, Claim, Claimed, Held, Key, Ledger
from relay.notice import Kind
from relay.notify import duplicate_words, more_refused_words, refused_words
from relay.outbox import Outbox
from relay.outcome import Progress, Status
from relay.parse import parse
from relay.plan import cautions, plan, read_alert
from relay.record import Record
from relay.refuse import record_of, told_of
from relay.rehearse import rehearse
from relay.reply import Reply
from relay.scrubber import Scrubber
from relay.settings import Settings
from schemas.alert import ID_CHARACTERS

#: Seconds kept back of the reply time: for writing the reply, and for a machine on which a hundred replies
#: fall due in the same instant.
REPLY_MARGIN_S = 0.3

#: The part of the reply time that is kept back at most, where that is short.
REPLY_MARGIN_SHARE = 0.3

#: Replies from this HTTP status on are about a cancel that did not come true.
_FAILED_FROM = 400

_ALERT_ID = re.compile(r"[0-9a-f]{32}")

#: How a dry run is written, in JSON and in text.
_DRY = (True, "true", "True", "TRUE")

#: Bars start on whole minutes.
_MINUTE_MS = 60_000

#: A month: no chart's bar is longer.
_LONGEST_BAR_MS = 31 * 86_400_000


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came. `began` is the monotonic moment of its arrival."""

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    peer: str | None
    request_id: str
    began: float

    def elapsed_ms(self) -> float:
        """Give the milliseconds since it arrived."""
        return round((time.monotonic() - self.began) * 1000, 1)


@dataclass(slots=True)
class _Known:
    """What is known so far of whoever sends, and of what he sends."""

    sender: Sender | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    alert: Alert | None = None


class Pipeline:
    """Handle alerts with the collaborators given."""

    def __init__(
        self, settings: Settings, ledger: Ledger, lanes: Lanes, lines: Mapping[str, Line], scrubber: Scrubber
    ) -> None:
        """Take what the steps need; nothing is opened or started."""
        self._settings = settings
        self._ledger = ledger
        self._lanes = lanes
        self._lines = lines
        self._scrubber = scrubber
        self._authenticator = Authenticator(settings)
        self._outbox = Outbox(ledger)

    def handle(self, received: Received) -> Reply:
        """Take an alert from bytes to its reply; raise the `Refusal` that stops it, once it is told."""
        known = _Known()
        try:
            return self._handled(received, known)
        except Refusal as refusal:
            self._tell_of(refusal, known, received)
            raise

    def unread(self, refusal: Refusal, received: Received) -> None:
        """Have it told that a body could not be read whole, where a header says whose it is."""
        try:
            sender = self._authenticator.by_header(received.headers, received.body, time.time())
        except Unauthenticated:
            return
        self._tell_of(refusal, _Known(sender), received)

    def _handled(self, received: Received, known: _Known) -> Reply:
        origin = self._origin(received)
        known.sender = by_header = self._by_header(received, origin)
        try:
            parsed = parse(received.body)
        except MalformedBody:
            # A charting platform has no header to name its trader by, and shows him no 400.
            known.sender = by_header or self._authenticator.by_unreadable(received.body)
            raise
        known.sender = sender = self._by_body(parsed.fields.get("secret"), by_header, origin)
        known.fields = parsed.fields
        known.alert = alert = read_alert(parsed.fields, parsed.faults, self._lines, self._scrubber)
        self._authenticator.admit(origin)
        keyed_by, key = self._key(alert, sender, received.headers)
        record = self._record(alert, sender, keyed_by, received.request_id)
        if alert.dry_run:
            return self._rehearsed(record, received)
        claim = self._ledger.claim(record, key)
        if claim.result is not Claimed.CLAIMED:
            return self._not_claimed(claim, record, received)
        if claim.held is None:
            return self._replied(record, received)  # it waits for its time
        due = self._reply_due(received)
        job = self._lanes.first(claim.held, until=due)
        if alert.reply_when is not ReplyWhen.ACCEPTED:
            job.wait(max(0.0, due - time.monotonic()))
        return self._replied(job.seen(), received)

    def _tell_of(self, refusal: Refusal, known: _Known, received: Received) -> None:
        """Keep a record of a known sender's refused alert, and have it told.

        Raises `NotReady` where neither can be: a charting platform then sends it again, and shows nobody the
        status. The sender of a dry run looks at the answer himself.
        """
        if known.sender is None or isinstance(refusal, Unauthenticated | TooManyRequests | NotReady):
            return
        if known.fields.get("dry_run") in _DRY:
            return
        name = known.sender.name
        record = record_of(
            refusal, name, known.alert, known.fields, request_id=received.request_id, scrubber=self._scrubber
        )
        title, detail, meant = told_of(record)
        words = refused_words(name, title, detail, meant)
        self._outbox.refused(record, words, more_refused_words(name, title))

    def withdraw(self, alert_id: str, received: Received) -> Reply:
        """Take back an alert that waits for its time; raise `NotFound`, or `Conflict` where it doesn't."""
        held = self._taken(alert_id, received)
        if held.record.status is not Status.SCHEDULED:
            held.settle()
            raise Conflict(f"Only a scheduled alert can be taken back, and this one is {held.record.status}.")
        for _, progress in held.record.cancels:
            progress.end(Status.WITHDRAWN)
        held.settle()
        return self._replied(held.record, received)

    def retry(self, alert_id: str, received: Received) -> Reply:
        """Try again what ended without success: it lists, and cancels by id what the alert meant.

        Raises `NotFound`, or `Conflict` where there is nothing to try again.
        """
        held = self._taken(alert_id, received)
        failed = [progress for _, progress in held.record.cancels if progress.status.failed]
        if not failed:
            held.settle()
            raise Conflict(f"Only what ended without success can be tried again: it is {held.record.status}.")
        record = held.record
        record.retried_ms, record.ended_ms, record.warned = held.now_ms(), None, False
        for progress in failed:
            progress.reopen()
        held.note("retry")
        held.save()  # from here on it is carried out, whatever becomes of this process
        due = self._reply_due(received)
        job = self._lanes.again(held)
        job.wait(max(0.0, due - time.monotonic()))
        return self._replied(job.seen(), received)

    def _taken(self, alert_id: str, received: Received) -> Held:
        """Take the sender's own record in hand."""
        record = self.own(alert_id, received)
        if record.refused is not None:
            # It has nothing that could be carried out: taken, it would be due, and nobody could let it go.
            raise Conflict("This alert was refused, and nothing was sent: put it right, and send it anew.")
        held = self._ledger.take_one(record.alert_id)
        if held is None:
            raise Conflict("The relay is at work on this alert just now: look at it, and ask again.")
        return held

    def own(self, alert_id: str, received: Received) -> Record:
        """Give a record to the sender whose alert it was; raise `NotFound` for anybody else."""
        sender = self.who(received)
        record = self._ledger.read(alert_id) if _ALERT_ID.fullmatch(alert_id) else None
        if record is None or record.sender != sender.name:
            raise NotFound("There is no such alert of this sender's. Records are kept for RELAY_KEEP_DAYS.")
        return record

    def _reply_due(self, received: Received) -> float:
        """Give the (monotonic) moment when the reply has to leave."""
        reply_within_s = self._settings.reply_within_ms / 1000
        return received.began + reply_within_s - min(REPLY_MARGIN_S, reply_within_s * REPLY_MARGIN_SHARE)

    def who(self, received: Received) -> Sender:
        """Say who asks beside the webhook, by a header alone.

        Raises `Unauthenticated`, or `HttpsRequired` where the secret came unencrypted.
        """
        origin = self._origin(received)
        sender = self._by_body(None, self._by_header(received, origin), origin)
        self._authenticator.require_https(origin)
        return sender

    def _origin(self, received: Received) -> Origin:
        return origin_of(
            received.headers,
            received.peer,
            trusted_proxies=self._settings.trusted_proxies,
            certificate_header=self._settings.client_cert_header,
        )

    def _by_header(self, received: Received, origin: Origin) -> Sender | None:
        try:
            return self._authenticator.by_header(received.headers, received.body, time.time())
        except Unauthenticated as wrong:
            raise self._struck(wrong, origin) from None

    def _by_body(self, secret: object, by_header: Sender | None, origin: Origin) -> Sender:
        try:
            return self._authenticator.by_body(secret, by_header)
        except Unauthenticated as wrong:
            raise self._struck(wrong, origin) from None

    def _struck(self, wrong: Unauthenticated, origin: Origin) -> Refusal:
        """Count a wrong credential, and slow down whoever guesses; the right secret still gets in."""
        try:
            too_many = self._ledger.strike(origin.address)
        except NotReady:
            return wrong
        if not too_many:
            return wrong
        return TooManyRequests("Too many wrong credentials came from this address: wait a minute.")

    def _key(self, alert: Alert, sender: Sender, headers: Mapping[str, str]) -> tuple[str, Key]:
        """Choose what the alert is known by when it comes again, and say by which name that goes."""
        settings, content = self._settings, alert.content()
        header = headers.get("Idempotency-Key")
        if sender.signed_id is not None:
            if header is not None:
                said = ["the signature does not cover it: the key of a signed request is its webhook-id"]
                raise InvalidAlert(
                    "An Idempotency-Key cannot go with a signature.", errors={"Idempotency-Key": said}
                )
            return "header", Key(sender.name, f"signed {sender.signed_id}", content, settings.id_ttl_ms)
        if header is not None:
            return "header", Key(sender.name, f"header {_header_key(header)}", content, settings.id_ttl_ms)
        if alert.id is not None:
            return "id", Key(sender.name, f"id {alert.id}", content, settings.id_ttl_ms)
        ttl_ms = settings.content_ttl_ms if alert.timestamp_ms is None else settings.id_ttl_ms
        return "content", Key(sender.name, f"content {content}", content, ttl_ms)

    def _record(self, alert: Alert, sender: Sender, keyed_by: str, request_id: str) -> Record:
        status = Status.SCHEDULED if alert.delay_ms else Status.IN_PROGRESS
        return Record(
            alert_id=secrets.token_hex(16),
            sender=sender.name,
            alert=alert,
            cancels=[(cancel, Progress(status, warnings=cautions(alert))) for cancel in plan(alert)],
            max_age_ms=alert.max_age_ms or self._settings.max_age_ms,
            keyed_by=keyed_by,
            request_id=request_id,
        )

    def _not_claimed(self, claim: Claim, record: Record, received: Received) -> Reply:
        """Answer an alert that came before, or too late."""
        if claim.result is Claimed.STALE:
            raise _stale(record, claim.age_ms)
        if claim.record is None:
            raise IdReused(
                "This id, or Idempotency-Key, arrived before with another content. It must name the alert "
                'as well as the moment, as in "es-exit-{{ticker}}-{{timenow}}". Nothing was sent.'
            )
        first = claim.record
        warnings = _duplicate_warnings(first, claim.now_ms)
        for warning in warnings:
            words = duplicate_words(first, warning)
            gate = f"duplicate {first.alert_id}"
            self._outbox.tell(Kind.DUPLICATE, words, alert_id=first.alert_id, status=first.status, gate=gate)
        return self._replied(claim.record, received, duplicate=True, warnings=warnings)

    def _rehearsed(self, record: Record, received: Received) -> Reply:
        now_ms = self._ledger.now_ms()
        age_ms = now_ms - (record.alert.timestamp_ms or now_ms)
        if age_ms > record.max_age_ms or -age_ms > AHEAD_MS:
            raise _stale(record, age_ms)
        line = self._lines[record.alert.vendor]
        shown = [(cancel, rehearse(cancel, line.vendor, line.transport)) for cancel, _ in record.cancels]
        rehearsal = reply.of_rehearsal(record, shown, now_ms=now_ms, elapsed_ms=received.elapsed_ms())
        self._say(record, rehearsal, received, status="dry_run")
        return rehearsal

    def _replied(
        self, record: Record, received: Received, *, duplicate: bool = False, warnings: Sequence[str] = ()
    ) -> Reply:
        answer = reply.of_record(
            record,
            elapsed_ms=received.elapsed_ms(),
            duplicate=duplicate,
            warnings=warnings,
        )
        self._say(record, answer, received, status=record.status.value, duplicate=duplicate)
        return answer

    def _say(self, record: Record, answer: Reply, received: Received, **facts: object) -> None:
        failed = answer.status >= _FAILED_FROM
        log.say(
            "alert",
            {
                "alert_id": record.alert_id,
                "request_id": received.request_id,
                "sender": record.sender,
                "vendor": record.alert.vendor,
                "accounts": record.alert.accounts,
                "target": record.cancels[0][0].target,
                "http": answer.status,
                "ms": received.elapsed_ms(),
                **facts,
            },
            logging.WARNING if failed else logging.INFO,
        )


def _header_key(header: str) -> str:
    """Read an Idempotency-Key: bare, or in the quotes of a structured field."""
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 0 < len(key) <= ID_CHARACTERS or not key.isprintable():
        said = [f"must have 1 to {ID_CHARACTERS} printable characters"]
        raise InvalidAlert("The Idempotency-Key cannot be used.", errors={"Idempotency-Key": said})
    return key


def _stale(record: Record, age_ms: int) -> StaleAlert:
    if age_ms < 0:
        return StaleAlert(
            f"The timestamp lies {-age_ms // 1000} s in the future, and may lie {AHEAD_MS // 1000} s. "
            "Nothing was sent."
        )
    allowed_s = record.max_age_ms // 1000
    detail = f"The alert is {age_ms // 1000} s old, and may be {allowed_s} s (max_age). Nothing was sent."
    if (record.alert.timestamp_ms or 1) % _MINUTE_MS == 0 and age_ms < _LONGEST_BAR_MS:
        detail += " That looks like {{time}}, the bar's start: write {{timenow}}."
    return StaleAlert(detail)


def _duplicate_warnings(first: Record, now_ms: int) -> list[str]:
    """Say where a duplicate may have been a second, meant cancel."""
    since_ms = now_ms - first.received_ms
    if first.keyed_by == "content" and first.alert.timestamp_ms is None and first.status.ended:
        advice = 'add "timestamp": "{{timenow}}" if each firing should count'
        return [f"same message {since_ms // 1000} s after the first, not sent again; {advice}"]
    if first.keyed_by == "id" and since_ms > first.max_age_ms:
        advice = "is {{timenow}} missing from the id?"
        return [f"same id {since_ms // 1000} s after the first, not sent again; {advice}"]
    return []
