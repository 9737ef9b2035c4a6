"""One list for all who wait for it: cancels that wait for one account ask its vendor once.

A list serves only those who came before it was asked for: what they sent, or learnt, came before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from relay.errors import NotSent, VendorError
from relay.vendor import Order

Orders = tuple[Order, ...]


class _Round:
    """One list that is asked for, or will be, and what came of it."""

    def __init__(self) -> None:
        self.under_way = threading.Event()
        self.over = threading.Event()
        self.orders: Orders | None = None
        self.failure: VendorError | None = None

    def result(self) -> Orders:
        """Give the list, or raise what the vendor said; `NotSent` where whoever asked was stopped."""
        if self.orders is not None:
            return self.orders
        raise self.failure or NotSent("the list that was waited for did not come", tried=False)


class SharedLists:
    """The lists of one credential: of each account, one at a time."""

    def __init__(self) -> None:
        """Start with none under way."""
        self._lock = threading.Lock()
        self._running: dict[str, _Round] = {}
        self._next: dict[str, _Round] = {}

    def get(self, of: str, ask: Callable[[], Orders], patience_s: float) -> Orders:
        """Give a list that was asked for after this call, by whoever asks it.

        Raises `NotSent` where it does not come within `patience_s`, beside what `ask` raises.
        """
        mine, leads = self._joined(of)
        if not leads:
            mine.over.wait(patience_s)
            return mine.result()
        if not mine.under_way.wait(patience_s) and self._withdrawn(of, mine):
            return mine.result()
        try:
            mine.orders = ask()
        except VendorError as failure:
            mine.failure = failure
            raise
        finally:
            self._ended(of, mine)
        return mine.orders

    def _joined(self, of: str) -> tuple[_Round, bool]:
        """Give the round to wait for, and whether the caller is the one who asks."""
        with self._lock:
            if of not in self._running:
                mine = self._running[of] = _Round()
                mine.under_way.set()
                return mine, True
            leads = of not in self._next
            return self._next.setdefault(of, _Round()), leads

    def _withdrawn(self, of: str, mine: _Round) -> bool:
        """Give up a round whose turn did not come; say no if it came meanwhile."""
        with self._lock:
            if mine.under_way.is_set():
                return False
            del self._next[of]
            mine.over.set()
            return True

    def _ended(self, of: str, mine: _Round) -> None:
        """Let those who wait for this round go, and the next one begin."""
        with self._lock:
            following = self._next.pop(of, None)
            if following is None:
                del self._running[of]
            else:
                self._running[of] = following
                following.under_way.set()
        mine.over.set()
