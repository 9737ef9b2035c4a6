"""A bulk call that is slow, or never answered: what was there is noted meanwhile."""

import pytest
import redis

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.running import RunningRelay, until


@pytest.mark.promise(1, 2, 3)
def test_orders_placed_just_before_the_alert_are_known_after_a_kill(
    environ: dict[str, str], broker: CrossTradeSandbox
) -> None:
    """A list taken while the bulk call hangs outlives the process; its successor cancels those alone."""
    broker.trouble = Trouble(on="bulk", hang=True)
    just_before = broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")
    with RunningRelay({**environ, "RELAY_LEASE": "2"}) as relay:
        accepted = relay.alert(account="Sim101", instrument="MES 12-26", reply_when="accepted")
        alert_id = accepted.json()["alert_id"]
        with redis.Redis.from_url(environ["REDIS_URL"], decode_responses=True) as ledger:
            name = f"relay:alert:{alert_id}"
            until(lambda: just_before in str(ledger.hget(name, "record")), what="the list in the ledger")
        relay.kill()
    just_after = broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")
    broker.trouble = None

    with RunningRelay({**environ, "RELAY_LEASE": "2"}) as successor:
        record = successor.ended(alert_id)

    assert broker.book.order(just_before).state == "Cancelled"
    assert broker.book.order(just_after).state == "Working"
    assert len([call for call in broker.cancel_calls if call.kind == "bulk"]) == 1
    assert record["status"] == "confirmed"
