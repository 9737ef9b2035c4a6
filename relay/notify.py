"""What the trader has to be told, decided in the step that writes it down, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime

from relay.cancel import Cancel
from relay.notice import Kind
from relay.outcome import Outcome, Progress, Status
from relay.record import Record
from relay.reply import message

#: Characters of a notice's words: what a phone shows before somebody has to scroll.
WORDS_CHARACTERS = 600

#: Orders that are named one by one; the ids are long, and the rest is in the record.
_ORDERS_NAMED = 5

#: Characters of an order's id: longer than any vendor's, and a bound for what one may send.
_ID_CHARACTERS = 64

_NAMES = {"crosstrade": "CrossTrade", "alphapoint": "AlphaPoint", "autoshares": "Autoshares"}

#: Where the operator finds what a vendor knows him by.
_CREDENTIALS = {
    "alphapoint": "ALPHAPOINT_API_KEY, _API_SECRET and _USER_ID (or _USERNAME and _PASSWORD)",
    "autoshares": "AUTOSHARES_APP_KEY, AUTOSHARES_USERNAME and AUTOSHARES_PASSWORD",
}

#: Milliseconds from which on the days of an outage can't be told by its times alone.
_HALF_A_DAY_MS = 43_200_000


def tell(record: Record, now_ms: int, warn_after_ms: int) -> None:
    """Note what is to be told of a record as it is about to be written.

    Told is an alert that ended without success, one that is not proven after `warn_after_ms` and how such a
    one ended, an order that filled first, and a name under which nothing was found.
    """
    if record.ended_ms is not None:
        kind = _of_the_end(record)
        if kind is not None:
            record.tell(kind, clip(message(record), f"{_by_hand(record)}{_rolled(record)}"))
        return
    at_ms = warn_at(record, warn_after_ms)
    if at_ms is not None and now_ms >= at_ms:
        record.warned = True
        after_s = (now_ms - _begun(record)) // 1000
        unproven = [each for each in record.cancels if not each[1].status.ended]
        said = "; ".join(
            f"{cancel.words()}: NOT confirmed cancelled after {after_s} s" + _why(cancel, progress)
            for cancel, progress in unproven
        )
        until_ms = record.read_until_ms if any(each.started for _, each in unproven) else record.act_until_ms
        ahead = f". Trying until {clock(until_ms)} UTC.{_by_hand(record)}"
        record.tell(Kind.NOT_CONFIRMED, clip(said, ahead))


def warn_at(record: Record, warn_after_ms: int) -> int | None:
    """Give the moment at which it has to be said that the alert is not confirmed; None once it was said."""
    return None if record.warned else _begun(record) + warn_after_ms


def refused_words(sender: str, title: str, detail: str) -> str:
    """Say that a sender's alert was refused, and why."""
    return clip(f"Alert of {sender} refused: {title}. {detail}")


def duplicate_words(first: Record, warning: str) -> str:
    """Say that a copy was not sent again, which may have been meant."""
    what = "; ".join(cancel.words() for cancel, _ in first.cancels)
    return clip(f"{what}: {warning}.")


def log_in_words(vendor: str, words: str, wait_ms: int) -> str:
    """Say that a vendor refused a log-in, for how long nobody tries again, and what to look at."""
    rests = (
        f"No process logs in again for {max(1, wait_ms // 1000)} s, and until then nothing is cancelled there"
    )
    look = f"Look at {_CREDENTIALS.get(vendor, 'its settings')}, and whether the user is locked"
    return clip(f"{vendor_name(vendor)} refused the log-in: {words}. {rests}. {look}.")


def silent_words(vendor: str, words: str) -> str:
    """Say that a vendor has stopped answering."""
    return clip(
        f"{vendor_name(vendor)} does not answer: {words}. Alerts for it are tried until their time runs out."
    )


def answers_words(vendor: str) -> str:
    """Say that a vendor that was silent answers again."""
    return f"{vendor_name(vendor)} answers again."


def more_refused_words(sender: str, title: str) -> str:
    """Say that more of a sender's alerts were refused for one reason than were told one by one."""
    return (
        f"More alerts of {sender} were refused in the same minute: {title}. Each is in the relay's records."
    )


def away_words(from_ms: int, to_ms: int) -> str:
    """Say that no web process could take alerts for a while."""
    days = f" ({(to_ms - from_ms) // 3_600_000} hours)" if to_ms - from_ms >= _HALF_A_DAY_MS else ""
    return (
        f"The relay was away {clock(from_ms)} to {clock(to_ms)} UTC{days}: alerts fired then may be lost, "
        "compare the chart's alert log."
    )


def vendor_name(vendor: str) -> str:
    """Write a vendor as it writes itself."""
    return _NAMES.get(vendor, vendor)


def clock(ms: int) -> str:
    """Write a moment as people read a clock, in UTC."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%H:%M:%S}"


def clip(text: str, tail: str = "") -> str:
    """Give a text on one line, without what could draw over its neighbours, and of bounded length.

    `tail` stands at its end, whole where that can be: what he can do is worth more than the whole reason.
    """
    plain, end = _on_one_line(text), f" {_on_one_line(tail)}" if tail.startswith(" ") else _on_one_line(tail)
    room = max(WORDS_CHARACTERS // 3, WORDS_CHARACTERS - len(end))
    shown = plain if len(plain) <= room else f"{plain[: room - 1]}…"
    return f"{shown}{end}"[:WORDS_CHARACTERS]


def _on_one_line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _of_the_end(record: Record) -> Kind | None:
    """Say why an end is told, the gravest reason first; None where all went as it was asked."""
    progresses = [progress for _, progress in record.cancels]
    if record.status.failed:
        return Kind.ENDED
    if any(order.outcome is Outcome.FILLED for each in progresses for order in each.orders):
        return Kind.FILLED
    nothing = [each for each in progresses if each.status is Status.NOTHING_TO_CANCEL]
    if nothing and (record.alert.must_exist or any(each.same_root for each in nothing)):
        return Kind.NOTHING
    return Kind.ENDED if record.warned else None


def _why(cancel: Cancel, progress: Progress) -> str:
    return f" ({vendor_name(cancel.vendor)}: {progress.reason})" if progress.reason else ""


def _by_hand(record: Record) -> str:
    """Name the orders that may still work, of what did not come true."""
    open_orders = [
        str(order.order_id)[:_ID_CHARACTERS]
        for _, progress in record.cancels
        if progress.status.failed or not progress.status.ended
        for order in progress.orders
        if not order.outcome.over
    ]
    if not open_orders:
        return ""
    more = len(open_orders) - _ORDERS_NAMED
    named = ", ".join(open_orders[:_ORDERS_NAMED])
    return f" Cancel by hand: order{'s' * (len(open_orders) > 1)} {named}{f' and {more} more' * (more > 0)}."


def _rolled(record: Record) -> str:
    """Give what works instead, where nothing was there to cancel."""
    nothing = [each for _, each in record.cancels if each.status is Status.NOTHING_TO_CANCEL]
    return "".join(f" {said}." for each in nothing for said in each.warnings)


def _begun(record: Record) -> int:
    return record.retried_ms or record.starts_ms
