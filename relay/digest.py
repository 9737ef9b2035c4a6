"""All that waits to be told as one message, the worst first, in so many characters and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from relay.notice import Kind
from relay.outbox import Batch, Waiting
from relay.outcome import Status
from relay.service import Message

#: Characters of a message: what Pushover, the tightest of the common services, still carries whole.
BODY_CHARACTERS = 1_000
TITLE_CHARACTERS = 120

#: Characters kept back for the line that counts what there was no room for.
_TAIL_CHARACTERS = 240
_REST_CHARACTERS = 150

#: Milliseconds after which a notice's date is told beside its time.
_OLD_MS = 3_600_000

#: What each kind is called in a title, the gravest first.
_PHRASES: dict[tuple[Kind, str], str] = {
    (Kind.ENDED, Status.UNKNOWN): "cancel UNKNOWN",
    (Kind.ENDED, Status.FAILED): "cancel FAILED",
    (Kind.ENDED, Status.EXPIRED): "cancel NOT SENT",
    (Kind.ENDED, Status.REJECTED): "cancel REJECTED",
    (Kind.NOT_CONFIRMED, ""): "cancel NOT confirmed yet",
    (Kind.AWAY, ""): "relay was AWAY",
    (Kind.LOG_IN, ""): "log-in refused",
    (Kind.SILENT, ""): "broker does not answer",
    (Kind.FILLED, ""): "order filled first",
    (Kind.REFUSED, ""): "alert refused",
    (Kind.NOTHING, ""): "nothing to cancel",
    (Kind.DUPLICATE, ""): "repeated alert not sent",
    (Kind.ENDED, ""): "cancel ended late, and well",
    (Kind.ANSWERS, ""): "broker answers again",
}
_RANKS = {phrase: rank for rank, phrase in enumerate(_PHRASES.values())}
_GOOD = {_PHRASES[Kind.ENDED, ""], _PHRASES[Kind.ANSWERS, ""]}


@dataclass(frozen=True, slots=True)
class _Line:
    """What one line tells: a sentence, since when, how often, and of which alert."""

    phrase: str
    words: str
    at_ms: int
    count: int
    alert_id: str


def compose(batch: Batch, url: str | None) -> Message:
    """Give the message that tells a batch; `url` is the relay's own address, for links."""
    lines = _folded(batch.waiting)
    lines.sort(key=lambda line: (_RANKS[line.phrase], line.at_ms))
    texts: dict[int, str] = {}
    room = BODY_CHARACTERS - _TAIL_CHARACTERS
    for at in _in_turn(lines):
        text = _shown(lines[at], batch.now_ms, url)
        if texts and len(text) >= room:
            break
        texts[at] = text[:room]
        room -= len(texts[at]) + 1
    shown = [texts[at] for at in sorted(texts)]
    rest = [line for at, line in enumerate(lines) if at not in texts]
    if rest:
        more = f"and {sum(line.count for line in rest)} more: {_counted(rest)}"
        shown.append(more[:_REST_CHARACTERS])
    if batch.dropped:
        shown.append(
            f"and {batch.dropped} older ones that were too many to keep: look at the relay's records"
        )
    title = _counted(lines) or "more than could be kept"
    good = all(line.phrase in _GOOD for line in lines) and not batch.dropped
    return Message(_capital(title)[:TITLE_CHARACTERS], "\n".join(shown), good=good)


def _in_turn(lines: Sequence[_Line]) -> list[int]:
    """Give the lines' places as they are chosen: one of each kind, the worst first, before a second of any.

    An absence of the relay, or a broker's silence, is in no record: beside a hundred failures it would be
    counted, and its times never be told.
    """
    first = {line.phrase: at for at, line in reversed(list(enumerate(lines)))}
    return sorted(range(len(lines)), key=lambda at: (first[lines[at].phrase] != at, at))


def _folded(waiting: Sequence[Waiting]) -> list[_Line]:
    """Fold the same words into one line, with the first one's time and the last one's alert."""
    folded: dict[tuple[str, str], _Line] = {}
    ends = {each.notice.alert_id: each.at_ms for each in waiting if each.notice.kind is Kind.ENDED}
    for each in waiting:
        notice = each.notice
        if notice.kind is Kind.NOT_CONFIRMED and ends.get(notice.alert_id, 0) >= each.at_ms:
            continue  # how it ended stands beside it
        phrase = _PHRASES.get((notice.kind, notice.status)) or _PHRASES[notice.kind, ""]
        before = folded.get((phrase, notice.words))
        at_ms = before.at_ms if before else each.at_ms
        count = each.count + (before.count if before else 0)
        folded[phrase, notice.words] = _Line(phrase, notice.words, at_ms, count, notice.alert_id)
    return list(folded.values())


def _shown(line: _Line, now_ms: int, url: str | None) -> str:
    times = f" ({line.count} times)" if line.count > 1 else ""
    link = f" {url}/alerts/{line.alert_id}" if url and line.alert_id else ""
    return f"{_moment(line.at_ms, now_ms)} {line.words}{times}{link}"


def _counted(lines: Iterable[_Line]) -> str:
    """Count lines by what they are, the gravest first."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts[line.phrase] += line.count
    return ", ".join(
        f"{counts[phrase]} × {phrase}" if counts[phrase] > 1 else phrase  # noqa: RUF001 - a sign of multiplication
        for phrase in sorted(counts, key=_RANKS.__getitem__)
    )


def _moment(at_ms: int, now_ms: int) -> str:
    """Write when it was, in UTC; what is old with its date."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if now_ms - at_ms > _OLD_MS else f"{at:%H:%M:%S} UTC"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
