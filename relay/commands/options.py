"""The options of the commands that speak to a relay."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from relay.client import InterruptedByUserError
from relay.commands import alerts, retry, send, show
from relay.commands.follow import WAIT_S
from relay.exit_status import ExitStatus

COMMANDS = ("send", "alerts", "show", "retry")

#: The longest that a command may wait, in seconds: the longest delay of an alert, and its reading back.
LONGEST_WAIT_S = 90_000

_Do = Callable[[argparse.Namespace, Mapping[str, str]], ExitStatus]

_EXIT = """
exit statuses:
  0    confirmed, nothing to cancel, or as far as was asked for
  1    the cancel did not succeed
  2    what was typed or set is wrong: nothing was done
  3    not known yet: it is still under way, and the relay goes on by itself
  4    the relay cannot be reached, or cannot take alerts now (5xx)
  130  Ctrl-C"""


def add(add_command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the command line; `add_command` makes a parser for one."""
    sending = _command(add_command, "send", send.ABOUT, send.EXAMPLES, "an alert, and what became of it")
    sending.add_argument("words", nargs="*", metavar="name=value", help="fields of the alert")
    sending.add_argument("--file", metavar="FILE", help="a message that has the fields; - is standard input")
    sending.add_argument("--id", help="the alert's own id (one is made)")
    sending.add_argument(
        "--dry-run", action="store_true", help="show the calls to the broker, send none of them"
    )
    _wait(sending)
    sending.set_defaults(carry_out=_quietly(send.carry_out))

    listing = _command(add_command, "alerts", alerts.ABOUT, alerts.EXAMPLES, "your alerts, newest first")
    listing.add_argument("--status", help="one status, or several with commas between")
    listing.add_argument("--vendor", help="one vendor's")
    listing.add_argument("--limit", help="how many, 1 to 200 (50)")
    listing.add_argument("--before", help="those received before a moment, or after another list's end")
    listing.set_defaults(carry_out=_quietly(alerts.carry_out))

    showing = _command(add_command, "show", show.ABOUT, show.EXAMPLES, "one alert, with its history")
    showing.add_argument("alert_id", metavar="ID", help="the alert_id of a reply, or of the list")
    showing.set_defaults(carry_out=_quietly(show.carry_out))

    trying = _command(add_command, "retry", retry.ABOUT, retry.EXAMPLES, "another attempt for one")
    trying.add_argument("alert_id", metavar="ID", help="the alert_id of a reply, or of the list")
    _wait(trying)
    trying.set_defaults(carry_out=_quietly(retry.carry_out))


def _command(
    add_command: Callable[..., argparse.ArgumentParser], name: str, about: str, examples: str, summary: str
) -> argparse.ArgumentParser:
    parser = add_command(name, description=about, epilog=f"{examples}\n{_EXIT}", help=summary)
    parser.add_argument("--url", help="the relay's address (RELAY_URL); the secret is RELAY_SECRET's alone")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    return parser


def _wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait", type=_seconds, default=WAIT_S, metavar="SECONDS", help=f"for its end at most ({WAIT_S:g})"
    )


def _seconds(text: str) -> float:
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        seconds = Decimal(-1)
    if not 0 <= seconds <= LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of seconds from 0 to {LONGEST_WAIT_S}')
    return float(seconds)


def _quietly(do: _Do) -> _Do:
    """Let Ctrl-C reach the command, which says what it leaves behind."""

    def carry_out(given: argparse.Namespace, environ: Mapping[str, str]) -> ExitStatus:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return do(given, environ)
        except KeyboardInterrupt:
            raise InterruptedByUserError("Interrupted") from None

    return carry_out
