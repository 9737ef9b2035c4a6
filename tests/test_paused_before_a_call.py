"""A process that sleeps between its last look at its lease and a call to its vendor."""

import pytest

from relay.cancel import Cancel, Scope
from relay.errors import LeaseEnded
from relay.vendors.crosstrade import CrossTrade
from tests.scripted import Stage
from tests.vendors.dialogue import answer


@pytest.mark.promise(2, 3)
def test_a_call_is_not_begun_when_the_lease_has_no_time_for_it(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops as whoever lost his lease does, and what was under way is taken over."""
    vendor = CrossTrade("UTC")
    stage = Stage(redis_url, vendor, lambda *_: answer({"success": True, "orders": []}))
    held = stage.hold(Cancel("crosstrade", "Sim101", Scope.ACCOUNT))
    monkeypatch.setattr(held, "keep", lambda _: None)  # it had time enough, and then slept
    monkeypatch.setattr(held, "left_s", lambda: 0.1)

    with pytest.raises(LeaseEnded):
        stage.talk(held).hold(vendor.working("Sim101"), urgent=True)

    assert stage.transport.calls == []
