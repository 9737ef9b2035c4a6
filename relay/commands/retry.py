"""`retry`: another attempt for an alert that ended without success."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from relay.client import Answer, AwayError, Client, InterruptedByUserError
from relay.commands import terminal
from relay.commands.follow import follow, stopped, told, verdict
from relay.exit_status import ExitStatus

ABOUT = """\
Try again what ended as rejected, failed, expired or unknown, wait until that has ended, and say what
became of it. The relay lists, and cancels by id what the alert meant when it came: no newer order."""

EXAMPLES = """\
examples:
  python -m relay retry 5f0c7d1e9a3b4c6d8e0f1a2b3c4d5e6f
  python -m relay retry 5f0c7d1e9a3b4c6d8e0f1a2b3c4d5e6f --wait 300 --json"""


def carry_out(given: argparse.Namespace, environ: Mapping[str, str]) -> ExitStatus:
    """Ask for one more attempt, and only once: it may cancel anew each time."""
    client = Client.read(given.url, environ)
    until = time.monotonic() + given.wait
    look = f"look before you ask again: python -m relay show {given.alert_id}"
    answer: Answer | None = None
    try:
        answer = client.retry(given.alert_id)
        reply = follow(client, answer, until=until)
    except AwayError as failure:
        left = f"It may be tried again all the same; {look}" if failure.sent else "Nothing was asked for."
        raise AwayError(f"{failure.words} {left}", failure.problem) from None
    except KeyboardInterrupt:
        if answer is not None:
            raise stopped(answer) from None
        raise InterruptedByUserError(f"Interrupted: whether it is tried again is not known; {look}") from None
    terminal.result(told(reply), reply, as_json=given.json)
    return verdict(reply)
