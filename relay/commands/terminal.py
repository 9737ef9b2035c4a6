"""What a command says: its result on standard output, the rest on standard error."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from relay.exit_status import ExitStatus


def bear_any_letter() -> None:
    """Let a terminal, or a pipe, whose encoding lacks a letter get its number, and no command end in it.

    What was sent to the relay is under way by then, and a status of 1 would say that it came to nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # closed, it is None
            stream.reconfigure(errors="backslashreplace")


def document(content: Mapping[str, Any]) -> None:
    """Put one JSON document on standard output, in escapes where its encoding is not UTF-8."""
    encoding = codecs.lookup(getattr(sys.stdout, "encoding", None) or "ascii").name
    print(json.dumps(content, ensure_ascii=encoding != "utf-8"), flush=True)


def result(words: str, content: Mapping[str, Any], *, as_json: bool) -> None:
    """Give the one thing that was asked for: in words, or as one JSON document."""
    if as_json:
        document(content)
    else:
        print(words, flush=True)


def fail(line: str, problem: Mapping[str, Any], status: int, *, as_json: bool) -> int:
    """Say why a command came to nothing, and give its exit status; a script gets a problem, too."""
    aside(line)
    if as_json:
        document(problem)
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
