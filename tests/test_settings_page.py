"""docs/settings.md: it has every setting, and of each the default and the bounds that the relay has."""

import base64
import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import pytest
from marshmallow import ValidationError, fields, validate

from relay.errors import SettingsError
from relay.settings import Settings
from schemas.settings import SECRET_CHARACTERS, TRADINGVIEW, SettingsSchema
from tests.running import ROOT, SECRET

PAGE = (ROOT / "docs/settings.md").read_text()

FIELDS = SettingsSchema().fields

#: A row of a table: a setting, its default, what it may be, and what it does.
ROW = re.compile(r"^\| `([A-Z_]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)

#: Numbers that nobody writes out.
POWERS = {"2⁶³−1": str(2**63 - 1), "2³¹−1": str(2**31 - 1)}  # noqa: RUF001 - as the page has them

#: Settings whose default is the surroundings': what the relay comes to, here and on Heroku.
BY_PLACE: dict[str, Callable[[Settings], int]] = {
    "RELAY_TRUSTED_PROXIES": lambda settings: settings.trusted_proxies,
    "RELAY_REDIS_CONNECTIONS": lambda settings: settings.redis_connections,
}

#: How the page says that nothing is set, where it says more than nothing.
IN_WORDS = {"RELAY_ALLOW_FROM": "any", "RELAY_NOTIFY": "nobody", "RELAY_KEEP_MB": "no bound"}

LEAST = {"REDIS_URL": "redis://localhost", "RELAY_SECRET": SECRET}


class Shown(NamedTuple):
    """What the page says of a setting."""

    default: str
    values: str
    what: str


def shown() -> dict[str, Shown]:
    """Read the page's tables, numbers as a program writes them."""
    return {
        name: Shown(*(_plain(cell) for cell in cells))
        for name, *cells in (found.groups("") for found in ROW.finditer(PAGE))
    }


def _plain(cell: str) -> str:
    for written, number in POWERS.items():
        cell = cell.replace(written, number)
    return re.sub(r"(?<=\d) (?=\d{3}\b)", "", cell.replace("`", "")).strip()


def default_of(name: str) -> str:
    """Write a setting's default as the page has to."""
    if name in BY_PLACE:
        here, heroku = (
            BY_PLACE[name](Settings.read({**LEAST, **place})) for place in ({}, {"DYNO": "web.1"})
        )
        return f"{here}; on Heroku {heroku}"
    if FIELDS[name].required:
        return "required"
    default = FIELDS[name].load_default
    return IN_WORDS.get(name, "") if default in (None, ()) else str(default)


def bounds_of(name: str) -> list[str]:
    """Write what a setting may be as the page has to, in pieces that have to stand there."""
    field = FIELDS[name]
    pieces = []
    for each in field.validators:
        if isinstance(each, validate.Range):
            pieces.append(f"{_number(each.min)} to {_number(each.max)}")
        if isinstance(each, validate.OneOf):
            pieces.append(", ".join(sorted(each.choices)))
    if isinstance(field, fields.Decimal):
        unit = re.search(r"a number of ([a-z ]+) from", str(field.error_messages["invalid"]))
        assert unit, f"{name} tells no unit"
        pieces.append(f"{unit[1]}, ")
    return pieces


def _number(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


@pytest.mark.promise(10)
def test_the_page_has_every_setting_once_and_no_other() -> None:
    """A setting that is not on the page cannot be found; one that is only there does nothing."""
    rows = [found[1] for found in ROW.finditer(PAGE)]

    assert sorted(rows) == sorted(FIELDS)
    assert PAGE.count("\n| `") == len(rows), "a row of the page cannot be read"
    named = re.findall(r"\b(?:RELAY|CROSSTRADE|ALPHAPOINT|AUTOSHARES)_[A-Z_]+", PAGE)
    assert set(named) <= set(FIELDS)


@pytest.mark.promise(10)
def test_defaults_stand_there_as_they_are() -> None:
    """What happens when a setting is left out is what the page says."""
    assert {name: row.default for name, row in shown().items()} == {name: default_of(name) for name in FIELDS}


@pytest.mark.promise(10)
def test_bounds_stand_there_as_they_are() -> None:
    """Whoever keeps to the page's values is never refused, and nothing has bounds but these."""
    wrong = {name: row.values for name, row in shown().items() if not _bounds_hold(name, row.values)}

    assert wrong == {}


def _bounds_hold(name: str, values: str) -> bool:
    bounds = bounds_of(name)
    if not bounds:
        return not re.search(r"\d to \d", values) or name == "RELAY_SIGNING_SECRET"
    choices = ", ".join(sorted(values.split(", ")))
    return all(bound in values or bound == choices for bound in bounds)


@pytest.mark.promise(8)
def test_what_stands_there_in_words_is_true() -> None:
    """The length of a secret, and the addresses that `tradingview` means."""
    assert shown()["RELAY_SECRET"].values == f"{SECRET_CHARACTERS} characters at least"
    (sentence,) = re.findall(r"^`tradingview` stands for .*$", PAGE, re.MULTILINE)
    assert sorted(re.findall(r"[\d.]+\d", sentence)) == sorted(TRADINGVIEW)
    assert "24 to 64 bytes" in shown()["RELAY_SIGNING_SECRET"].values
    for size, taken in ((23, False), (24, True), (64, True), (65, False)):
        assert _is_taken("RELAY_SIGNING_SECRET", f"whsec_{base64.b64encode(bytes(size)).decode()}") is taken


def _is_taken(name: str, value: str) -> bool:
    try:
        FIELDS[name].deserialize(value)
    except ValidationError:
        return False
    return True


@pytest.mark.promise(10)
def test_examples_are_taken() -> None:
    """What the page gives as an example is a value that the setting takes."""
    examples = [
        (found[1], example)
        for found in ROW.finditer(PAGE)
        if found[3].strip().startswith("as ")
        for example in re.findall(r"`([^`]+)`", found[3])
    ]

    assert len(examples) > 5
    for name, example in examples:
        FIELDS[name].deserialize(example)


@pytest.mark.promise(10)
def test_what_has_no_effect_yet_is_told_at_start() -> None:
    """Of the last table one setting keeps the relay from starting, and the other is a warning."""
    with pytest.raises(SettingsError) as refused:
        Settings.read({**LEAST, "RELAY_CONFIG": "relay.toml"})
    warned = Settings.read({**LEAST, "RELAY_ADMIN_PASSWORD": "tests-only-password"}).warnings
    rows = {found[1] for found in ROW.finditer(PAGE.split("## Known, and without effect yet")[1])}

    assert [each.partition(":")[0] for each in refused.value.mistakes] == ["RELAY_CONFIG"]
    assert any(each.startswith("RELAY_ADMIN_PASSWORD has no effect") for each in warned)
    assert rows == {"RELAY_CONFIG", "RELAY_ADMIN_PASSWORD"}
