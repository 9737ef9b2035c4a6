"""What is told of an alert, in which words: what happened, and what the trader can do now."""

import pytest

from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.notice import Kind
from relay.notify import WORDS_CHARACTERS, clip, log_in_words, refused_words, silent_words, tell
from relay.outcome import NO_SUCH_ORDER, OrderOutcome, Outcome, Progress, Status
from relay.record import Record

#: 2026-11-21T14:30:00Z in ms.
AT_MS = 1_795_271_400_000


def a_record(progress: Progress, **fields: object) -> Record:
    """Give a record with one cancel, in that state."""
    alert = Alert(vendor="crosstrade", accounts=("Sim101",), instrument="MES 12-26", **fields)  # type: ignore[arg-type]  # as the schema lets them pass
    cancel = Cancel("crosstrade", "Sim101", Scope.INSTRUMENT, "MES 12-26")
    return Record("a" * 32, "default", alert, [(cancel, progress)], 60_000, "id", "r", received_ms=AT_MS)


def told(record: Record, now_ms: int = AT_MS) -> list[tuple[Kind, str]]:
    """Give what is to be told of a record that is about to be written."""
    record.notices.clear()
    tell(record, now_ms, 15_000)
    return [(each.kind, each.words) for each in record.notices]


def orders(*outcomes: Outcome) -> list[OrderOutcome]:
    """Give orders with these outcomes."""
    return [OrderOutcome(f"order-{number}", "Sim101", each) for number, each in enumerate(outcomes)]


@pytest.mark.promise(7)
def test_what_is_not_proven_says_why_until_when_and_what_to_do() -> None:
    """The words of the specification: the reason, the end of trying, and the orders by their ids."""
    progress = Progress(Status.REQUESTED, "NinjaTrader not connected", started=True)
    progress.orders = orders(Outcome.REQUESTED, Outcome.CANCELLED, Outcome.PENDING)

    assert told(a_record(progress), AT_MS + 14_999) == []
    words = (
        "MES 12-26 in Sim101: NOT confirmed cancelled after 15 s (CrossTrade: NinjaTrader not connected). "
        "Trying until 14:36:00 UTC. Cancel by hand: orders order-0, order-2 at CrossTrade."
    )
    assert told(a_record(progress), AT_MS + 15_400) == [(Kind.NOT_CONFIRMED, words)]


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("started", "after_s", "ahead"),
    [
        (False, 16, "Trying until 14:31:00 UTC. Look at CrossTrade now."),
        (
            True,
            16,
            "Trying until 14:31:00 UTC, then only looking, until 14:36:00 UTC. Look at CrossTrade now.",
        ),
        (True, 61, "Nothing new is sent any more; looking until 14:36:00 UTC. Look at CrossTrade now."),
    ],
)
def test_trying_is_promised_no_longer_than_it_goes_on(started: bool, after_s: int, ahead: str) -> None:  # noqa: FBT001 - a case
    """What no list has named is not cancelled after `max_age`: nobody waits for it until the reading ends."""
    progress = Progress(Status.IN_PROGRESS, "CrossTrade: not connected", started=started)

    ((_, words),) = told(a_record(progress), AT_MS + after_s * 1000)

    assert words.endswith(f"(CrossTrade: not connected). {ahead}")
    assert words.count("CrossTrade: ") == 1


@pytest.mark.promise(7)
def test_nobody_is_sent_to_cancel_what_the_broker_does_not_know() -> None:
    """A wrong id, or another account's, is looked for, and not cancelled by hand there."""
    progress = Progress(Status.REJECTED, f"{NO_SUCH_ORDER} (404)")
    progress.orders = [OrderOutcome("4711", "Sim101", Outcome.REJECTED, progress.reason)]
    record = a_record(progress)
    record.ended_ms = AT_MS

    ((_, words),) = told(record)

    assert words.endswith("Look at CrossTrade now: it may have another id, or be in another account.")


