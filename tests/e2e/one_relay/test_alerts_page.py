"""docs/alerts.md: it has every field of a reply, of a record and of a list."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import place
from tests.running import ROOT, RunningRelay

#: Words behind which stands what the alert, or the broker's address, said: their names are not ours.
NOT_OURS = ("fields", "errors", "target", "json", "headers")


def names(value: object) -> Iterator[str]:
    """Give the names of all fields in an answer."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            if name not in NOT_OURS:
                yield from names(inner)
    if isinstance(value, list):
        for inner in value:
            yield from names(inner)


def answers(relay: RunningRelay) -> Iterator[Any]:
    """Give answers of every kind."""
    reply = relay.alert(account="Sim101", instrument="MES 12-26", reply_when="confirmed")
    yield reply.json()
    yield relay.record(reply.json()["alert_id"])
    yield relay.alert(scope="everything").json()
    yield relay.alert(account="Sim101", order_id="no-such-order", reply_when="confirmed").json()
    relay.alert(account="Sim101", instrumnet="MES 12-26")
    headers = {"Authorization": f"Bearer {relay.secret}"}
    yield requests.get(f"{relay.url}/alerts?status=refused", headers=headers, timeout=30).json()
    rehearsed = relay.alert(account="Sim101", instrument="MES 12-26", dry_run=True).json()
    assert rehearsed.pop("calls")
    for cancel in rehearsed["cancels"]:
        assert cancel.pop("calls")
    yield rehearsed


@pytest.mark.promise(5)
def test_every_field_of_an_answer_is_explained(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """Whatever the relay answers about an alert, its name stands on the page."""
    place(broker)
    page = (ROOT / "docs/alerts.md").read_text()

    given = {name for answer in answers(relay) for name in names(answer)}

    assert {"refused", "history", "http", "links", "before"} <= given
    assert [name for name in sorted(given) if f"`{name}`" not in page and f'"{name}":' not in page] == []
