"""An alert on the wire: its fields, and all that is wrong with them at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, ValidationError, fields

from schemas.suggest import nearest

#: The fields of which an alert has exactly one: what to cancel.
TARGETS = ("order_id", "client_order_id", "instrument", "scope")

#: Seconds; the longest time an alert may ask to wait or to stay good for: one day.
LONGEST_S = 86_400

#: Characters of an alert's own id, as RFC drafts for idempotency keys and other services have it.
ID_CHARACTERS = 255

#: Characters of any other text.
TEXT_CHARACTERS = 500

#: Accounts that one alert may name; more is a mistake, or a group.
ACCOUNTS = 20

#: Larger numbers are milliseconds: as seconds this is the year 5138.
_SECONDS_END = 100_000_000_000

#: No number of seconds or milliseconds is larger; 1e999999999 would cost minutes of arithmetic.
_ANY_NUMBER = 10**16

UNFILLED = (
    "still holds {{…}}: the chart did not fill this placeholder "
    "(its spelling, its capitals and where it may be used matter)"
)

_NO_TARGET = (
    "what to cancel? Name one of order_id, client_order_id, instrument; "
    'to cancel the whole account say "scope": "account"'
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: A note may have lines and tabs.
_CONTROL_IN_NOTE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

#: A whole number of no more digits than any id has; int() alone would take "1_0" and digits of other scripts.
_DIGITS = re.compile(r"[0-9]{1,20}")

_NUMBER = re.compile(r"\d{1,16}(\.\d{1,9})?")


#: What every field says when it is missing, or null.
SAYINGS: dict[str, str | list[Any] | dict[Any, Any]] = {
    "required": "is missing",
    "null": "is null: give it a value, or leave the field out",
}


class Text(fields.Field[str]):
    """A text without control characters, stripped, never empty."""

    default_error_messages = SAYINGS

    def __init__(self, *, longest: int = TEXT_CHARACTERS, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401, ARG002 - marshmallow's
        if not isinstance(value, str):
            raise ValidationError(f'must be a text, in quotes, as "{attr}": "…"')
        text = value.strip()
        if not text:
            raise ValidationError("is empty: give it a value, or leave the field out")
        if len(text) > self.longest:
            raise ValidationError(f"is longer than {self.longest} characters")
        if _CONTROL.search(text):
            raise ValidationError("holds a control character, such as a line break")
        return text


class Note(fields.Field[str | None]):
    """Free text: it tells the relay nothing, so an empty one stops no cancel."""

    default_error_messages = SAYINGS

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | None:  # noqa: ANN401, ARG002 - marshmallow's
        if not isinstance(value, str):
            raise ValidationError(f'must be a text, in quotes, as "{attr}": "…"')
        text = value.strip()
        if len(text) > TEXT_CHARACTERS:
            raise ValidationError(f"is longer than {TEXT_CHARACTERS} characters")
        if _CONTROL_IN_NOTE.search(text):
            raise ValidationError("holds a control character")
        return text or None


class Number(fields.Field[int]):
    """A vendor's id: a whole number within the vendor's type, in quotes or not."""

    default_error_messages = SAYINGS

    def __init__(self, *, most: int, what: str, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.most = most
        self.what = what

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401, ARG002 - marshmallow's
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= self.most:
            raise ValidationError(f"must be {self.what}: a whole number from 1 to {self.most}")
        return int(text)


class NameOrNumber(fields.Field["str | int"]):
    """An instrument by its name, or by the vendor's number for it."""

    default_error_messages = SAYINGS

    def __init__(self, name: Text, number: Number, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.name_of_it = name
        self.number = number

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str | int:  # noqa: ANN401, ARG002 - marshmallow's
        digits = isinstance(value, str) and _DIGITS.fullmatch(value.strip())
        field = self.number if digits or not isinstance(value, str) else self.name_of_it
        instrument: str | int = field.deserialize(value, attr, data)
        return instrument


class Choice(Text):
    """One of a few words, in any case."""

    def __init__(self, *choices: str, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.choices = choices

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:  # noqa: ANN401 - marshmallow's
        text = super()._deserialize(value, attr, data, **kwargs).lower()
        if text not in self.choices:
            known = ", ".join(f'"{choice}"' for choice in self.choices)
            raise ValidationError(f"must be {'one of ' if len(self.choices) > 1 else ''}{known}")
        return text


class Flag(fields.Field[bool]):
    """true or false; as a text too, since text messages have nothing else."""

    default_error_messages = SAYINGS

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ANN401, ARG002 - marshmallow's
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        raise ValidationError("must be true or false")


class Seconds(fields.Field[int]):
    """A span in seconds, as a number or a text; whole milliseconds inside."""

    default_error_messages = SAYINGS

    def __init__(self, *, least: int, **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.least = least

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401, ARG002 - marshmallow's
        seconds = _number(value)
        if seconds is None or not self.least <= seconds <= LONGEST_S:
            raise ValidationError(f"must be a number of seconds from {self.least} to {LONGEST_S}")
        return int(seconds * 1000)


class Moment(fields.Field[int]):
    """A moment, ISO 8601 or Unix seconds; whole milliseconds since 1970 inside."""

    default_error_messages = SAYINGS

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ANN401, ARG002 - marshmallow's
        seconds = _number(value)
        if seconds is None:
            ms = _iso_ms(value)
        elif seconds >= _SECONDS_END:
            raise ValidationError("looks like milliseconds: give Unix seconds, or ISO 8601")
        else:
            ms = int(seconds * 1000)
        if ms <= 0:
            raise ValidationError("lies before 1970: give the moment at which the alert fired")
        return ms


class Account(fields.Field[tuple[str, ...]]):
    """The account as the vendor has it, or a list of accounts; a tuple inside."""

    default_error_messages = SAYINGS

    def __init__(self, one: fields.Field[Any], **options: Any) -> None:  # noqa: ANN401 - marshmallow's
        super().__init__(**options)
        self.one = one

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> tuple[Any, ...]:  # noqa: ANN401, ARG002 - marshmallow's
        wanted = value if isinstance(value, list) else [value]
        if not wanted:
            raise ValidationError("is empty: name the account")
        if len(wanted) > ACCOUNTS:
            raise ValidationError(f"names more than {ACCOUNTS} accounts")
        accounts = tuple(self.one.deserialize(each, attr, data) for each in wanted)
        if len({str(each).casefold() for each in accounts}) < len(accounts):
            raise ValidationError("names an account twice")
        return accounts


class AlertSchema(Schema):
    """The fields that every vendor's alerts share; a vendor's own schema narrows them."""

    class Meta:
        unknown = EXCLUDE  # `problems` names them itself, with the nearest known field

    #: Fields of other vendors' alerts → why this vendor's have none.
    foreign: ClassVar[Mapping[str, str]] = {}

    #: Why this vendor's alerts may not say `"scope": "user"`; None where they may.
    no_users: ClassVar[str | None] = None

    action = Choice("cancel", required=True)
    vendor = Choice("crosstrade", "alphapoint", "autoshares", required=True)
    account: fields.Field[Any] = fields.Raw()
    order_id: fields.Field[Any] = fields.Raw()
    client_order_id: fields.Field[Any] = fields.Raw()
    instrument: fields.Field[Any] = fields.Raw()
    scope = Choice("account", "user", "everything")
    side = Choice("buy", "sell")
    timestamp = Moment()
    id = Text(longest=ID_CHARACTERS)
    max_age = Seconds(least=1)
    delay = Seconds(least=0)
    reply_when = Choice("accepted", "requested", "confirmed")
    dry_run = Flag()
    must_exist = Flag()
    note = Note()
    oms_id: fields.Field[Any] = fields.Raw()
    user_id: fields.Field[Any] = fields.Raw()

    def problems(self, sent: Mapping[str, Any]) -> dict[str, list[str]]:
        """Say all that is wrong with the fields together, beyond each field's own value."""
        found: dict[str, list[str]] = {}
        guesses = set()
        for name in sent:
            if name not in self.fields and name != "secret":
                guess = nearest(name, [*self.fields, "secret"])
                guesses.add(guess)
                found[name] = [f'unknown field; did you mean "{guess}"?' if guess else "unknown field"]
        for name, value in sent.items():
            if any("{{" in each for each in _texts(value)):
                found.setdefault(name, []).append(UNFILLED)
        targets = [name for name in TARGETS if name in sent]
        if len(targets) > 1:
            for name in targets:
                found.setdefault(name, []).append(f"one target only: choose one of {', '.join(targets)}")
        elif not targets and not guesses.intersection(TARGETS):
            found["scope"] = [_NO_TARGET]
        self._check_account(sent, found, guesses)
        self._check_vendor(sent, found)
        if "side" in sent and targets and targets[0] in {"order_id", "client_order_id"}:
            found.setdefault("side", []).append(
                "goes with instrument or scope only: an order has its own side"
            )
        return found

    def _check_vendor(self, sent: Mapping[str, Any], found: dict[str, list[str]]) -> None:
        for name, why in self.foreign.items():
            if name in sent:
                found.setdefault(name, []).append(why)
        if self.no_users is not None and word(sent.get("scope")) == "user":
            found.setdefault("scope", []).append(self.no_users)

    def _check_account(
        self, sent: Mapping[str, Any], found: dict[str, list[str]], guesses: set[str | None]
    ) -> None:
        scope = sent.get("scope")
        wide = word(scope) in {"everything", "user"}
        if wide and "account" in sent:
            found.setdefault("account", []).append(
                f'goes not with "scope": "{scope}", which reaches beyond it: '
                'leave account out, or say "scope": "account"'
            )
        if not wide and "account" not in sent and "account" not in guesses:
            found["account"] = ["is missing: name the account in which to cancel"]


def word(value: object) -> str | None:
    """Read a word of a choice, in any case."""
    return value.strip().lower() if isinstance(value, str) else None


def milliseconds(moment: datetime) -> int:
    """Give an aware moment as whole milliseconds since 1970, without a float."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _iso_ms(value: object) -> int:
    try:
        moment = datetime.fromisoformat(value.strip() if isinstance(value, str) else "")
        return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValidationError(
            'must be ISO 8601 or Unix seconds; in TradingView write "timestamp": "{{timenow}}"'
        ) from None


def _number(value: object) -> Decimal | None:
    """Read a plain number without losing digits; None where it is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value) if -_ANY_NUMBER < value < _ANY_NUMBER else None


def _texts(value: object) -> list[str]:
    """Give every text in a value, nested ones too."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for each in pair for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []
