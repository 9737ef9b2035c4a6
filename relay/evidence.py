"""Which orders an alert means: those that were there when it came, and only those.

Pure reasoning, without a clock or a vendor. The rule (specification, section 5) exists so that a
retry, however late, never touches an order that was placed after the alert.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from relay.cancel import Cancel, Scope
from relay.outcome import Progress
from relay.vendor import Order


class Verdict(StrEnum):
    """Whether a working order is one of those that the alert means."""

    MEANT = "meant"
    NOT_MEANT = "not meant"
    NEWER = "newer"
    UNTOLD = "untold"


def judge(
    cancel: Cancel,
    progress: Progress,
    order: Order,
    *,
    doubt_ms: tuple[int, int],
    same_instrument: Callable[[str | int, Order], bool | None],
) -> tuple[Verdict, str | None]:
    """Say whether the alert means a working order; for UNTOLD, why nothing can tell.

    An order that the alert names by the trader's own id is meant, unless its time says that it is a
    newer one of that id. `doubt_ms` is `Record.doubt_ms`.
    """
    aimed, why = _aimed_at(cancel, order, same_instrument)
    if aimed is not None and not aimed:
        return Verdict.NOT_MEANT, None
    there: bool | None
    when: str | None
    if cancel.scope is Scope.CLIENT_ORDER:
        there, when = not _is_newer(progress, order, doubt_ms), None
    else:
        there, when = _was_there(progress, order, doubt_ms)
    if there is not None and not there:
        return (Verdict.NEWER if aimed else Verdict.NOT_MEANT), None
    if aimed and there:
        return Verdict.MEANT, None
    return Verdict.UNTOLD, why or when


def _aimed_at(
    cancel: Cancel, order: Order, same_instrument: Callable[[str | int, Order], bool | None]
) -> tuple[bool | None, str | None]:
    """Say whether the order is of the kind that the cancel names; None, and why, where nothing tells."""
    same: bool | None = True
    shown = order.instrument or "an unnamed instrument"
    if cancel.scope is Scope.INSTRUMENT:
        same = cancel.name is not None and same_instrument(cancel.name, order)
    aims = (
        (
            same,
            f"whether {cancel.name} means {shown} cannot be told: name the contract, or its id",
        ),
        (_told(cancel.side, order.side), "its side cannot be told"),
        (_told(cancel.user_id, order.user_id), "who entered it cannot be told"),
        (
            cancel.scope is not Scope.CLIENT_ORDER or _told(cancel.name, order.client_id),
            "its client id cannot be told",
        ),
    )
    if any(hit is not None and not hit for hit, _ in aims):
        return False, None
    why = next((why for hit, why in aims if hit is None), None)
    return (True, None) if why is None else (None, why)


def _told(asked: str | int | None, shown: str | int | None) -> bool | None:
    """Say whether what a row shows is what was asked for, if anything was; None where it shows nothing."""
    if asked is None:
        return True
    return None if shown is None else asked == shown


def _is_newer(progress: Progress, order: Order, doubt_ms: tuple[int, int]) -> bool:
    """Say whether an order was surely placed after the alert."""
    if [order.account, order.order_id] in (progress.was_there or []):
        return False
    return order.created is not None and order.created.ms > doubt_ms[1]


def _was_there(progress: Progress, order: Order, doubt_ms: tuple[int, int]) -> tuple[bool | None, str | None]:
    """Say whether the order was there when the alert came."""
    before_ms, after_ms = doubt_ms
    listed = progress.was_there
    if listed is not None and [order.account, order.order_id] in listed:
        return True, None
    created = order.created
    if created is not None and created.ms < before_ms:
        # A time that moves when an order is changed only moves forward: before the alert, it still proves.
        sure = listed is None or created.zone_is_sure
        return (True, None) if sure else (None, _ZONE)
    if listed is not None:
        return False, None
    if created is not None and created.ms > after_ms:
        return False, None  # or an order that was changed since: a warning names it either way
    return None, "whether it was placed before or after the alert cannot be told"


_ZONE = "its time says that it was there, a list of that moment that it was not: is the time zone right?"
