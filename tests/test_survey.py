"""A list beside a send: begun by a clock, and waited for by whoever sends."""

import threading

import pytest

from relay.survey import Survey
from relay.vendor import Order, State

ORDER = Order("1", "Sim101", "MES 12-26", "buy", State.WORKING, "Working", None)

_Thread = threading.Thread


@pytest.mark.promise(1, 3)
def test_a_list_that_is_just_beginning_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock begins it in the very moment in which the bulk call comes back without an answer."""
    beginning, go_on = threading.Event(), threading.Event()

    class Slow(_Thread):
        def start(self) -> None:
            beginning.set()
            assert go_on.wait(20)
            super().start()

    beside = Survey(lambda: (ORDER,))
    found: list[object] = []
    clock = _Thread(target=beside.start)
    sender = _Thread(target=lambda: found.append(beside.result(20)))
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", Slow)
        clock.start()
        assert beginning.wait(20)

    sender.start()
    go_on.set()
    clock.join(20)
    sender.join(20)

    assert found == [(ORDER,)]
