"""Names of futures contracts: the same one, another one, or not to be told."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.instrument import same_contract, same_root


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("asked", "shown", "same"),
    [
        ("MES 12-26", "MES 12-26", True),
        ("mes  12-26 ", "MES 12-26", True),
        ("MESZ26", "MES 12-26", True),
        ("MESZ6", "MES 12-26", True),
        ("MES DEC26", "MES 12-26", True),
        ("6EH27", "6E 03-27", True),
        ("M2KZ26", "M2K 12-26", True),
        ("AAPL", "AAPL", True),
        ("MES 12-26", "ES 12-26", False),
        ("ES 12-26", "MES 12-26", False),
        ("MES 12-26", "MES 03-27", False),
        ("MES 12-26", "MES 12-27", False),
        ("MESZ6", "MES 12-27", False),
        ("MESH26", "MES 12-26", False),
        ("AAPL", "MSFT", False),
        ("NQ", "ES 12-26", False),
        ("NQ1!", "ES 12-26", False),
        ("ES1!", "MES 12-26", False),
        ("ES", "MES 12-26", False),
        ("ES", "ES 12-26", None),
        ("ES1!", "ES 12-26", None),
        ("ES2!", "ES 12-26", None),
        ("M2K1!", "M2K 12-26", None),
    ],
)
def test_two_names_are_one_contract_or_not_or_it_cannot_be_told(
    asked: str, shown: str, *, same: bool | None
) -> None:
    """A root or `1!` means the front month of the moment, which nobody here knows: never a yes."""
    assert same_contract(asked, shown) is same


MONTHS = [
    ("F", "JAN"), ("G", "FEB"), ("H", "MAR"), ("J", "APR"), ("K", "MAY"), ("M", "JUN"),
    ("N", "JUL"), ("Q", "AUG"), ("U", "SEP"), ("V", "OCT"), ("X", "NOV"), ("Z", "DEC"),
]  # fmt: skip


@pytest.mark.promise(4)
@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    root=st.sampled_from(["ES", "MES", "6E", "M2K", "CL", "ZB"]),
    month=st.integers(0, 11),
    other=st.integers(0, 11),
    year=st.integers(20, 39),
)
def test_every_spelling_of_a_contract_is_that_contract_alone(
    root: str, month: int, other: int, year: int
) -> None:
    """All forms that CrossTrade takes name the month that they say, and no other."""
    code, name = MONTHS[month]
    shown = f"{root} {other + 1:02}-{year}"

    for asked in (f"{root} {month + 1:02}-{year}", f"{root} {name}{year}", f"{root}{code}{year}",
                  f"{root}{code}{year % 10}"):  # fmt: skip
        assert same_contract(asked, shown) is (month == other)
        assert same_contract(asked, f"X{shown}") is False


@pytest.mark.promise(4)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.text(max_size=12), st.text(max_size=12))
def test_any_two_names_are_compared(asked: str, shown: str) -> None:
    """Whatever a sender or a vendor calls a contract, there is an answer, and equal names are one."""
    assert same_contract(asked, shown) in {True, False, None}
    assert same_contract(asked, asked) is True


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("asked", "shown", "same"),
    [
        ("MES 12-26", "MES 03-27", True),
        ("MES 12-26", "MESH27", True),
        ("CME_MINI:MES1!", "MES 03-27", True),
        ("MES", "MES 03-27", True),
        ("MES 12-26", "ES 03-27", False),
        ("AAPL", "AAPL", False),
        ("AAPL", "MSFT", False),
    ],
)
def test_another_contract_of_the_same_root_is_known(asked: str, shown: str, same: bool) -> None:  # noqa: FBT001 - a case
    """The roll is told: what works is of the future that was asked for, in another month."""
    assert same_root(asked, shown) is same
