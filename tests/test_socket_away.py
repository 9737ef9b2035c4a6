"""A WebSocket that cannot be had while HTTP answers: a list proves nothing of a cancel that never left."""

import time

import pytest

from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.compose import compose
from relay.ledger import Key
from relay.outcome import Outcome, Progress
from relay.record import Record
from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.settings import Settings
from tests.running import free_port

#: Seconds in which a visit ends, on a machine that has much else to do.
LONG = 30.0

#: Milliseconds within which the next try comes, its jitter included: the next look comes within 16 000.
SOON_MS = 5_000


@pytest.mark.promise(6)
def test_a_cancel_that_found_no_socket_is_tried_as_often_as_one_that_found_no_broker(
    environ: dict[str, str], broker: CrossTradeSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list goes over HTTP and is there; the next try comes as if nothing had been."""
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    socket = f"ws://127.0.0.1:{free_port()}/"
    relay = compose(
        Settings.read({**environ, "CROSSTRADE_TRANSPORT": "websocket", "CROSSTRADE_WS_URL": socket})
    )
    broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy", created=time.time() - 60)
    cancel, progress = Cancel("crosstrade", "Sim101", Scope.ACCOUNT), Progress(looks=10)
    alert = Alert(vendor="crosstrade", accounts=("Sim101",), scope="account")
    record = Record("1" * 32, "default", alert, [(cancel, progress)], 60_000, "content", "request-1")
    held = relay.ledger.claim(record, Key("default", "1", "1" * 64, 30_000)).held
    assert held is not None
    try:
        relay.lanes.first(held, until=time.monotonic() + LONG).wait(LONG)

        assert [order.outcome for order in progress.orders] == [Outcome.PENDING]
        assert progress.due_ms is not None
        assert progress.due_ms - held.now_ms() <= SOON_MS
    finally:
        relay.stop()
