"""What a command says: its result on standard output, the rest on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from relay.exit_status import ExitStatus


def result(words: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """Give the one thing that was asked for: in words, or as one JSON document."""
    print(json.dumps(document, ensure_ascii=False) if as_json else words, flush=True)


def fail(line: str, document: Mapping[str, Any], status: int, *, as_json: bool) -> int:
    """Say why a command came to nothing, and give its exit status; a script gets a problem, too."""
    aside(line)
    if as_json:
        print(json.dumps(document, ensure_ascii=False), flush=True)
    return status


def hung_up() -> int:
    """End quietly: whoever read our output (`head`, a pager) has seen enough."""
    # Python would write what is left once more, at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitStatus.FAILED


def aside(words: str) -> None:
    """Say on the way what somebody who waits wants to know."""
    print(words, file=sys.stderr, flush=True)


def plain(text: object) -> str:
    """Give a text on one line, without what would steer a terminal: a broker's words come through here."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def local(moment: object, *, whole: bool = True) -> str:
    """Write a moment of the relay's in the zone of this machine, the `whole` of it or its time alone."""
    try:
        here = datetime.fromisoformat(str(moment)).astimezone()
    except ValueError:
        return plain(moment)
    return f"{here:%Y-%m-%d %H:%M:%S %Z}" if whole else f"{here:%H:%M:%S}.{here.microsecond // 1000:03}"


def now() -> str:
    """Write the time here."""
    return f"{datetime.now().astimezone():%H:%M:%S}"
