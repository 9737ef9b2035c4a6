"""The command line: `python -m relay run`, `sandbox`, `worker`, `check`, and those that speak to a relay."""

from __future__ import annotations

import argparse
import difflib
import functools
import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from relay import check, log, stand_ins
from relay.client import ClientError
from relay.commands import options, terminal
from relay.compose import compose
from relay.errors import SettingsError
from relay.exit_status import ExitStatus
from relay.port import PortError
from relay.run import CannotRunError, EndedByItselfError, run
from relay.settings import Settings
from relay.version import VERSION

FAILED, MISTAKEN = ExitStatus.FAILED, ExitStatus.MISTAKEN

#: Seconds that a worker which is told to stop may finish what runs; Heroku kills after 30.
HAND_OVER_S = 20

COMMANDS = ("run", "sandbox", "worker", "check", *options.COMMANDS)

_PROG = "python -m relay"

_ABOUT = """\
Cancel Relay: a charting platform's alert becomes a broker's cancel, once, and proven.

  python -m relay run        try it: everything on this machine, against stand-in brokers
  python -m relay sandbox    the stand-in brokers alone, and the settings that point a relay at them
  python -m relay worker     carry on what the web process left open (the Procfile's worker)
  python -m relay check      look at the settings, Redis and the brokers

  python -m relay send       an alert to a relay, and what became of it
  python -m relay alerts     your alerts, newest first
  python -m relay show ID    one of them, with its history
  python -m relay retry ID   another attempt for one that ended without success

The web process is started by the Procfile's own line, which needs no command here. The last four speak
to a relay, wherever it runs: they need RELAY_URL (or --url) and RELAY_SECRET, and no other setting.

Exit statuses: 0 what was asked for is so. 1 the cancel did not succeed, or something outside does not
answer as it should. 2 what was typed or set is wrong. 3 not known yet. 4 the relay cannot be reached, or
cannot take alerts now. 130 Ctrl-C. docs/commands.md has an example of each command, and its output."""

_RUN = """\
Start Redis, stand-in brokers with working orders, the web process and a worker, and print curl lines that
cancel something. No account is needed, and no order leaves this machine. Ctrl-C ends all of it."""

_RUN_EXAMPLES = """\
examples:
  python -m relay run
  python -m relay run --port 9000 --folder /tmp/second-relay
  python -m relay run --verbose"""

_SANDBOX = """\
Start stand-ins for CrossTrade, AlphaPoint and Autoshares, with a few working orders each, until Ctrl-C.
Standard output gets the settings that point a relay at them, one NAME=value a line, and nothing else.
Credentials of those names are taken from the environment where they are set, else invented. The stand-ins
listen on this machine alone."""

_SANDBOX_EXAMPLES = """\
examples:
  python -m relay sandbox
  python -m relay sandbox --port 9100 > .env        then, where the relay starts: set -a; . ./.env
  CROSSTRADE_TOKEN=… python -m relay sandbox        with a token that you know"""

_WORKER = """\
Retry, read back and take over what is due, until SIGTERM. Needs the same settings as the web process."""

_WORKER_EXAMPLES = """\
examples:
  REDIS_URL=redis://localhost:6379/0 RELAY_SECRET=… CROSSTRADE_TOKEN=… python -m relay worker"""

_CHECK = """\
Say whether the settings hold, whether Redis answers, what each broker answers to a read-only call, and how
each service that tells you did.
Ends with status 0 when all is well, 1 when something outside does not answer, 2 with mistaken settings."""