@pytest.mark.promise(7)
def test_a_refusal_keeps_what_it_was_about_however_much_is_wrong() -> None:
    """Account and instrument stand at the end, and that nothing was sent."""
    meant = "account Sim101, instrument MES 12-26"

    words = refused_words("default", "The alert cannot be read", "x" * 900, meant)

    assert words.endswith(f"… Nothing was sent. It said: {meant}.")
    assert len(words) <= WORDS_CHARACTERS
    assert refused_words("default", "Old", "Nothing was sent. So.", "").count("Nothing was sent.") == 1


@pytest.mark.promise(7)
def test_a_broker_is_named_once() -> None:
    """Its own words may begin with its name."""
    refused = log_in_words("autoshares", "Autoshares refuses the log-in: Invalid credentials", 60_000)
    silent = silent_words("crosstrade", "CrossTrade: NinjaTrader did not answer (408)")

    assert refused.startswith("Autoshares refuses the log-in: Invalid credentials. No process")
    assert silent.startswith("CrossTrade does not answer: NinjaTrader did not answer (408). Alerts for it")


@pytest.mark.promise(7)
@pytest.mark.parametrize("length", [10, 500, 5_000])
def test_a_long_reason_leaves_room_for_what_to_do(length: int) -> None:
    """A broker's long words are cut, the orders are not; many orders are counted."""
    progress = Progress(Status.FAILED, "y" * length, started=True)
    progress.orders = orders(*[Outcome.UNKNOWN] * 8)
    record = a_record(progress)
    record.ended_ms = AT_MS

    ((_, words),) = told(record)

    assert words.endswith(
        "Cancel by hand: orders order-0, order-1, order-2, order-3, order-4 and 3 more at CrossTrade."
    )
    assert len(words) <= WORDS_CHARACTERS


@pytest.mark.promise(7)
@pytest.mark.parametrize(
    ("status", "outcomes", "must_exist", "same_root", "warned", "kind"),
    [
        (Status.CONFIRMED, [Outcome.CANCELLED], False, False, False, None),
        (Status.CONFIRMED, [Outcome.CANCELLED], False, False, True, Kind.ENDED),
        (Status.CONFIRMED, [Outcome.CANCELLED, Outcome.FILLED], False, False, False, Kind.FILLED),
        (Status.CONFIRMED, [Outcome.FILLED], False, False, True, Kind.FILLED),
        (Status.NOTHING_TO_CANCEL, [], False, False, False, None),
        (Status.NOTHING_TO_CANCEL, [], True, False, False, Kind.NOTHING),
        (Status.NOTHING_TO_CANCEL, [], False, True, False, Kind.NOTHING),
        (Status.NOTHING_TO_CANCEL, [Outcome.FILLED], False, False, False, Kind.FILLED),
        (Status.FAILED, [Outcome.FILLED, Outcome.UNKNOWN], False, False, False, Kind.ENDED),
        (Status.WITHDRAWN, [], False, False, False, None),
    ],
)
def test_each_end_is_told_by_the_gravest_that_happened(  # noqa: PLR0917, PLR0913 - a row of the table
    status: Status,
    outcomes: list[Outcome],
    must_exist: bool,  # noqa: FBT001 - a case
    same_root: bool,  # noqa: FBT001 - a case
    warned: bool,  # noqa: FBT001 - a case
    kind: Kind | None,
) -> None:
    """What went as it was asked is told to nobody, unless he was told that it had not."""
    record = a_record(Progress(status, orders=orders(*outcomes), same_root=same_root), must_exist=must_exist)
    record.ended_ms, record.warned = AT_MS, warned

    assert [each for each, _ in told(record)] == ([] if kind is None else [kind])


@pytest.mark.promise(7)
@pytest.mark.parametrize("text", ["a\nb", "a\r\n\tb", "a\u202eb", "a\x1b[31mb", "a\u200bb", "a\u2028b"])
def test_words_stand_on_one_line_and_turn_nothing_around(text: str) -> None:
    """A sender's line ends, and signs that draw over their neighbours, are out of what is told."""
    assert clip(text).isprintable()
    assert len(clip(text * 1_000, text * 1_000)) <= WORDS_CHARACTERS
