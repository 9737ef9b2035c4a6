"""Answers that serve for a while: only good ones, only for their own call, and never to refuse by."""

from collections.abc import Generator, Mapping
from dataclasses import replace

import pytest

from relay.cancel import Cancel
from relay.converse import KeptAnswers
from relay.deliver import Delivery
from relay.errors import NotSent, Refused, Throttled, Unknown, VendorError
from relay.outcome import Status
from relay.vendor import Answer, Call
from relay.vendors.alphapoint import AlphaPoint
from tests.running import until
from tests.scripted import Stage
from tests.vendors.dialogue import answer
from tests.vendors.of_alphapoint import AP, BY_SYMBOL, OLD, refusal

INSTRUMENTS = [{"InstrumentId": 1, "Symbol": "BTCCAD"}, {"InstrumentId": 74, "Symbol": "BTCUSD"}]

YOUNG = {"InstrumentId": 90, "Symbol": "DOGECAD"}


class Exchange:
    """Answer a list of instruments, which may change, or trouble."""

    def __init__(self) -> None:
        self.instruments: object = INSTRUMENTS
        self.trouble: Answer | Exception | None = None

    def rule(self, call: Call, _: Mapping[str, str]) -> Answer:
        """Answer as AlphaPoint does."""
        if call.path == "/AuthenticateUser":
            return answer({"Authenticated": True, "SessionToken": "tests-only-token"})
        if isinstance(self.trouble, Exception):
            raise self.trouble
        return self.trouble or answer(self.instruments)


@pytest.fixture
def exchange() -> Exchange:
    """Give an exchange."""
    return Exchange()


@pytest.fixture
def stage(redis_url: str, exchange: Exchange) -> Stage:
    """Give a line to that exchange."""
    return Stage(redis_url, AP, exchange.rule)


def meant(stage: Stage, symbol: str, vendor: AlphaPoint = AP) -> str | int | None:
    """Look a symbol up, as a cancel does, and give its number."""
    cancel = replace(BY_SYMBOL, name=symbol)

    def meaning() -> Generator[Call, Answer, Cancel]:
        conversation = vendor.meaning(cancel)
        assert conversation is not None
        return conversation

    return stage.talk(stage.hold(cancel)).hold_kept(meaning).name


def asked(stage: Stage) -> int:
    """Count how often the list was asked for."""
    return len(stage.transport.paths(to="/GetInstruments"))


@pytest.mark.promise(6)
def test_a_list_of_instruments_serves_the_next_cancels_too(stage: Stage) -> None:
    """Of many cancels by symbol the first asks: the others cost no call."""
    assert [meant(stage, symbol) for symbol in ("BTCCAD", "BTCUSD", "btc/cad")] == [1, 74, 1]
    assert asked(stage) == 1


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        pytest.param(answer(b"", 500), Unknown, id="500"),
        pytest.param(answer(b"", 429), Throttled, id="429"),
        pytest.param(answer(b"<html>"), Unknown, id="unreadable"),
        pytest.param(answer({"BTCCAD": 1}), Unknown, id="of another shape"),
        pytest.param(answer(refusal(102)), Unknown, id="the server's trouble"),
        pytest.param(answer(refusal(100)), Refused, id="refused"),
        pytest.param(Unknown("silence"), Unknown, id="silence"),
        pytest.param(NotSent("no connection"), NotSent, id="no connection"),
    ],
)
def test_trouble_is_not_kept(
    stage: Stage, exchange: Exchange, trouble: Answer | Exception, kind: type[VendorError]
) -> None:
    """What went wrong once is asked again: one bad answer does not stop cancels for minutes."""
    exchange.trouble = trouble
    with pytest.raises(kind):
        meant(stage, "BTCCAD")
    exchange.trouble = None

    def found() -> str | int | None:
        try:
            return meant(stage, "BTCCAD")
        except NotSent:
            return None  # a 429 holds the credential back for a second

    assert until(found, what="the list") == 1


@pytest.mark.promise(4)
def test_an_instrument_that_is_younger_than_the_list_is_found(stage: Stage, exchange: Exchange) -> None:
    """What a kept answer does not know is asked anew, once, and kept then."""
    meant(stage, "BTCCAD")
    exchange.instruments = [*INSTRUMENTS, YOUNG]

    assert meant(stage, "DOGECAD") == 90
    assert meant(stage, "DOGECAD") == 90
    assert asked(stage) == 2


@pytest.mark.promise(4)
def test_a_symbol_that_a_kept_list_calls_ambiguous_is_asked_for_anew(
    stage: Stage, exchange: Exchange
) -> None:
    """One of two instruments may be gone by now."""
    exchange.instruments = [*INSTRUMENTS, {"InstrumentId": 2, "Symbol": "btccad"}]
    meant(stage, "BTCUSD")
    exchange.instruments = INSTRUMENTS

    assert meant(stage, "BTCCAD") == 1


@pytest.mark.promise(4)
def test_a_typo_is_refused_each_time_by_a_fresh_list(stage: Stage) -> None:
    """With a list at hand or without, what no list knows is refused, and never passed on as a name."""
    for times in (1, 2):
        with pytest.raises(Refused) as raised:
            meant(stage, "BTCCDA")
        assert raised.value.words == "AlphaPoint has no instrument BTCCDA: nothing was sent"
        assert asked(stage) == times
    meant(stage, "BTCCAD")
    with pytest.raises(Refused):
        meant(stage, "BTCCDA")
    assert asked(stage) == 4


@pytest.mark.promise(4)
@pytest.mark.parametrize("listed_before", [False, True], ids=["first", "with a list at hand"])
def test_a_typo_reaches_no_bulk_cancel(redis_url: str, exchange: Exchange, *, listed_before: bool) -> None:
    """A server that reads a name for a number could take it for none, and cancel the whole account."""
    stage = Stage(redis_url, OLD, exchange.rule)
    if listed_before:
        meant(stage, "BTCCAD", OLD)
    cancel = replace(BY_SYMBOL, name="BTCCDA")
    held = stage.hold(cancel)
    progress = held.record.cancels[0][1]

    Delivery(held, cancel, progress, stage.line, stage.talk(held)).first()

    assert progress.status is Status.REJECTED
    assert stage.transport.paths(to="/Cancel") == []


@pytest.mark.promise(4)
def test_each_order_management_system_has_a_list_of_its_own(stage: Stage, exchange: Exchange) -> None:
    """A number that means one thing in one may mean another in the next."""
    assert meant(stage, "BTCCAD") == 1
    exchange.instruments = [{"InstrumentId": 5, "Symbol": "BTCCAD"}]

    assert meant(stage, "BTCCAD", replace(AP, oms_id=2)) == 5
    assert meant(stage, "BTCCAD") == 1


@pytest.mark.promise(5)
def test_only_what_says_so_is_kept_and_only_for_its_time() -> None:
    """A list of orders is never an old one."""
    kept, lasting, orders = KeptAnswers(), Call("GET", "/a", keep_s=0.5), Call("GET", "/b")
    given = answer([])

    kept.keep(lasting, given)
    kept.keep(orders, given)

    assert kept.get(lasting) is given
    assert kept.get(orders) is None
    assert kept.get(replace(lasting, keep_s=0)) is None
    assert kept.get(replace(lasting, path="/c")) is None
    until(lambda: kept.get(lasting) is None, what="the end of its time")