_CHECK_EXAMPLES = """\
examples:
  python -m relay check               settings, Redis, brokers
  python -m relay check --notify      a test message to each service of RELAY_NOTIFY, which must take it
  python -m relay check --settings    the settings alone: asks nobody (the Procfile's release)
  python -m relay check --json        the same for a script, as one JSON document"""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Carry out one command, and give its exit status."""
    terminal.bear_any_letter()
    parser = _parser()
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        parser.print_help(sys.stderr)
        return MISTAKEN
    as_json = "--json" in words
    try:
        _refuse_strange(words[0], parser)
        # Words may stand among the options, which argparse leaves over.
        given, rest = parser.parse_known_args(words)
        if any(each.startswith("-") or "words" not in given for each in rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        vars(given).get("words", []).extend(rest)
        status: int = given.carry_out(given, environ)
    except SettingsError as failure:
        mistaken = ClientError(failure.report())
        return terminal.fail(mistaken.words, mistaken.document, mistaken.status, as_json=as_json)
    except ClientError as failure:
        by = "" if isinstance(failure, _MistypedError) else f"{_PROG}: "
        line = f"{by}{terminal.plain(failure.words)}"
        return terminal.fail(line, failure.document, failure.status, as_json=as_json)
    except BrokenPipeError:
        return terminal.hung_up()
    return status


def _refuse_strange(word: str, parser: argparse.ArgumentParser) -> None:
    if word.startswith("-") or word in COMMANDS:
        return
    near = difflib.get_close_matches(word, COMMANDS, n=1)
    known = f"did you mean {near[0]}" if near else f"there are {', '.join(COMMANDS)}"
    parser.error(f'there is no command "{word}": {known}')


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Each line at once, also into a pipe.
    say = functools.partial(print, flush=True)
    try:
        run(port=given.port, folder=given.folder, verbose=given.verbose, environ=environ, say=say)
    except CannotRunError as failure:
        sys.stderr.write(f"{failure}\n")
        return MISTAKEN
    except EndedByItselfError as failure:
        sys.stderr.write(f"{failure}\n")
        return FAILED
    return 0


def _sandbox(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Held back until we wait for them: told to end at whatever moment, all of it ends in order.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    credentials = stand_ins.credentials(environ)
    try:
        with stand_ins.started(credentials, given.port) as started:
            settings = sorted(started.settings.items())
            # In one piece, so that whoever finds a line there finds them all.
            print("\n".join(f"{name}={shlex.quote(value)}" for name, value in settings), flush=True)
            print(_about_stand_ins(started, sorted(stand_ins.taken(environ))), file=sys.stderr, flush=True)
            signal.sigwait(ends)
    except PortError as failure:
        sys.stderr.write(f"{failure}\n")
        return MISTAKEN
    return 0


def _about_stand_ins(started: stand_ins.StandIns, taken: Sequence[str]) -> str:
    """Say what each book holds, and what can be done. Each command is one line for a shell."""
    books = "\n\n".join(
        f"{broker.name}, {len(broker.orders)} working orders: {broker.holdings}\n  curl {broker.book_url}"
        for broker in started.brokers
    )
    trouble = f"{started.brokers[0].control_url}trouble"
    from_environ = f"Taken from the environment: {', '.join(taken)}.\n" if taken else ""
    return f"""
The stand-in brokers serve. What went to standard output points a relay at them.
{from_environ}
{books}

Beside each book are switches: /_sandbox/behaviour for how the broker is, /_sandbox/trouble for what goes
wrong, and, but for Autoshares, /_sandbox/sockets for how its WebSockets are. GET shows them, PUT sets them,
and an empty list ends all trouble. One read that fails:

  curl -X PUT -d '[{{"on": "read", "times": 1, "status": 500}}]' {trouble}

