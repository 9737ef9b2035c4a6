"""What the trader has to be told, decided in the step that writes it down, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime

from relay.cancel import Cancel
from relay.notice import Kind
from relay.outcome import NO_SUCH_ORDER, OrderOutcome, Outcome, Progress, Status
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

_NOTHING_SENT = "Nothing was sent."

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
        ahead = _ahead(record, [each for _, each in unproven], now_ms)
        record.tell(Kind.NOT_CONFIRMED, clip(said, f". {ahead}{_by_hand(record)}"))


def warn_at(record: Record, warn_after_ms: int) -> int | None:
    """Give the moment at which it has to be said that the alert is not confirmed; None once it was said."""
    return None if record.warned else _begun(record) + warn_after_ms


def refused_words(sender: str, title: str, detail: str, meant: str) -> str:
    """Say that a sender's alert was refused, and why; what it `meant` is never what is cut."""
    nothing = "" if _NOTHING_SENT in detail else f" {_NOTHING_SENT}"
    said = f" It said: {meant}." if meant else ""
    return clip(f"Alert of {sender} refused: {title}. {detail}", f"{nothing}{said}")


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
    said = words if words.startswith(vendor_name(vendor)) else f"{vendor_name(vendor)}: {words}"
    return clip(f"{said}. {rests}. {look}.")


def silent_words(vendor: str, words: str) -> str:
    """Say that a vendor has stopped answering."""
    return clip(
        f"{vendor_name(vendor)} does not answer: {_without_name(vendor, words)}",
        ". Alerts for it are tried until their time runs out. Cancel there by hand what must not wait.",
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
    vendor, reason = cancel.vendor, progress.reason
    return f" ({vendor_name(vendor)}: {_without_name(vendor, reason)})" if reason else ""


def _without_name(vendor: str, words: str) -> str:
    """Give a vendor's words without its name, where that stands before them already."""
    return words.removeprefix(f"{vendor_name(vendor)}: ")


def _ahead(record: Record, unproven: list[Progress], now_ms: int) -> str:
    """Say until when the relay still cancels by itself, which bounds how long its trader may wait.

    Orders that are named are asked for until the reading ends; others are not looked for after `max_age`.
    """
    act, read = clock(record.act_until_ms), clock(record.read_until_ms)
    if all(each.started and any(map(_still_asked, each.orders)) for each in unproven):
        return f"Trying until {read} UTC."
    if now_ms >= record.act_until_ms:
        return f"Nothing new is sent any more; looking until {read} UTC."
    looking = f", then only looking, until {read} UTC" if any(each.started for each in unproven) else ""
    return f"Trying until {act} UTC{looking}."


def _still_asked(order: OrderOutcome) -> bool:
    return not (order.outcome.over or order.untold or order.too_late)


def _by_hand(record: Record) -> str:
    """Say what to do about what did not come true: with the orders that may still work, or where to look."""
    open_cancels = [each for _, each in record.cancels if each.status.failed or not each.status.ended]
    open_orders = [each for progress in open_cancels for each in progress.orders if not each.outcome.over]
    named = [str(each.order_id)[:_ID_CHARACTERS] for each in open_orders if not _not_there(each.reason)]
    broker = vendor_name(record.alert.vendor)
    if named:
        more = len(named) - _ORDERS_NAMED
        ids = f"{', '.join(named[:_ORDERS_NAMED])}{f' and {more} more' * (more > 0)}"
        return f" Cancel by hand: order{'s' * (len(named) > 1)} {ids} at {broker}."
    reasons = [*(each.reason for each in open_orders), *(each.reason for each in open_cancels)]
    if any(map(_not_there, reasons)):
        return f" Look at {broker} now: it may have another id, or be in another account."
    # The words of the other ends send him there.
    if any(not each.status.ended or each.status is Status.REJECTED for each in open_cancels):
        return f" Look at {broker} now."
    return ""


def _not_there(reason: str | None) -> bool:
    return (reason or "").startswith(NO_SUCH_ORDER)


def _rolled(record: Record) -> str:
    """Give what works instead, where nothing was there to cancel."""
    nothing = [each for _, each in record.cancels if each.status is Status.NOTHING_TO_CANCEL]
    return "".join(f" {said}." for each in nothing for said in each.warnings)


def _begun(record: Record) -> int:
    return record.retried_ms or record.starts_ms
