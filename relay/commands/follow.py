"""Look at an alert until it has ended, and say what its end means for a script."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from relay.client import Answer, Client, ClientError, InterruptedByUserError
from relay.commands import terminal
from relay.exit_status import ExitStatus

#: Seconds for which a command waits where it is not told.
WAIT_S = 60.0

#: Seconds between two looks: from, doubled each time, and to.
LOOK_EVERY_S = (0.25, 2.0)

#: What an alert's status is until it has ended.
_OPEN = {"in_progress", "scheduled", "requested"}

#: HTTP statuses from here on are about a cancel that did not come true.
_FAILED_FROM = 400


def follow(client: Client, answer: Answer, *, until: float, enough: str | None = None) -> dict[str, Any]:
    """Give the reply to an alert as it stands when that has ended, or at the (monotonic) moment `until`.

    `enough` is a status at which the one who asked wants to wait no longer. `http` in what is given is the
    status with which the alert would be answered then.
    """
    reply = {**answer.body, "http": answer.status}
    _say(reply, None)
    pause_s, longest_s = LOOK_EVERY_S
    while reply["status"] in _OPEN and reply["status"] != enough and time.monotonic() < until:
        time.sleep(max(0.0, min(pause_s, until - time.monotonic())))
        pause_s = min(2 * pause_s, longest_s)
        before, reply = reply, _looked(client, reply)
        _say(reply, before)
    return reply


def stopped(answer: Answer) -> InterruptedByUserError:
    """Say what Ctrl-C leaves behind while the relay is at work."""
    words = "Stopped waiting; the relay goes on with it"
    return InterruptedByUserError(f"{words}: python -m relay show {answer.body['alert_id']}", answer.body)


def verdict(reply: Mapping[str, Any], enough: str | None = None) -> ExitStatus:
    """Say what a reply, or a record, means for a script."""
    status = reply["status"]
    if status in _OPEN:
        return ExitStatus.DONE if status == enough else ExitStatus.OPEN
    return ExitStatus.FAILED if reply["http"] >= _FAILED_FROM else ExitStatus.DONE


def told(reply: Mapping[str, Any]) -> str:
    """Say in words what became of it."""
    return f"{terminal.plain(reply['status'])}: {terminal.plain(reply['message'])}"


def _looked(client: Client, reply: dict[str, Any]) -> dict[str, Any]:
    """Give the reply as it stands now; as it was, where the relay does not tell at the moment."""
    try:
        record = client.show(reply["alert_id"])
    except ClientError as failure:
        terminal.aside(f"{terminal.now()} {terminal.plain(failure.words)}")
        return reply
    # The first answer alone knows whether it was a duplicate; the history is what `show` is for.
    kept = {name: reply[name] for name in ("duplicate", "duplicate_by") if name in reply}
    return {name: record.get(name, reply[name]) for name in reply} | kept


def _say(reply: Mapping[str, Any], before: Mapping[str, Any] | None) -> None:
    """Say where it stands while it is open, and where that has changed; its end is the command's result."""
    if reply["status"] in _OPEN and (before is None or told(reply) != told(before)):
        terminal.aside(f"{terminal.now()} {told(reply)}")
