"""All that waits becomes one message: the worst first, the same once, in so many characters."""

import pytest

from relay.digest import BODY_CHARACTERS, TITLE_CHARACTERS, compose
from relay.notice import Kind, Notice
from relay.outbox import Batch, Waiting

#: 2026-11-21T14:30:00Z in ms.
NOW_MS = 1_795_271_400_000


def waiting(  # noqa: PLR0913 - what a case says of it
    kind: Kind, words: str, *, alert: str = "a" * 32, status: str = "", ago_s: int = 0, count: int = 1
) -> Waiting:
    """Give something that waits to be told."""
    notice = Notice(alert, kind, status, words, 1)
    return Waiting(notice, NOW_MS - ago_s * 1000, count, notice.encode())


def batch(*all_waiting: Waiting, dropped: int = 0) -> Batch:
    """Give what waits as one batch."""
    return Batch(NOW_MS, all_waiting, dropped)


@pytest.mark.promise(7)
def test_the_worst_stands_first_in_title_and_text() -> None:
    """Whoever reads no more than the first words has read the worst."""
    message = compose(
        batch(
            waiting(Kind.ANSWERS, "CrossTrade answers again.", ago_s=9),
            waiting(Kind.REFUSED, "Alert of default refused.", status="refused", ago_s=5),
            waiting(Kind.ENDED, "MES: NOT sent.", status="expired", ago_s=3),
            waiting(Kind.ENDED, "NQ: unclear.", status="unknown", ago_s=1),
        ),
        None,
    )

    assert message.title == "Cancel UNKNOWN, cancel NOT SENT, alert refused, broker answers again"
    assert message.body.splitlines() == [
        "14:29:59 UTC NQ: unclear.",
        "14:29:57 UTC MES: NOT sent.",
        "14:29:55 UTC Alert of default refused.",
        "14:29:51 UTC CrossTrade answers again.",
    ]
    assert not message.good


@pytest.mark.promise(7)
def test_the_same_words_are_told_once_with_how_often() -> None:
    """A repeated failure is one line, with the first one's time."""
    same = [waiting(Kind.ENDED, "MES: refused.", status="rejected", ago_s=ago) for ago in (8, 5, 2)]

    message = compose(batch(*same, waiting(Kind.REFUSED, "More.", status="refused", count=12)), "https://r")

    assert message.title == "3 × cancel REJECTED, 12 × alert refused"  # noqa: RUF001 - a sign of multiplication
    assert message.body.splitlines() == [
        f"14:29:52 UTC MES: refused. (3 times) https://r/alerts/{'a' * 32}",
        f"14:30:00 UTC More. (12 times) https://r/alerts/{'a' * 32}",
    ]


@pytest.mark.promise(7)
@pytest.mark.parametrize("length", [10, 90, 600])
def test_a_storm_stays_within_bounds_and_counts_what_it_leaves_out(length: int) -> None:
    """Everything is named or counted, in so many characters."""
    storm = [
        waiting(
            kind,
            f"{kind.value} {status} {number} {'x' * length}",
            alert=f"{kind.value} {status} {number}",
            status=status,
            ago_s=number,
        )
        for number in range(40)
        for kind in Kind
        for status in ("unknown", "failed", "expired", "rejected", "confirmed")
    ]

    message = compose(batch(*storm, dropped=7), "https://relay.example")

    lines = message.body.splitlines()
    assert len(message.body) <= BODY_CHARACTERS
    assert len(message.title) <= TITLE_CHARACTERS
    assert lines[-1].startswith("and 7 older ones")
    assert lines[-2].startswith(f"and {len(storm) - len(lines) + 2} more: ")


@pytest.mark.promise(7)
def test_what_no_record_holds_is_told_beside_a_storm() -> None:
    """When the relay was away stands in the message, however many cancels failed meanwhile."""
    storm = [
        waiting(Kind.ENDED, f"order {number} in Sim101: refused {'x' * 200}", status="rejected", ago_s=number)
        for number in range(9)
    ]

    message = compose(batch(*storm, waiting(Kind.AWAY, "The relay was away 14:29:02 to 14:29:19 UTC.")), None)

    lines = message.body.splitlines()
    assert "order 8 in Sim101" in lines[0]
    assert lines[-2] == "14:30:00 UTC The relay was away 14:29:02 to 14:29:19 UTC."
    assert lines[-1] == f"and {9 - len(lines) + 2} more: {9 - len(lines) + 2} × cancel REJECTED"  # noqa: RUF001 - a sign of multiplication


@pytest.mark.promise(7)
def test_what_has_ended_meanwhile_is_not_called_open() -> None:
    """An alert that ended before anybody was told that it had not is told by its end alone."""
    open_yet = waiting(Kind.NOT_CONFIRMED, "MES: NOT confirmed.", ago_s=5)
    ended = waiting(Kind.ENDED, "MES: 1 cancelled.", status="confirmed", ago_s=3)
    again = waiting(Kind.NOT_CONFIRMED, "MES: NOT confirmed, again.", ago_s=1)

    assert compose(batch(open_yet, ended), None).title == "Cancel ended late, and well"
    assert compose(batch(ended, again), None).title == "Cancel NOT confirmed yet, cancel ended late, and well"


@pytest.mark.promise(7)
def test_what_is_old_is_told_with_its_date() -> None:
    """A message after a night without network does not look like one of now."""
    message = compose(batch(waiting(Kind.ENDED, "MES.", status="failed", ago_s=7200)), None)

    assert message.body == "2026-11-21 12:30:00 UTC MES."


@pytest.mark.promise(7)
def test_good_news_alone_is_marked_as_good() -> None:
    """A phone may ring differently for it."""
    late = waiting(Kind.ENDED, "MES: 1 cancelled.", status="confirmed")

    assert compose(batch(late, waiting(Kind.ANSWERS, "CrossTrade answers again.")), None).good
    filled = waiting(Kind.FILLED, "MES: 1 had filled first.", status="confirmed")
    assert not compose(batch(late, filled), None).good


@pytest.mark.promise(7)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("status", ["", "confirmed", "failed", "withdrawn", "refused"])
def test_every_kind_has_a_title(kind: Kind, status: str) -> None:
    """Nothing that can be queued keeps the rest from being told."""
    assert compose(batch(waiting(kind, "words", status=status)), None).title
