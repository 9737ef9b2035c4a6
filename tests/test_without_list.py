"""A vendor whose list of orders cannot be had: nobody but third parties describe CrossTrade's."""

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from relay.sandbox.trouble import Trouble
from tests.running import RunningRelay


@pytest.mark.promise(5)
def test_orders_that_the_bulk_call_named_are_proven_singly(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """Where the list is refused, each order that the vendor named is read, and that is proof enough."""
    meant = broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")
    refusal = '{"success": false, "error": "not_found"}'
    broker.trouble = Trouble(on="read", times=1, status=404, answer=refusal)

    answer = relay.alert(account="Sim101", instrument="MES 12-26", reply_when="confirmed")

    assert answer.json()["status"] == "confirmed", answer.text
    assert broker.book.order(meant).state == "Cancelled"
    assert len(broker.cancel_calls) == 1