Ctrl-C ends all of them."""


def _worker(_given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    # Waited for in a thread: a handler would run in the midst of whatever the worker does, its locks held.
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    settings = Settings.read(environ)
    relay = compose(settings)
    worker = relay.worker
    for warning in settings.warnings:
        log.say("settings_warning", {"warning": warning}, logging.WARNING)

    def interrupt_when_told() -> None:
        signal.sigwait(ends)
        worker.interrupt()
        # What takes longer is handed over: its lease ends, and another process takes it.
        time.sleep(HAND_OVER_S)
        _hand_over()

    threading.Thread(target=interrupt_when_told, name="signals", daemon=True).start()
    relay.keep_open.start()
    worker.run()
    relay.stop()
    return 0


def _hand_over() -> NoReturn:
    log.say("handed_over", {"after_s": HAND_OVER_S}, logging.WARNING)
    sys.stdout.flush()
    os._exit(0)


def _check(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    settings = Settings.read(environ)
    if given.json:
        return _check_for_a_script(given, settings)
    print("The settings hold.")
    for line in check.settings_on(settings):
        print(f"  {line}")
    if given.settings:
        return 0
    good = True
    relay = compose(settings)
    log.in_words(relay.scrubber, lambda words: print(f"Warning: {words}", flush=True))
    for finding in check.told(relay) if given.notify else check.outside(relay):
        print(finding.words, flush=True)
        good = good and finding.good
    return 0 if good else FAILED


def _check_for_a_script(given: argparse.Namespace, settings: Settings) -> int:
    """Say the same as one JSON document; what the log warns of is in it."""
    warnings: list[str] = []
    findings = []
    if not given.settings:
        relay = compose(settings)
        log.in_words(relay.scrubber, warnings.append)
        looked = check.told(relay) if given.notify else check.outside(relay)
        findings = [{"words": each.words, "good": each.good} for each in looked]
    good = all(each["good"] for each in findings)
    said = {"good": good, "settings": list(check.settings_on(settings))}
    terminal.document({**said, "findings": findings, "warnings": warnings})
    return 0 if good else FAILED


class _MistypedError(ClientError):
    """What was typed is no command line."""


class _Parser(argparse.ArgumentParser):
    """Say what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise _MistypedError(f"{self.prog}: {message}. {self.prog} --help has examples.")


def _parser() -> argparse.ArgumentParser:
    # No options in short: what is half typed is no instruction.
    raw = argparse.RawDescriptionHelpFormatter
    parser = _Parser(prog=_PROG, description=_ABOUT, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"Cancel Relay {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = functools.partial(commands.add_parser, formatter_class=raw, allow_abbrev=False)
    running = add("run", description=_RUN, epilog=_RUN_EXAMPLES, help="everything on this machine")
    running.add_argument("--port", type=_port, default=8000, help="where alerts go (8000)")
    running.add_argument("--folder", type=Path, default=Path(".relay"), help="for data and logs (.relay)")
    running.add_argument("--verbose", action="store_true", help="print the log here, not into the folder")
    running.set_defaults(carry_out=_run)
    standing_in = add(
        "sandbox", description=_SANDBOX, epilog=_SANDBOX_EXAMPLES, help="the stand-in brokers alone"
    )
    standing_in.add_argument(
        "--port",
        type=_first_port,
        help="CrossTrade's; the next two are AlphaPoint's and Autoshares's (free ones)",
    )
    standing_in.set_defaults(carry_out=_sandbox)
    working = add("worker", description=_WORKER, epilog=_WORKER_EXAMPLES, help="the worker process")
    working.set_defaults(carry_out=_worker)
    checking = add("check", description=_CHECK, epilog=_CHECK_EXAMPLES, help="what the relay was given")
    how = checking.add_mutually_exclusive_group()
    how.add_argument("--settings", action="store_true", help="ask nobody")
    how.add_argument("--notify", action="store_true", help="send a test message to each service")
    checking.add_argument("--json", action="store_true", help="say it as one JSON document")
    checking.set_defaults(carry_out=_check)
    options.add(add)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f'"{text}" is no port: write a number from 1 to 65535')
    return int(text)


def _first_port(text: str) -> int:
    """Read the first of the stand-ins' ports: the others need a number, too."""
    port = _port(text)
    if port + stand_ins.PORTS > 2**16:
        highest = 2**16 - stand_ins.PORTS
        raise argparse.ArgumentTypeError(f'"{text}" leaves no room for {stand_ins.PORTS}: {highest} at most')
    return port
