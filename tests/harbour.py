"""Cancel an instrument at the broker of docs/adding-a-vendor.md, and print what came of it, as JSON.

Run by tests/test_adding_a_vendor.py as `python -m tests.harbour REDIS_URL`, where that page has been built.
"""

import contextlib
import importlib
import io
import json
import sys
import time
from collections import Counter
from typing import Any

from relay.authenticate import DEFAULT_SENDER
from relay.compose import compose
from relay.ledger import Key
from relay.outcome import Progress
from relay.plan import plan, read_alert
from relay.record import Record
from relay.settings import Settings
from tests.running import SECRET, until

TOKEN = "tests-only-harbour-token-1"

#: Account, instrument and side of the orders that rest; the first two are meant.
ORDERS = (("17", "EURUSD", "Buy"), ("17", "EURUSD", "Sell"), ("17", "GBPUSD", "Buy"), ("18", "EURUSD", "Buy"))


def came_of_it(redis_url: str) -> dict[str, Any]:
    """Hand an alert to its lane, as the pipeline does, and wait for its end."""
    # Found only where the page has been built.
    sandbox = importlib.import_module("relay.sandbox.harbour")
    with sandbox.HarbourSandbox(TOKEN) as broker:
        for account, instrument, side in ORDERS:
            broker.book.place(account=account, instrument=instrument, action=side, created=time.time() - 60)
        environ = {
            "REDIS_URL": redis_url,
            "RELAY_SECRET": SECRET,
            "HARBOUR_TOKEN": TOKEN,
            "HARBOUR_URL": broker.url,
        }
        relay = compose(Settings.read(environ))
        sent = {"action": "cancel", "vendor": "harbour", "account": 17, "instrument": "eurusd"}
        asked = read_alert(sent, {}, relay.lines, relay.scrubber)
        cancels = [(cancel, Progress()) for cancel in plan(asked)]
        record = Record("a" * 32, DEFAULT_SENDER, asked, cancels, 60_000, "content", "request-1")
        held = relay.ledger.claim(record, Key(DEFAULT_SENDER, "one", "c" * 64, 30_000)).held
        assert held is not None
        relay.worker.start()
        relay.lanes.first(held, until=time.monotonic() + 2)

        def ended() -> Record | None:
            found = relay.ledger.read("a" * 32)
            return found if found and found.status.ended else None

        end = until(ended, what="the alert's end")
        relay.worker.stop()
        return {
            "status": end.status,
            "outcomes": {
                order.order_id: order.outcome for _, progress in end.cancels for order in progress.orders
            },
            "book": {order.id: order.state for order in broker.book.orders()},
            "calls": Counter(call.kind for call in broker.cancel_calls),
        }


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):  # the relay's log
        found = came_of_it(sys.argv[1])
    sys.stdout.write(json.dumps(found))
