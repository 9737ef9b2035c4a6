"""docs/from-crosstrade.md and docs/tradingview.md: their messages and scripts, sent to a real relay."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from relay.embedded_redis import EmbeddedRedis
from relay.sandbox.crosstrade import CrossTradeSandbox
from tests.e2e import Stage, place, problem, state
from tests.running import ROOT, SECRET, TOKEN, RunningRelay

FROM_CROSSTRADE = (ROOT / "docs/from-crosstrade.md").read_text()
TRADINGVIEW = (ROOT / "docs/tradingview.md").read_text()

#: The page's order: each test has another of its own.
ORDER = "adb3868865de4b59b0e147b8300e4a29"

#: The base64 of 24 bytes.
SIGNING = f"whsec_{base64.b64encode(b'tests-only-signing-key-1').decode()}"


class Row(NamedTuple):
    """A line of a table: a message of CrossTrade's, and the other cells."""

    message: str
    cells: list[str]


def rows(heading: str) -> list[Row]:
    """Give the table under a heading of the page."""
    section = FROM_CROSSTRADE.split(f"\n## {heading}")[1].split("\n## ")[0]
    found = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `key=")]
    return [Row(first.strip().strip("`"), [cell.strip() for cell in rest]) for first, *rest in found]


TAKEN = rows("What stays")
REFUSED = rows("What is refused")


@pytest.fixture(scope="module")
def stage(redis_server: EmbeddedRedis) -> Iterator[Stage]:
    """Run a relay whose secret may be CrossTrade's own key, and which takes signatures."""
    secrets = f"{SECRET},{TOKEN}"
    with Stage(redis_server, RELAY_SECRET=secrets, RELAY_SIGNING_SECRET=SIGNING) as stage:
        yield stage


def filled(message: str, order: str) -> str:
    """Give a message as a chart sends it: with the key that it has at CrossTrade."""
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return message.replace("…", TOKEN).replace(ORDER, order).replace("{{timenow}}", moment)


def calls(broker: CrossTradeSandbox) -> list[tuple[str, object]]:
    """Give the cancel calls that reached the broker: method and path, and the body."""
    return [(f"{call.method} {call.path}", json.loads(call.body or b"null")) for call in broker.cancel_calls]


@pytest.mark.promise(4, 10)
@pytest.mark.parametrize("row", TAKEN, ids=lambda row: row.message)
def test_what_stays_makes_the_call_that_stands_beside_it(
    relay: RunningRelay, broker: CrossTradeSandbox, row: Row
) -> None:
    """CrossTrade's message, with CrossTrade's key, makes these calls and no other."""
    order = place(broker)
    shown = re.findall(r"`(POST [^`]+)` `([^`]+)`", row.cells[0])

    answer = relay.post(filled(row.message, order))

    assert answer.ok, answer.text
    assert shown
    # Several accounts are asked side by side.
    expected = [(path.replace(ORDER, order), json.loads(body)) for path, body in shown]
    assert sorted(calls(broker), key=str) == sorted(expected, key=str)
    assert bool(answer.json()["warnings"]) is ("warning" in row.cells[0])
    relay.ended(answer.json()["alert_id"])


@pytest.mark.promise(4)
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.message)
def test_what_is_refused_names_the_fields_and_what_to_write_is_taken(
    relay: RunningRelay, broker: CrossTradeSandbox, row: Row
) -> None:
    """The fields at fault are those of the page; nothing is sent; what stands there instead cancels."""
    order = place(broker)
    at_fault, _, instead = row.cells

    faults = problem(relay.post(filled(row.message, order)), 422, "invalid-alert")["errors"]

    assert sorted(faults) == sorted(re.findall(r"`(\w+)`", at_fault))
    assert broker.calls == []
    for message in re.findall(r"`(key=[^`]+)`", instead):
        answer = relay.post(filled(message, order))
        assert answer.ok, answer.text
        relay.ended(answer.json()["alert_id"])
        assert state(broker, order) == "Cancelled"


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    "command", re.findall(r"[A-Z]{5,}", REFUSED[-1].cells[1].partition("Refused alike:")[2])
)
def test_commands_that_do_more_than_cancel_are_refused(
    relay: RunningRelay, broker: CrossTradeSandbox, command: str
) -> None:
    """Each that the page names; none is read as a cancel."""
    place(broker)

    answer = relay.post(f"key={TOKEN}; command={command}; account=Sim101; instrument=MES 12-26;")

    assert "command" in problem(answer, 422, "invalid-alert")["errors"]
    assert broker.calls == []


