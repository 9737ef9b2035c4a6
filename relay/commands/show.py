"""`show`: one alert, with its whole history, in words."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from relay.client import Client
from relay.commands import terminal
from relay.commands.follow import told, verdict
from relay.exit_status import ExitStatus

ABOUT = """\
Show an alert of yours: what became of it, order by order, and each call to the broker. Ends with the
status that `send` would end with."""

EXAMPLES = """\
examples:
  python -m relay show 5f0c7d1e9a3b4c6d8e0f1a2b3c4d5e6f
  python -m relay show 5f0c7d1e9a3b4c6d8e0f1a2b3c4d5e6f --json      the record, as GET /alerts/ID has it"""


def carry_out(given: argparse.Namespace, environ: Mapping[str, str]) -> ExitStatus:
    """Show the alert with that id."""
    record = Client.read(given.url, environ).show(given.alert_id)
    terminal.result("\n".join(_lines(record)), record, as_json=given.json)
    return verdict(record)


def _lines(record: Mapping[str, Any]) -> Iterator[str]:
    yield told(record)
    yield f"Alert {record['alert_id']}, received {terminal.local(record['received_at'])}"
    if record.get("note"):
        yield f"Note: {terminal.plain(record['note'])}"
    yield from (f"Warning: {terminal.plain(each)}" for each in record["warnings"])
    for cancel in record["cancels"]:
        yield from _of_cancel(cancel)
    yield ""
    yield from (_step(each) for each in record["history"])


def _of_cancel(cancel: Mapping[str, Any]) -> Iterator[str]:
    target = ", ".join(f"{name} {value}" for name, value in cancel["target"].items())
    where = "every account" if cancel["account"] is None else f"account {cancel['account']}"
    reason = f" ({cancel['reason']})" if cancel["reason"] else ""
    tries = f"{cancel['attempts']} attempt{'s' * (cancel['attempts'] != 1)}"
    yield ""
    yield terminal.plain(f"{cancel['vendor']}, {where}, {target}: {cancel['status']}, {tries}{reason}")
    for order in cancel["orders"]:
        account = f" in {order['account']}" if "account" in order else ""
        why = f" ({order['reason']})" if "reason" in order else ""
        yield terminal.plain(f"  order {order['order_id']}{account}: {order['outcome']}{why}")


def _step(step: Mapping[str, Any]) -> str:
    """Say one step of the history: a call to a broker, or whatever else the relay noted."""
    at = terminal.local(step["at"], whole=False)
    if step["step"] == "call":
        said = step["outcome"] if step["status"] is None else step["status"]
        words = f"{step['method']} {step['url']}: {said} in {step['ms']} ms"
    else:
        facts = [f"{name} {value}" for name, value in step.items() if name not in {"at", "step"}]
        words = " ".join([step["step"], *facts])
    return f"{at}  {terminal.plain(words)}"
