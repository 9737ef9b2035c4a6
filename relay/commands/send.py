"""`send`: an alert to a relay, and what became of it."""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relay.client import Answer, AwayError, Client, ClientError, InterruptedByUserError
from relay.commands import terminal
from relay.commands.follow import follow, stopped, told, verdict
from relay.errors import MalformedBody
from relay.exit_status import ExitStatus
from relay.parse import BODY_BYTES, parse
from schemas.alert import AlertSchema
from schemas.suggest import nearest

#: Resends and the seconds between them, as TradingView has them: support/solutions/43000529348.
RESENDS = 3
RESEND_S = 5

_KNOWN = AlertSchema().fields

ABOUT = """\
Send an alert to a relay, wait until it has ended, and say what became of it. What happens on the way goes
to standard error, a line each.

The alert's fields are given as name=value words; action is cancel where none is given. A timestamp and an
id are made unless they are given, so that the alert can be sent again: where the relay cannot be reached or
answers 5xx, that happens up to 3 times, 5 s apart, and no order is asked for twice.

The secret is taken from RELAY_SECRET (the first, where there are several) and never from the command line,
where every user of the machine sees it."""

EXAMPLES = """\
examples:
  python -m relay send vendor=crosstrade account=Sim101 instrument="MES 12-26"
  python -m relay send vendor=crosstrade account=Sim101,Sim102 scope=account side=sell --dry-run
  python -m relay send vendor=alphapoint account=7 order_id=4711 --wait 10 --json
  python -m relay send --file message.txt            a whole message, JSON or text, as a chart would send it
  python -m relay send --file - < message.json       the same from standard input
  python -m relay send vendor=autoshares account=6303 instrument=AAPL reply_when=requested
                                                     ends with status 0 when the broker took the request"""


def carry_out(given: argparse.Namespace, environ: Mapping[str, str]) -> ExitStatus:
    """Send the alert that the words and the file make."""
    client = Client.read(given.url, environ)
    fields = _fields(given)
    enough = "requested" if str(fields.get("reply_when", "")).lower() == "requested" else None
    until = time.monotonic() + given.wait
    answer: Answer | None = None
    try:
        answer = _sent(client, fields, until)
        reply = follow(client, answer, until=until, enough=enough)
    except KeyboardInterrupt:
        if answer is not None:
            raise stopped(answer) from None
        open_question = "Interrupted while sending: whether the relay has it is not known"
        raise InterruptedByUserError(f"{open_question}. The same once more: {_again(fields)}") from None
    words = [told(reply)]
    if reply.get("duplicate"):
        words.append("  The relay had this very alert already; this is what became of it.")
    words += [f"  would call: {_call(each)}" for each in reply.get("calls", ())]
    words += [f"  warning: {terminal.plain(each)}" for each in reply.get("warnings", ())]
    if reply["status"] != "dry_run":
        words.append(f"  python -m relay show {terminal.plain(reply['alert_id'])}")
    terminal.result("\n".join(words), reply, as_json=given.json)
    return verdict(reply, enough)


def _fields(given: argparse.Namespace) -> dict[str, Any]:
    """Give the alert's fields: the file's and the words', with what is to be made."""
    fields = _from_file(given.file) if given.file else {}
    added = dict(_word(each) for each in given.words)
    if len(added) < len(given.words):
        raise ClientError("A name stands there twice: which one counts?")
    if given.id is not None:
        added = _joined(added, {"id": given.id})
    if given.dry_run:
        added = _joined(added, {"dry_run": "true"})
    fields = _joined(fields, added)
    if not fields:
        raise ClientError("What is to be cancelled? Give name=value words, or a message by --file")
    fields.setdefault("action", "cancel")
    fields.setdefault("timestamp", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z")
    fields.setdefault("id", f"send-{secrets.token_hex(8)}")
    return fields


def _joined(fields: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    twice = sorted(name for name in fields.keys() & added.keys() if str(fields[name]) != str(added[name]))
    if twice:
        raise ClientError(f"{', '.join(twice)}: given twice, and not the same: which one counts?")
    return {**fields, **added}


def _word(word: str) -> tuple[str, Any]:
    """Read one name=value word."""
    name, equals, value = word.partition("=")
    name = name.strip().lower()
    if not equals or not name:
        # It is not repeated: it may be anything, a secret too.
        raise ClientError('Each word is name=value, as in vendor=crosstrade or instrument="MES 12-26"')
    if name not in _KNOWN and nearest(name, [*_KNOWN, "secret"]) == "secret":
        raise ClientError(
            f"{name} does not go on the command line, where every user of this machine sees it: "
            "set RELAY_SECRET, and change the secret that was typed"
        )
    if name == "account" and "," in value:
        return name, [each.strip() for each in value.split(",")]
    return name, value.strip()


def _from_file(name: str) -> dict[str, Any]:
    """Read the fields of a whole message, as the relay would."""
    try:
        if name == "-" and sys.stdin is None:
            raise ClientError("Standard input is closed, so no message can come from it")
        if name == "-":
            body = sys.stdin.buffer.read(BODY_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                body = file.read(BODY_BYTES + 1)
    except OSError as failure:
        raise ClientError(f"{name} cannot be read: {failure.strerror}") from None
    if len(body) > BODY_BYTES:
        raise ClientError(f"{name} is over {BODY_BYTES // 1024} KiB, which no alert needs")
    try:
        parsed = parse(body)
    except MalformedBody as failure:
        raise ClientError(failure.detail) from None
    if parsed.faults:
        raise ClientError("; ".join(f"{field} {', '.join(said)}" for field, said in parsed.faults.items()))
    return parsed.fields


def _sent(client: Client, fields: Mapping[str, Any], until: float) -> Answer:
    """Send it until an answer comes: the same alert each time, as a charting platform does."""
    # Numbers with a point are texts then, which the relay reads the same.
    body = json.dumps(fields, default=str).encode()
    reached = False
    terminal.aside(f"{terminal.now()} to {client.url}, as {terminal.plain(fields['id'])}")
    tries = 0
    while True:
        tries += 1
        try:
            return client.send(body)
        except AwayError as failure:
            reached = reached or failure.sent
            wait_s = RESEND_S if failure.wait_s is None else failure.wait_s
            if tries > RESENDS or time.monotonic() + wait_s > until:
                raise AwayError(
                    _given_up(failure, tries, _again(fields) if reached else None), failure.problem
                ) from None
            words = f"{terminal.plain(failure.words)} The same alert goes again in {wait_s} s."
            try:
                terminal.aside(f"{terminal.now()} {words}")
                time.sleep(wait_s)
            except KeyboardInterrupt:
                if reached:
                    raise
                raise InterruptedByUserError(
                    "Interrupted. Nothing arrived, so nothing is cancelled"
                ) from None


def _again(fields: Mapping[str, Any]) -> str:
    """Give the words that make the same command send the very same alert."""
    return f"--id {shlex.quote(str(fields['id']))} timestamp={shlex.quote(str(fields['timestamp']))}"


def _given_up(failure: AwayError, tries: int, again: str | None) -> str:
    words = f"{failure.words} Tried {tries} time{'s' * (tries > 1)}."
    if again is None:
        return f"{words} Nothing arrived, so nothing is cancelled."
    return f"{words} It may have arrived. To send the very same alert once more, which is safe, add: {again}"


def _call(call: Mapping[str, Any]) -> str:
    body = json.dumps(call["json"]) if call.get("json") else None
    said = [call.get("method"), call.get("url"), body, f"({call['when']})" if call.get("when") else None]
    return terminal.plain(" ".join(str(each) for each in said if each))
