"""AlphaPoint's instruments by their symbols, fed with answers: found, or refused, never guessed."""

from dataclasses import replace

import pytest

from relay.cancel import Cancel, Scope
from relay.errors import Refused, Throttled, Unknown, Unreadable, VendorError
from relay.vendor import Answer
from tests.vendors.dialogue import answer, came_of, kind_of, said_of
from tests.vendors.of_alphapoint import ACCOUNT, AP, BIG, BY_SYMBOL, OF_ACCOUNT, OF_INSTRUMENT, refusal


def instrument(number: int, symbol: object) -> dict[str, object]:
    """Give an instrument as GetInstruments lists it."""
    return {"OMSId": 1, "InstrumentId": number, "Symbol": symbol, "Product1Symbol": "BTC"}


INSTRUMENTS = [
    instrument(1, "BTCCAD"),
    instrument(3, "ETHCAD"),
    instrument(74, "BTCUSD"),
    instrument(80, "BTC-USDT"),
    instrument(81, "btcusdt"),
    instrument(90, "DOGE_CAD"),
    instrument(91, "DOGE/CAD"),
    instrument(BIG, "BIGCAD"),
    instrument(99, ""),
]


def meant(name: str, rows: object = INSTRUMENTS) -> str | int | None:
    """Give the number that a symbol means."""
    conversation = AP.meaning(replace(BY_SYMBOL, name=name))
    assert conversation is not None
    return came_of(conversation, answer(rows)).name


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *((name, 1) for name in ("BTCCAD", "btccad", "BTC/CAD", "BTC CAD", "BTC_CAD", "NDAX:BTCCAD")),
        ("ndax:btc-cad", 1),
        ("BTCUSD", 74),
        ("BTC-USDT", 80),
        ("BTCUSDT", 81),
        ("doge_cad", 90),
        ("BIGCAD", BIG),
    ],
)
def test_a_symbol_is_found_as_people_write_it(name: str, number: int) -> None:
    """Exactly first, in any case; then without an exchange before it and without what stands between."""
    assert meant(name) == number


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("name", "ids"), [("DOGECAD", "90, 91"), ("DOGE-CAD", "90, 91"), ("BTC/USDT", "80, 81")]
)
def test_a_symbol_that_means_several_is_refused_with_their_ids(name: str, ids: str) -> None:
    """What would be a guess is refused, and the refusal says how to say it."""
    conversation = AP.meaning(replace(BY_SYMBOL, name=name))
    assert conversation is not None

    said = said_of(conversation, answer(INSTRUMENTS))

    assert type(said) is Refused
    assert said.words == f"AlphaPoint has several instruments called {name}: name one by its id, of {ids}"


@pytest.mark.promise(4)
@pytest.mark.parametrize("name", ["BTCEUR", "BTC", "BTCCADX", "None", "NDAX:", "-", "/"])
def test_a_symbol_that_means_none_is_refused(name: str) -> None:
    """A typo, or a chart's empty symbol, is no instrument: nothing is sent."""
    for rows in (INSTRUMENTS, [*INSTRUMENTS, instrument(5, None)], []):
        conversation = AP.meaning(replace(BY_SYMBOL, name=name))
        assert conversation is not None

        said = said_of(conversation, answer(rows))

        assert type(said) is Refused
        assert said.words == f"AlphaPoint has no instrument {name}: nothing was sent"


@pytest.mark.promise(4)
def test_two_rows_of_one_instrument_are_one() -> None:
    """A list that repeats itself is not ambiguous."""
    assert meant("BTCCAD", [*INSTRUMENTS, instrument(1, "btccad")]) == 1


@pytest.mark.promise(4)
def test_only_a_symbol_is_looked_up() -> None:
    """A number is the instrument, and what names none has none to look up."""
    for cancel in (OF_INSTRUMENT, OF_ACCOUNT, Cancel("alphapoint", ACCOUNT, Scope.CLIENT_ORDER, 17)):
        assert AP.meaning(cancel) is None


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer({}), Unreadable),
        (answer([{"Symbol": "BTCCAD"}]), Unreadable),
        (answer([instrument(0, "BTCCAD")]), Unreadable),
        (answer([*INSTRUMENTS, 7]), Unreadable),
        (answer(INSTRUMENTS, 500), Unknown),
        (answer(INSTRUMENTS, 429), Throttled),
        (answer(refusal(20)), Refused),
    ],
    ids=["an object", "no number", "number 0", "no row", "500", "429", "not authorised"],
)
def test_instruments_that_cannot_be_read_mean_nothing(given: Answer, kind: type[VendorError]) -> None:
    """No symbol is taken from half a list."""
    conversation = AP.meaning(BY_SYMBOL)
    assert conversation is not None

    assert kind_of(conversation, given) is kind