@pytest.mark.promise(8)
def test_crosstrades_fields_as_json_are_not_taken(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """JSON is in the relay's own words, whose secret is `secret`."""
    place(broker)
    fields = {"key": TOKEN, "command": "CANCELORDERS", "account": "Sim101", "instrument": "MES 12-26"}

    problem(relay.post(json.dumps(fields)), 401, "unauthenticated")

    assert broker.calls == []


@pytest.mark.promise(3)
@pytest.mark.parametrize("message", re.findall(r"`(key=[^`]*delay=[^`]*)`", FROM_CROSSTRADE))
def test_the_delay_of_the_page_waits(relay: RunningRelay, broker: CrossTradeSandbox, message: str) -> None:
    """What stands in place of `cancel_after` cancels nothing yet."""
    order = place(broker)

    answer = relay.post(filled(message, order))

    assert (answer.status_code, answer.json()["status"]) == (202, "scheduled"), answer.text
    assert broker.cancel_calls == []


def script(command: list[str], relay: RunningRelay) -> str:
    """Run one of the page's scripts as it stands there, and give what it prints."""
    environ = {"RELAY_URL": relay.url, "RELAY_SECRET": SECRET, "RELAY_SIGNING_SECRET": SIGNING}
    ended = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return ended.stdout


@pytest.mark.promise(8, 10)
def test_the_pages_signature_is_one(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """The script signs without any library, and the order is gone; with another body it is nobody's."""
    order = place(broker)
    (code,) = re.findall(r"^```python\n(.*?)^```", TRADINGVIEW, re.MULTILINE | re.DOTALL)
    forged = code.replace('+ "/webhook",\n    body,', '+ "/webhook",\n    body + b" ",')

    assert forged != code
    with pytest.raises(subprocess.CalledProcessError) as refused:
        script([sys.executable, "-c", forged], relay)
    assert "401" in refused.value.stderr
    assert broker.calls == []
    assert script([sys.executable, "-c", code], relay) == (
        "MES 12-26 in Sim101: 1 cancelled. Checked at the broker.\n"
    )
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(8, 10)
def test_the_pages_curl_line_cancels(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """With the secret in a header, and the alert's name in another."""
    order = place(broker)
    (line,) = re.findall(r"^    (curl .*\\\n.*)$", TRADINGVIEW, re.MULTILINE)

    answer = json.loads(script(["/bin/sh", "-c", line], relay))

    assert relay.ended(answer["alert_id"])["status"] == "confirmed"
    assert state(broker, order) == "Cancelled"


@pytest.mark.promise(3)
def test_a_clock_that_counts_milliseconds_is_refused(relay: RunningRelay, broker: CrossTradeSandbox) -> None:
    """As Pine's `timenow` does; the bar's start is refused with what to write instead."""
    ms = int(datetime.now(UTC).timestamp() * 1000)
    faults = problem(relay.alert(account="Sim101", scope="account", timestamp=ms), 422, "invalid-alert")
    bar = datetime.fromtimestamp((ms // 300_000 - 1) * 300, UTC)

    stale = relay.alert(account="Sim101", scope="account", timestamp=f"{bar:%Y-%m-%dT%H:%M:%SZ}")

    assert "milliseconds" in faults["errors"]["timestamp"][0]
    assert "write {{timenow}}" in problem(stale, 422, "stale-alert")["detail"]
    assert broker.calls == []
