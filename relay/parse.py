"""Raw bytes → fields: JSON, `key=value;` text, or a form, whatever the Content-Type says.

TradingView sends `text/plain` when its own JSON check fails, and curl calls everything a form, so
the body itself is asked. Positions are told, contents never: a body that cannot be read may hold
the secret.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from relay.errors import MalformedBody

#: Bytes of the largest body that is read; TradingView's messages are far below.
BODY_BYTES = 16 * 1024

#: How deep JSON may be nested; an alert is flat, but for a list of accounts.
DEPTH = 8

_TYPOGRAPHIC = "“”„‟«»‘’‚″"  # noqa: RUF001 - these very characters are looked for

#: CrossTrade's commands that cancel; the others place, change or close, which this relay never does.
_COMMANDS = frozenset({"cancel", "cancelorders", "cancelallorders"})

#: Fields of CrossTrade's own webhook whose meaning its REST calls cannot carry.
_UNCARRIED = {
    "strategy_id": "an ATM strategy's orders cannot be named over CrossTrade's REST calls: name order_id",
    "id": "is CrossTrade's throttle there: write alert_id for the alert's own id",
    "rate_limit": "is CrossTrade's throttle: leave it out",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a body says: its fields, and what is already known to be wrong with them.

    The faults wait until the sender is known: a stranger is told nothing about fields.
    """

    fields: dict[str, Any] = field(repr=False)
    faults: dict[str, list[str]] = field(default_factory=dict)


def parse(body: bytes) -> Parsed:
    """Give what a body says; raise `MalformedBody`, saying where, when it cannot be read."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise MalformedBody(f"The body is not UTF-8: byte {failure.start} cannot be read.") from None
    if not text.strip():
        raise MalformedBody('The body is empty. Send a JSON object such as {"action": "cancel", …}.')
    if text.lstrip()[0] in '{["' + _TYPOGRAPHIC:
        return Parsed(_json(text))
    semicolon, ampersand = text.find(";"), text.find("&")
    if "=" not in text:
        raise MalformedBody(
            "The body is neither a JSON object nor `key=value;` pairs nor a form: "
            "it has no `{` at its start and no `=`."
        )
    if ampersand != -1 and (semicolon == -1 or ampersand < semicolon):
        return Parsed(_form(text))
    return _carried_over(_text(text))


def _json(text: str) -> dict[str, Any]:
    _check_depth(text)
    try:
        fields = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_decimal,
        )
    except json.JSONDecodeError as failure:
        hint = ""
        if any(mark in text for mark in _TYPOGRAPHIC):
            hint = (
                ' It holds typographic quotes (“ ”), as phones and word processors write them: write plain ".'
            )
        raise MalformedBody(
            f"The body is not JSON: {failure.msg} at line {failure.lineno}, column {failure.colno}.{hint}"
        ) from None
    except ValueError:
        raise MalformedBody("The body holds a number that is too large to be one.") from None
    if not isinstance(fields, dict):
        raise MalformedBody("The body is JSON, but not an object: it must start with { and end with }.")
    _check_surrogates(fields)
    return fields


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    depth, quoted, escaped = 0, False, False
    for position, character in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
            if depth > DEPTH:
                raise MalformedBody(
                    f"The JSON is nested deeper than {DEPTH} levels, at character {position + 1}."
                )
        elif character in "}]":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedBody(f"The field {_shown(twice)} stands there twice: which one counts?")
    return fields


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise ValueError(digits) from None


def _no_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not JSON: write a number.")


def _check_surrogates(value: object) -> None:
    """Refuse halves of characters, which no log, ledger or vendor could be handed."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise MalformedBody("The body holds half a character (a lone surrogate such as \\ud800).") from None


def _shown(name: str) -> str:
    """Show a field's name, shortened: it came from the sender."""
    return json.dumps(name[:40])


def _form(text: str) -> dict[str, Any]:
    pairs = []
    for number, part in enumerate(text.strip().split("&"), 1):
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise MalformedBody(f"Part {number} of the form is not name=value.")
        try:
            pairs.append(
                (unquote_plus(name, errors="strict").strip(), unquote_plus(value, errors="strict").strip())
            )
        except UnicodeDecodeError:
            raise MalformedBody(f"Part {number} of the form is not UTF-8.") from None
    return _unique(pairs)


def _text(text: str) -> dict[str, str]:
    pairs = []
    for number, part in enumerate(text.split(";"), 1):
        if not part.strip():
            continue
        name, equals, value = part.partition("=")
        if not equals or not name.strip():
            raise MalformedBody(
                f"Pair {number} of the text is not key=value; (each pair ends with a semicolon)."
            )
        pairs.append((name.strip().lower(), value.strip()))
    return _unique(pairs)


def _carried_over(said: dict[str, str]) -> Parsed:
    """Turn CrossTrade's own webhook syntax into the fields of an alert."""
    fields: dict[str, Any] = dict(said)
    faults = {name: [_UNCARRIED[name]] for name in _UNCARRIED if fields.pop(name, None) is not None}
    for theirs, ours in (("key", "secret"), ("alert_id", "id")):
        if theirs in fields:
            if ours in fields:
                faults[theirs] = [f"and {ours} are the same thing: write one of them"]
            fields[ours] = fields.pop(theirs)
    if "," in said.get("account", ""):
        fields["account"] = [each.strip() for each in said["account"].split(",")]
    if "command" in said:
        fields.update(_commanded(said, faults))
        for name in ("command", "destination"):
            fields.pop(name, None)
    return Parsed(fields, faults)


def _commanded(said: Mapping[str, str], faults: dict[str, list[str]]) -> dict[str, str]:
    """Give what a command means in our fields; note in `faults` what it cannot mean."""
    command = said["command"].lower()
    meant = {"action": "cancel", "vendor": "crosstrade"}
    for name in meant.keys() & said.keys():
        faults[name] = ["goes without command: write CrossTrade's syntax, or ours"]
    if said.get("destination", "nt8").lower() != "nt8":
        faults["destination"] = ["only nt8 can be reached over CrossTrade's REST calls"]
    if command not in _COMMANDS:
        faults["command"] = [
            "does not cancel: this relay takes CANCEL, CANCELORDERS and CANCELALLORDERS, and places nothing"
        ]
    elif command == "cancel" and "order_id" not in said:
        faults["command"] = ["CANCEL cancels one order: name order_id, or write CANCELORDERS"]
    elif command == "cancelorders" and "order_id" in said:
        faults["command"] = ["CANCELORDERS takes instrument or scope=account: for one order write CANCEL"]
    elif command == "cancelorders" and said.get("scope", "account").lower() != "account":
        faults["scope"] = ["CANCELORDERS takes scope=account only; every account is CANCELALLORDERS"]
    elif command == "cancelallorders":
        if said.get("scope", "everything").lower() != "everything":
            faults["scope"] = ["CANCELALLORDERS means every account: for one account write CANCELORDERS"]
        meant["scope"] = "everything"
    return meant
