"""What a seed draws: the same each time, and nothing that two alerts could fight over."""

from collections import Counter

import pytest

from tests.faults.plan import MIX, Role, alerts

pytestmark = pytest.mark.house


def test_an_alert_of_a_seed_is_the_same_in_every_run() -> None:
    """A failure's seed and number draw the same alert again, in a round of its own."""
    whole = list(alerts(7, 0, 60, 16))
    again = list(alerts(7, 40, 20, 16))

    assert [each.orders for each in whole[:1]] == [each.orders for each in alerts(7, 0, 1, 16)]
    assert [(each.number, each.vendor, each.target) for each in whole[40:]] == [
        (each.number, each.vendor, each.target) for each in again
    ]
    assert list(alerts(7, 0, 60, 16)) == whole
    assert list(alerts(8, 0, 60, 16)) != whole


def test_every_target_of_every_vendor_is_drawn() -> None:
    """Two thousand alerts have all that the mix names."""
    drawn = Counter((each.vendor, each.target) for each in alerts(1, 0, 2_000, 16))

    assert set(drawn) == {(vendor, target) for vendor, (_, targets) in MIX.items() for target in targets}


def test_no_alert_means_an_order_of_another() -> None:
    """Where two share an account, each has an instrument of its own, and neither means a decoy's."""
    meant: dict[tuple[str, str], dict[int, set[str]]] = {}
    decoys: dict[tuple[str, str], dict[int, set[str]]] = {}
    for alert in alerts(3, 0, 2_000, 16):
        for order in alert.orders:
            where = meant if order.role is Role.MEANT else decoys
            by_alert = where.setdefault((alert.vendor, order.fields["account"]), {})
            by_alert.setdefault(alert.number, set()).add(order.fields["instrument"])
    shared = {account: by_alert for account, by_alert in meant.items() if len(by_alert) > 1}

    assert len(shared) > 50
    for account, by_alert in shared.items():
        (one, other), (ones, others) = by_alert, by_alert.values()
        assert not ones & others
        assert not decoys[account].get(one, set()) & others
        assert not decoys[account].get(other, set()) & ones
