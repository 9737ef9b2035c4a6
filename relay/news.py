"""What a vendor tells by itself of orders, kept for a while: it may spare a question; nothing rests on it.

News reach the process whose WebSocket they came over. Another one that carries the alert on asks instead.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable

from relay.vendor import Order

#: Orders whose end is kept: the newest, of which an alert may still be waiting for some.
_KEPT = 2_000


class News:
    """The ends of orders as they were told; safe between threads."""

    def __init__(self) -> None:
        """Start with none."""
        self._ended: OrderedDict[tuple[str | int, str | int], Order] = OrderedDict()
        self._told = threading.Condition()

    def tell(self, order: Order) -> None:
        """Keep what was told of an order that is over; one that works may be another the next moment."""
        if not order.state.over:
            return
        with self._told:
            self._ended[(order.account, order.order_id)] = order
            self._ended.move_to_end((order.account, order.order_id))
            while len(self._ended) > _KEPT:
                self._ended.popitem(last=False)
            self._told.notify_all()

    def of(self, key: tuple[str | int, str | int]) -> Order | None:
        """Give the order of that account and id as it ended, where that was told."""
        with self._told:
            return self._ended.get(key)

    def forget(self, key: tuple[str | int, str | int]) -> None:
        """Keep nothing of an order."""
        with self._told:
            self._ended.pop(key, None)

    def wait(self, seconds: float, keys: Iterable[tuple[str | int, str | int]]) -> bool:
        """Wait until all of these orders are known to be over, and no longer than that; say whether they are.

        Where there are none the whole time is waited.
        """
        awaited = set(keys)
        until = time.monotonic() + seconds
        with self._told:
            while not awaited or not awaited <= self._ended.keys():
                left_s = until - time.monotonic()
                if left_s <= 0:
                    return False
                self._told.wait(left_s)
            return True
