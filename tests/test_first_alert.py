"""An alert, from the webhook to the broker's book."""

import pytest

from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.running import TOKEN, RunningRelay


@pytest.mark.promise(5)
def test_an_alert_cancels_at_the_broker_and_says_that_it_looked(
    relay: RunningRelay, broker: CrossTradeSandbox
) -> None:
    """An instrument's cancel goes out as the vendor's document has it, and is confirmed from the book."""
    meant = broker.book.place(account="Sim101", instrument="MES 12-26", action="Buy")
    other = broker.book.place(account="Sim101", instrument="NQ 12-26", action="Buy")

    answer = relay.alert(account="Sim101", instrument="MES 12-26", reply_when="confirmed")

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "confirmed"
    assert answer.json()["cancels"][0]["orders"] == [{"order_id": meant, "outcome": "cancelled"}]
    assert broker.book.order(meant).state == "Cancelled"
    assert broker.book.order(other).state == "Working"
    (call,) = broker.cancel_calls
    assert (call.method, call.path) == ("POST", "/v1/api/accounts/Sim101/orders/cancel")
    assert call.body == b'{"instrument": "MES 12-26"}'
    assert call.headers["Authorization"] == f"Bearer {TOKEN}"
    assert call.headers["Content-Type"] == "application/json"
