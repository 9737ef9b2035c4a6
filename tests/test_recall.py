"""The list of a sender's records: which, in what order, page by page."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from relay import recall
from relay.alert import Alert
from relay.cancel import Cancel, Scope
from relay.errors import InvalidQuery
from relay.ledger import Ledger, Mark
from relay.outcome import Progress, Status
from relay.recall import read_query, written
from relay.record import Record
from relay.scrubber import Scrubber
from relay.settings import Settings
from schemas.listing import STATUSES
from tests.running import SECRET

#: What a `before` has to be, in full.
BEFORE = (
    "must be the `before` of another page, or a moment: ISO 8601 (a + in it written %2B), or Unix seconds"
)

#: A moment in which many alerts were received.
AT = 1_795_271_400_123


@pytest.fixture(name="settings")
def _settings(redis_url: str) -> Settings:
    return Settings.read({"REDIS_URL": redis_url, "RELAY_SECRET": SECRET})


@pytest.fixture(name="ledger")
def _ledger(settings: Settings) -> Ledger:
    return Ledger(settings)


@pytest.fixture(name="client")
def _client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


class Kept:
    """Records in Redis as claims leave them, received when a test says so."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def put(
        self,
        at: int,
        *,
        sender: str = "default",
        status: Status = Status.CONFIRMED,
        vendor: str = "crosstrade",
        alert_id: str | None = None,
    ) -> str:
        """Keep one record and give its id."""
        alert_id = alert_id or secrets.token_hex(16)
        cancel = Cancel(vendor, "Sim101", Scope.INSTRUMENT, "MES 12-26")
        alert = Alert(vendor, ("Sim101",), instrument="MES 12-26")
        record = Record(alert_id, sender, alert, [(cancel, Progress(status))], 60_000, "content", "r-1")
        self._client.hset(f"relay:alert:{alert_id}", mapping={"record": record.encode(), "received": at})
        self._client.zadd(f"relay:alerts:{sender}", {alert_id: at})
        return alert_id


@pytest.fixture(name="kept")
def _kept(client: redis.Redis) -> Kept:
    return Kept(client)


def query(settings: Settings, **sent: str) -> recall.Wanted:
    """Read a query."""
    return read_query(list(sent.items()), Scrubber(settings))


def pages(ledger: Ledger, settings: Settings, **sent: str) -> list[list[str]]:
    """Turn all pages of a list, and give the ids on each."""
    found, before = [], None
    while True:
        said = sent if before is None else {**sent, "before": written(before)}
        page = recall.recall(ledger, "default", query(settings, **said))
        found.append([record.alert_id for record in page.records])
        if page.next is None:
            return found
        assert page.next != before, "the next page is this one"
        before = page.next


@pytest.mark.promise(1)
@pytest.mark.parametrize("limit", [1, 7, 50, 100, 200])
def test_no_page_skips_or_repeats_a_record_of_one_moment(
    ledger: Ledger, settings: Settings, kept: Kept, limit: int
) -> None:
    """Five hundred records, most of them of one millisecond: each is on one page, the newest first."""
    put = [(at, kept.put(at)) for at in [AT - 1] * 20 + [AT] * 450 + [AT + 1] * 30]

    found = pages(ledger, settings, limit=str(limit))

    newest_first = [alert_id for _, alert_id in sorted(put, reverse=True)]
    assert [each for page in found for each in page] == newest_first
    assert {len(page) for page in found[:-1]} == {limit}


@pytest.mark.promise(1)
def test_what_comes_or_goes_between_two_pages_moves_none(
    ledger: Ledger, settings: Settings, kept: Kept, client: redis.Redis
) -> None:
    """A new alert, and the last one of a page that is forgotten, leave the next page as it was."""
    put = sorted((kept.put(AT) for _ in range(20)), reverse=True)
    first = recall.recall(ledger, "default", query(settings, limit="5"))
    assert first.next is not None

    kept.put(AT + 5)
    client.delete(f"relay:alert:{put[4]}")
    client.zrem("relay:alerts:default", put[4])
    second = recall.recall(ledger, "default", query(settings, limit="5", before=written(first.next)))

    assert [record.alert_id for record in first.records] == put[:5]
    assert [record.alert_id for record in second.records] == put[5:10]


@pytest.mark.promise(8)
def test_another_senders_records_are_on_no_page(ledger: Ledger, settings: Settings, kept: Kept) -> None:
    """Also between one's own, and of the same moment."""
    mine = {kept.put(AT) for _ in range(30)}
    for _ in range(30):
        kept.put(AT, sender="somebody-else")

    found = [each for page in pages(ledger, settings, limit="7") for each in page]

    assert sorted(found) == sorted(mine)


