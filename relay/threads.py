"""Threads on a machine that may let none start.

That is no error of the work it was for: what must not fail in a burst has its threads from the start
(`filled`), and what can do without another goes on without it (`started`, `side_by_side`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from relay import log

T = TypeVar("T")


def started(thread: threading.Thread) -> bool:
    """Start a thread; where the machine lets none start, say so in the log, and to the caller."""
    try:
        thread.start()
    except RuntimeError:
        say_none(thread.name)
        return False
    return True


def say_none(what_for: str) -> None:
    """Say in the log that no thread could be started."""
    log.say("no_thread", {"for": what_for}, logging.WARNING)


def filled(most: int, name: str) -> ThreadPoolExecutor:
    """Give a pool whose threads all run, so that none has to be started in a burst.

    Where the machine allows fewer, it has half of what could be started: the lanes need some, too.
    """
    while True:
        pool, go = ThreadPoolExecutor(most, name), threading.Event()
        running = 0
        try:
            for _ in range(most):
                pool.submit(go.wait)
                running += 1
        except RuntimeError:
            say_none(name)
        go.set()
        if running == most:
            return pool
        pool.shutdown()
        most = max(1, running // 2)


def side_by_side(do: Callable[[T], None], items: Sequence[T], *, most: int, name: str) -> list[Exception]:
    """Do it for each, `most` at a time, and give what was raised, in the items' order, once all are through.

    The caller's own thread works, too: where no other can be started, it does them all.
    """
    raised: dict[int, Exception] = {}
    waiting = iter(enumerate(items))
    taking = threading.Lock()

    def work() -> None:
        while True:
            with taking:
                taken = next(waiting, None)
            if taken is None:
                return
            number, item = taken
            try:
                do(item)
            except Exception as failure:  # noqa: BLE001 - the caller is given it, and decides
                raised[number] = failure

    others = [threading.Thread(target=work, name=name) for _ in range(min(most, len(items)) - 1)]
    helpers = [thread for thread in others if started(thread)]
    work()
    for thread in helpers:
        thread.join()
    return [raised[number] for number in sorted(raised)]
