"""Read and write AlphaPoint's payloads, which are the same over HTTP and inside a WebSocket frame.

Keys may come in any case, https://alphapoint.github.io/slate/ says; numbers may come as strings, since a
query has nothing else and public clients send `"IntrumentId": "8"` [3P].
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

#: The documented errors, by their numbers; what 103 and 105 mean is not known [U]. For 100 some pages say
#: "Invalid Response" [!].
MESSAGES = {
    20: "Not Authorized",
    100: "Invalid Request",
    101: "Operation Failed",
    102: "Server Error",
    104: "Resource Not Found",
    106: "Operation Not Supported",
}

#: First number that is no id any more: ids are signed 64-bit integers.
PAST_ID = 2**63

#: The capitals that a key loses in camel case: all of "OMSId" but the last, one of "AccountId".
_LEADING_CAPITALS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]")


class RefusedError(Exception):
    """The call is answered with an error object."""

    def __init__(self, code: int, message: str | None = None) -> None:
        super().__init__(message or MESSAGES[code])
        self.code = code


class Payload:
    """Hold what a call was sent, found by its keys in any case."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = {name.casefold(): value for name, value in fields.items()}

    def text(self, name: str) -> str | None:
        """Read a text; None where it is not there."""
        value = self._fields.get(name.casefold())
        return None if value is None else str(value)

    def number(self, *names: str) -> int | None:
        """Read an id under the first of its names that is there; None where none is; else 100."""
        for name in names:
            value = self._fields.get(name.casefold())
            if value is None or value == "":
                continue
            # A string of digits reads as its number [3P]; int() would take "1_0" and " 1" too.
            if isinstance(value, str) and value.isascii() and value.isdecimal():
                value = int(value)
            if type(value) is not int or not 0 <= value < PAST_ID:
                raise RefusedError(100)
            return value
        return None


def read_payload(text: bytes) -> dict[str, object]:
    """Read a JSON object; ValueError where it is none."""
    fields = json.loads(text, parse_float=Decimal)
    if not isinstance(fields, dict):
        raise ValueError("a payload is a JSON object")  # noqa: TRY004 - as for what is no JSON
    return fields


def standard(code: int, message: str | None, detail: str | None) -> dict[str, object]:
    """Make the standard response, whose keys are in one case everywhere; code 0 is a success."""
    return {"result": code == 0, "errormsg": message, "errorcode": code, "detail": detail}


def write_payload(value: object) -> str:
    """Write JSON, a Decimal as a number with every digit it has."""
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return (
            "{" + ",".join(f"{json.dumps(name)}:{write_payload(each)}" for name, each in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(write_payload(each) for each in value) + "]"
    return json.dumps(value)


def camel(value: object) -> object:
    """Write every key as the documents do, with a small letter first."""
    if isinstance(value, dict):
        return {_camel_key(name): camel(each) for name, each in value.items()}
    return [camel(each) for each in value] if isinstance(value, list) else value


def _camel_key(name: str) -> str:
    return _LEADING_CAPITALS.sub(lambda capitals: capitals[0].lower(), name, count=1)