@pytest.mark.promise(6)
def test_a_page_looks_only_so_far(
    ledger: Ledger, settings: Settings, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that is wanted lies behind a thousand: the first page is empty and the next one has it."""
    wanted = kept.put(AT - 1, status=Status.FAILED)
    for number in range(recall.LOOKS_AT):
        kept.put(AT + number)
    read: list[int] = []
    whole = Ledger.received

    def counted(self: Ledger, sender: str, before: Mark | None, most: int) -> Any:  # noqa: ANN401 - as it is
        found = whole(self, sender, before, most)
        read.append(len(found[0]))
        return found

    monkeypatch.setattr(Ledger, "received", counted)

    found = pages(ledger, settings, status="failed")

    assert found == [[], [wanted]]
    assert read == [recall.BATCH] * (recall.LOOKS_AT // recall.BATCH) + [1]


@pytest.mark.promise(1)
def test_a_page_takes_what_is_asked_for(ledger: Ledger, settings: Settings, kept: Kept) -> None:
    """By status, several of them, by vendor, and by the moment before which they came."""
    failed = kept.put(AT, status=Status.FAILED)
    unknown = kept.put(AT + 1, status=Status.UNKNOWN, vendor="autoshares")
    kept.put(AT + 2)

    assert pages(ledger, settings, status="failed") == [[failed]]
    assert pages(ledger, settings, status="Unknown, failed") == [[unknown, failed]]
    assert pages(ledger, settings, vendor="autoshares") == [[unknown]]
    assert pages(ledger, settings, vendor="autoshares", status="failed") == [[]]
    assert pages(ledger, settings, before="2026-11-21T14:30:00.124Z") == [[failed]]
    assert pages(ledger, settings, before="2026-11-21T14:30:00.123Z") == [[]]


@pytest.mark.promise(1)
def test_a_record_of_another_version_is_left_out_and_told(
    ledger: Ledger, settings: Settings, kept: Kept, client: redis.Redis
) -> None:
    """The others are listed all the same; one that is gone leaves nothing to tell."""
    strange, gone, known = kept.put(AT + 2), kept.put(AT + 1), kept.put(AT)
    client.hset(f"relay:alert:{strange}", "record", json.dumps({"of": "another version"}))
    client.delete(f"relay:alert:{gone}")

    page = recall.recall(ledger, "default", query(settings))

    assert [record.alert_id for record in page.records] == [known]
    assert (page.unreadable, page.next) == (1, None)


@pytest.mark.promise(1)
def test_a_record_may_have_no_status_that_cannot_be_asked_for() -> None:
    """The list's words are those of the replies."""
    assert {each.value for each in Status} <= set(STATUSES)


@pytest.mark.promise(4)
def test_all_faults_of_a_query_come_at_once(settings: Settings) -> None:
    """Each by its name, with what to write instead."""
    sent = [
        ("status", "faild,confirmed"),
        ("vendor", "crosstrad"),
        ("limit", "201"),
        ("before", "yesterday"),
        ("broker", "x"),
        ("instrumnet", "x"),
        ("token", "x"),
    ]

    with pytest.raises(InvalidQuery) as refused:
        read_query(sent, Scrubber(settings))

    assert refused.value.errors == {
        "status": ['"faild" is none of them: did you mean "failed"?'],
        "vendor": ['must be one of "crosstrade", "alphapoint", "autoshares"'],
        "limit": ["must be how many to list: a whole number from 1 to 200"],
        "before": [BEFORE],
        "broker": ['unknown parameter; did you mean "vendor"?'],
        "instrumnet": ["unknown parameter"],
        "token": ["goes into the header, as Authorization: Bearer <secret>: an address is kept in many logs"],
    }


@pytest.mark.promise(4)
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([("status", "")], "is empty: give it a value, or leave it out"),
        ([("status", "failed"), ("status", "expired")], "write one list, separated by commas"),
        ([("limit", "1"), ("limit", "2")], "stands there twice: which one counts?"),
        ([("limit", "0")], "a whole number from 1 to 200"),
        ([("limit", "1_0")], "a whole number from 1 to 200"),
        ([("before", f"{AT}-{'A' * 32}")], "must be the `before` of another page"),
        ([("before", f"{AT}000")], "must be the `before` of another page"),
    ],
)
def test_a_fault_is_no_guess(settings: Settings, sent: list[tuple[str, str]], said: str) -> None:
    """No value is read as another one, or as none."""
    with pytest.raises(InvalidQuery) as refused:
        read_query(sent, Scrubber(settings))

    (errors,) = refused.value.errors.values()
    assert said in " ".join(errors)


@pytest.mark.promise(9)
@pytest.mark.parametrize("sent", [("note", SECRET), (SECRET, "1"), ("before", f"x{SECRET}x")])
def test_a_secret_in_the_address_is_not_repeated(settings: Settings, sent: tuple[str, str]) -> None:
    """Wherever it stands, it is told that it does, and not what it is."""
    with pytest.raises(InvalidQuery) as refused:
        read_query([sent], Scrubber(settings))

    assert "stands in the address" in refused.value.errors["secret"][0]
    assert SECRET not in f"{refused.value.detail} {refused.value.errors}"
