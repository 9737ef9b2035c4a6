"""`alerts`: the sender's own alerts, newest first."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from relay.client import Client
from relay.commands import terminal
from relay.commands.follow import told
from relay.exit_status import ExitStatus
from schemas.listing import USUAL

#: Pages that are turned at most to find as many as are wanted: the relay looks through 1 000 alerts for each.
PAGES = 20

ABOUT = """\
List your own alerts, newest first, a line each: when it came (in this machine's zone), its id, and what
became of it, in words. `python -m relay show ID` tells more of one."""

EXAMPLES = """\
examples:
  python -m relay alerts
  python -m relay alerts --status failed,unknown,expired,rejected --limit 5
  python -m relay alerts --vendor autoshares --before 2026-11-21T14:30:00Z
  python -m relay alerts --json                      one document: {"alerts": […], "before": …, …}"""


def carry_out(given: argparse.Namespace, environ: Mapping[str, str]) -> ExitStatus:
    """List what is asked for, over as many pages as it takes."""
    client = Client.read(given.url, environ)
    asked = {name: vars(given)[name] for name in ("status", "vendor", "limit", "before")}
    asked = {name: value for name, value in asked.items() if value is not None}
    found: list[dict[str, Any]] = []
    warnings: list[str] = []
    for _ in range(PAGES):
        page = client.alerts(asked)
        found += page["alerts"]
        warnings += page["warnings"]
        if page["before"] is None:
            break
        asked["before"] = page["before"]
        # The relay has read the limit, so it is a number; without one its page is full at the usual many.
        left = int(asked.get("limit", USUAL)) - len(page["alerts"])
        if left < 1:
            break
        asked["limit"] = str(left)
    document = {"alerts": found, "before": page["before"], "warnings": warnings}
    if found or given.json:
        terminal.result("\n".join(map(_line, found)), document, as_json=given.json)
    for warning in warnings:
        terminal.aside(f"Warning: {terminal.plain(warning)}")
    if page["before"] is not None:
        terminal.aside(f"There may be more: --before {page['before']}")
    elif not found:
        terminal.aside("No such alerts.")
    return ExitStatus.DONE


def _line(alert: Mapping[str, Any]) -> str:
    return f"{terminal.local(alert['received_at'])}  {alert['alert_id']}  {told(alert)}"
