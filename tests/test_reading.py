"""What reading any vendor's answer takes: numbers with all their digits, and none that costs minutes."""

from decimal import Decimal
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.reading import folded, json_of, segment, whole
from relay.vendor import Answer


def read(text: str) -> object:
    """Read a JSON text."""
    return json_of(Answer(200, text.encode()))


#: JSON that is no whole number, digits of other scripts among it.
_NO_NUMBERS = [
    *("17.5", "true", "null", "NaN", "Infinity", "[17]", '{"a": 17}'),
    *(f'"{text}"' for text in ("", "17.5", " 17", "1_7", "+17", "-17", "0x11", "NaN")),
    *(r'"\u0661\u0667"', r'"\u00b2"'),
]


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("17", 17),
        ('"17"', 17),
        ("17.0", 17),
        ("1.7e1", 17),
        ("0", 0),
        ("-1", -1),
        ("9007199254740993", 2**53 + 1),
        ("9007199254740993.0", 2**53 + 1),
        ('"9223372036854775807"', 2**63 - 1),
        *((text, None) for text in _NO_NUMBERS),
    ],
)
def test_a_whole_number_is_read_with_all_its_digits(text: str, number: int | None) -> None:
    """In quotes or not, with a fraction of nothing or without; what is no number is none."""
    assert whole(read(text)) == number


@pytest.mark.promise(6)
@pytest.mark.parametrize(
    "text",
    ["1e999999999", "1e-999999999", "0e999999999", f'"{"9" * 5000}"', "9" * 5000, "1e99999999999999999999"],
)
def test_a_number_beyond_all_measure_holds_nobody_up(text: str) -> None:
    """A few bytes of a vendor's can neither take minutes of arithmetic nor raise what is unforeseen."""
    assert whole(read(text)) is None


@pytest.mark.promise(5)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text() | st.decimals() | st.integers() | st.floats() | st.booleans() | st.none())
def test_whatever_is_read_is_a_whole_number_or_none(value: object) -> None:
    """Nothing is rounded, and nothing raises."""
    number = whole(value)

    assert number is None or (type(number) is int and Decimal(number) == Decimal(str(value)))


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"\xff\xfe", b'{"a": ', b"[" * 100_000, b'"\xff"', b"17 18"],
    ids=lambda body: body[:9],
)
def test_what_is_no_json_is_none(body: bytes) -> None:
    """An answer that cannot be read raises nothing by itself: what it means is the vendor's."""
    assert json_of(Answer(200, body)) is None


@pytest.mark.promise(5)
def test_keys_are_read_in_any_case() -> None:
    """Documents and servers differ in it."""
    assert folded({"ErrorCode": 1, "OMSId": 2}) == {"errorcode": 1, "omsid": 2}


@pytest.mark.promise(5)
@pytest.mark.parametrize("value", [[], "a", 7, None, True, [{"a": 1}]], ids=repr)
def test_only_an_object_has_keys(value: object) -> None:
    """Anything else is no row."""
    assert folded(value) is None


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(min_size=1).filter(lambda name: name not in {".", ".."}) | st.integers())
def test_any_name_stays_one_part_of_a_path(name: str | int) -> None:
    """It has nothing in it that a path reads, and can be read back."""
    quoted = segment(name)

    assert quoted.isascii()
    assert not set("/?#\\ ;") & set(quoted)
    assert unquote(quoted) == str(name)


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["", ".", "..", None])
def test_what_no_quoting_disarms_is_never_sent(name: str | None) -> None:
    """Nothing, and what a path reads as another folder, stop the call."""
    with pytest.raises(AssertionError):
        segment(name)
