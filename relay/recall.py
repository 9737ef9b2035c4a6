"""A sender's own records, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from marshmallow import ValidationError

from relay import log
from relay.errors import InvalidQuery
from relay.ledger import Ledger, Mark
from relay.record import Record
from relay.scrubber import Scrubber
from schemas.listing import ListingSchema

#: Records that one page looks at, however few of them are wanted: the next page goes on from there.
LOOKS_AT = 1_000

#: Records read from Redis at a time, between which it does other work; with fifty orders each they are 1 MB.
BATCH = 50

_SCHEMA = ListingSchema()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records make a page: empty `statuses` and no vendor mean any."""

    statuses: tuple[str, ...]
    vendor: str | None
    limit: int
    before: Mark | None

    def takes(self, record: Record) -> bool:
        """Say whether a record is one of them."""
        return (not self.statuses or record.status.value in self.statuses) and (
            self.vendor is None or record.alert.vendor == self.vendor
        )

    def after(self, mark: Mark) -> str:
        """Give the address of the page that begins there."""
        said = {
            "status": ",".join(self.statuses),
            "vendor": self.vendor or "",
            "limit": str(self.limit),
            "before": written(mark),
        }
        return "/alerts?" + urlencode({name: value for name, value in said.items() if value}, safe=",")


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first; where the next page begins; how many another version of the relay wrote."""

    records: tuple[Record, ...]
    next: Mark | None
    unreadable: int


def read_query(sent: Sequence[tuple[str, str]], scrubber: Scrubber) -> Wanted:
    """Give what a query asks for; raise `InvalidQuery` with all that is wrong with it."""
    found = _SCHEMA.problems(sent)
    try:
        loaded = _SCHEMA.load(dict(sent))
    except ValidationError as failure:
        loaded = {}
        for name, said in failure.messages_dict.items():
            found.setdefault(name, []).extend(said)
    for name, value in sent:
        if scrubber.holds(f"{name} {value}"):
            found.pop(name, None)  # its very name may be the secret
            found["secret"] = ["stands in the address, which is kept in many logs: change it"]
    if found:
        names = ", ".join(name[:40] for name in sorted(found))
        verb = "is" if len(found) == 1 else "are"
        raise InvalidQuery(f"{len(found)} of the parameters {verb} at fault: {names}.", errors=found)
    return Wanted(loaded.get("status", ()), loaded.get("vendor"), loaded["limit"], loaded.get("before"))


def recall(ledger: Ledger, sender: str, wanted: Wanted) -> Page:
    """Give a page of a sender's records; it may be short, and still have a next one."""
    records: list[Record] = []
    at, more, looked, unreadable = wanted.before, True, 0, 0
    while more and looked < LOOKS_AT and len(records) < wanted.limit:
        most = BATCH if wanted.statuses or wanted.vendor else min(BATCH, wanted.limit - len(records))
        batch, more = ledger.received(sender, at, most)
        for number, (mark, text) in enumerate(batch, 1):
            at, looked = mark, looked + 1
            record = _readable(text, mark)
            unreadable += text is not None and record is None
            if record is not None and wanted.takes(record):
                records.append(record)
            if len(records) == wanted.limit:
                more = more or number < len(batch)
                break
    if unreadable:
        log.say("records_unreadable", {"sender": sender, "records": unreadable})
    return Page(tuple(records), at if more else None, unreadable)


def written(mark: Mark) -> str:
    """Write a mark as a query has it."""
    return f"{mark[0]}-{mark[1]}"


def _readable(text: str | None, mark: Mark) -> Record | None:
    """Read a record; None where there is none, or another version of the relay wrote it."""
    if text is None:
        return None
    try:
        return Record.decode(text, mark[0])
    except (KeyError, TypeError, ValueError):
        return None
