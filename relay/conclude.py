"""What a cancel comes to, from what is known of its orders. Pure reasoning: no clock, no vendor."""

from __future__ import annotations

from relay.cancel import Cancel, Scope
from relay.instrument import same_root
from relay.outcome import NO_SUCH_ORDER, OrderOutcome, Outcome, Progress, Sent, Status
from relay.record import Record
from relay.vendor import Order

OUT_OF_TIME = "still working, and the alert's time had run out before it was seen"

_NAMELESS = (
    "the vendor named no orders, so which ones it cancelled is not known; none that was there works any more"
)

#: Scopes that name an order: one that was over before is nothing to cancel.
_NAMES_ONE = {Scope.ORDER, Scope.CLIENT_ORDER}

_LATE_LIST = (
    "the list beside the call came late, so an order that was over by then is not named; none that was there "
    "works any more"
)

_NO_WORKING = "no working order"

_NEWER = "placed, or changed, after the alert: left alone"

#: Instruments that a warning names at most.
_NAMED_AT_MOST = 10


def conclude(cancel: Cancel, progress: Progress, *, read_back: bool) -> bool:
    """End the cancel if every order is accounted for; say whether it ended.

    `read_back`: what works was listed after the last send, so that silence about an order means it is
    not there; for an order that the alert names, its own state is enough.
    """
    meant = [each for each in progress.orders if not each.untold]
    outcomes = {each.outcome for each in meant}
    if Outcome.PENDING in outcomes:
        progress.status = Status.IN_PROGRESS
        return False
    if Outcome.REQUESTED in outcomes:
        progress.status = Status.REQUESTED
        return False
    if not (read_back or (meant and cancel.scope is Scope.ORDER)):
        # Without the vendor's own word that it took a request, the relay is still at it.
        taken = progress.sent in {Sent.YES, Sent.UNNAMED} or any(each.asks for each in meant)
        progress.status = Status.REQUESTED if taken else Status.IN_PROGRESS
        return False
    _end(cancel, progress, meant)
    return True


def end_if_out_of_time(record: Record, progress: Progress, now_ms: int) -> bool:
    """End a cancel whose time is over; say whether it has ended."""
    if progress.status is Status.SCHEDULED and now_ms < record.starts_ms:
        return False
    if not progress.started and now_ms > record.act_until_ms:
        run_out(progress)
    elif now_ms > record.read_until_ms:
        give_up(progress)
    return progress.status.ended


def give_up(progress: Progress) -> None:
    """End a cancel whose time for reading back is over."""
    last = f" (last: {progress.reason})" if progress.reason else ""
    open_orders = [each for each in progress.orders if not each.untold and _is_open(each)]
    never_asked = [each for each in open_orders if each.asks == 0]
    for each in open_orders:
        each.outcome = Outcome.UNKNOWN
    if never_asked:
        progress.end(Status.FAILED, f"not all could be sent before its time ran out{last}")
    else:
        progress.end(Status.UNKNOWN, f"no evidence either way when the time for reading back was over{last}")


def run_out(progress: Progress, *, early: bool = False) -> None:
    """End a cancel of which nothing could start before its `max_age` was over.

    `early`: it is not over yet, but nothing can start before it will be.
    """
    last = f": {progress.reason}" if progress.reason else ""
    if progress.attempts:
        progress.end(Status.FAILED, f"could not be sent before its time ran out{last}")
    else:
        when = "runs out before a first try can be made" if early else "ran out before a first try"
        progress.end(Status.EXPIRED, f"its time {when}{last}")


def warn_of_newer(cancel: Cancel, progress: Progress, count: int) -> None:
    """Say that orders of the very kind work that were placed after the alert, and are left alone."""
    progress.warnings = [each for each in progress.warnings if not each.endswith(_NEWER)]
    if count:
        progress.warnings.append(f"{cancel.words()}: {count} {_NEWER}")


def warn_of_others(cancel: Cancel, progress: Progress, listed: tuple[Order, ...]) -> None:
    """Name what does work in the account where nothing of the instrument does: a typo, or the roll."""
    progress.warnings = [each for each in progress.warnings if not each.startswith(_NO_WORKING)]
    progress.same_root = False
    if cancel.scope is not Scope.INSTRUMENT or progress.orders or not listed:
        return
    newer = any(each.endswith(_NEWER) for each in progress.warnings)
    if newer or progress.sent in {Sent.MAYBE, Sent.UNNAMED}:
        return  # something of it was there, or may have been: no typo
    counts: dict[str, int] = {}
    for order in listed:
        shown = str(order.instrument or "an unnamed instrument")
        counts[shown] = counts.get(shown, 0) + 1
    there = "; ".join(
        f"{instrument}, {count}" for instrument, count in sorted(counts.items())[:_NAMED_AT_MOST]
    )
    progress.warnings.append(f"{_NO_WORKING} of {cancel.words()}; working there: {there}")
    progress.same_root = any(same_root(str(cancel.name), str(order.instrument)) for order in listed)


def _is_open(order: OrderOutcome) -> bool:
    return order.outcome in {Outcome.PENDING, Outcome.REQUESTED}


def _end(cancel: Cancel, progress: Progress, meant: list[OrderOutcome]) -> None:
    rejected = [each for each in meant if each.outcome is Outcome.REJECTED]
    too_late = [each for each in meant if each.outcome is Outcome.UNKNOWN]
    untold = [each for each in progress.orders if each.untold]
    if cancel.scope is Scope.CLIENT_ORDER and not progress.orders and progress.sent is Sent.NO:
        progress.end(Status.REJECTED, f"{NO_SUCH_ORDER} ({cancel.words()})")
    elif rejected:
        all_of_them = len(rejected) == len(meant)
        progress.end(Status.REJECTED if all_of_them else Status.FAILED, rejected[0].reason)
    elif too_late:
        progress.end(Status.FAILED, too_late[0].reason)
    elif untold:
        progress.end(Status.UNKNOWN, untold[0].reason)
    elif _nothing_was_to_be_done(cancel, progress, meant):
        progress.end(Status.NOTHING_TO_CANCEL)
    else:
        if progress.sent is Sent.UNNAMED or not meant:
            progress.warnings.append(_NAMELESS if not meant else _LATE_LIST)
        progress.end(Status.CONFIRMED)


def _nothing_was_to_be_done(cancel: Cancel, progress: Progress, meant: list[OrderOutcome]) -> bool:
    if progress.sent in {Sent.MAYBE, Sent.UNNAMED}:
        return False
    return not meant or (cancel.scope in _NAMES_ONE and all(each.asks == 0 for each in meant))
