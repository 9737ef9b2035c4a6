"""The pages: each link leads somewhere, each page can be reached, each alert in them is one."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from relay.errors import InvalidAlert
from relay.parse import parse
from relay.plan import read_alert
from relay.scrubber import Scrubber
from relay.settings import Settings
from tests.running import ROOT, SECRET

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

#: A link of Markdown; a word in brackets before a parenthesis within code is none.
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`]*`")

#: An alert in the text form: within a code span, or on a line of its own.
TEXT_FORM = re.compile(r"`(key=…;[^`]*)`|'(command=[^']*)'")

#: What a chart fills in.
FILLED = {"{{timenow}}": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "{{ticker}}": "MES1!"}

#: All three brokers.
CONFIGURED = ("crosstrade", "alphapoint", "autoshares")


class Example(NamedTuple):
    """An alert that a page shows, and whether the page says that it is refused."""

    page: str
    text: str
    refused: bool


def prose(page: Path) -> str:
    """Give a page without its code, in which brackets mean something else."""
    return CODE.sub("", FENCE.sub("", page.read_text()))


def links(page: Path) -> list[str]:
    """Give a page's links to this repository."""
    found = LINK.findall(prose(page))
    return [each for each in found if not re.match(r"[a-z]+:", each)]


def anchors(page: Path) -> set[str]:
    """Give the names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def target(page: Path, link: str) -> Path:
    """Give the file, or folder, that a link leads to."""
    where = link.partition("#")[0]
    return (page.parent / where).resolve() if where else page


def examples() -> Iterator[Example]:
    """Give the alerts of all pages: JSON that has an action, and messages in the text form."""
    for page in PAGES:
        text = page.read_text()
        for found in re.finditer(r'\{\s*"(?=secret"|action")', text):
            alert, _ = json.JSONDecoder().raw_decode(text[found.start() :])
            yield Example(page.name, json.dumps(alert), _is_said_to_be_refused(text, found.start()))
        for found in TEXT_FORM.finditer(text):
            message = " ".join((found[1] or found[2]).split())
            yield Example(page.name, message, _is_said_to_be_refused(text, found.start()))


def _is_said_to_be_refused(text: str, at: int) -> bool:
    """Say whether it is the first cell of a row under a heading that says so."""
    heading = text.rfind("\n## ", 0, at)
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line == "| " and "refused" in text[heading : text.index("\n", heading + 1)]


def read(message: str) -> dict[str, Any]:
    """Read a message as the relay does; give its faults."""
    for placeholder, value in FILLED.items():
        message = message.replace(placeholder, value)
    parsed = parse(message.encode())
    settings = Settings.read({"REDIS_URL": "redis://localhost", "RELAY_SECRET": SECRET})
    try:
        read_alert(parsed.fields, parsed.faults, CONFIGURED, Scrubber(settings))
    except InvalidAlert as refused:
        return dict(refused.errors)
    return {}


@pytest.mark.house
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """To a file or folder that is there, and within a page to a heading that is there."""
    for link in links(page):
        where, anchor = target(page, link), link.partition("#")[2]
        assert where.exists(), link
        assert where.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(where), link


@pytest.mark.house
def test_every_page_can_be_reached() -> None:
    """From the README, link by link; a link to a folder shows all that is in it."""
    reached: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        if page.is_dir():
            ahead += page.glob("*.md")
        elif page.suffix == ".md":
            ahead += [target(page, link) for link in links(page)]

    assert set(PAGES) <= reached


@pytest.mark.house
def test_the_readme_is_one_screen() -> None:
    """Whoever wants more finds the page for it."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 60


@pytest.mark.promise(10)
def test_every_alert_of_the_pages_is_one() -> None:
    """The relay takes it as it stands there; or the page says that it is refused, and it is."""
    read_as = [(example, read(example.text)) for example in examples()]

    assert [(example, faults) for example, faults in read_as if bool(faults) is not example.refused] == []


@pytest.mark.house
def test_alerts_are_found_in_the_pages() -> None:
    """Both forms, and refused ones."""
    found = list(examples())

    assert len([each for each in found if each.text.startswith("{")]) >= 5
    assert len([each for each in found if not each.text.startswith("{")]) >= 15
    assert len([each for each in found if each.refused]) == 8


@pytest.mark.house
@pytest.mark.parametrize("vendor", CONFIGURED)
def test_each_broker_has_a_page_of_one_shape(vendor: str) -> None:
    """What it can do, what its answers prove, its traps, its settings, and whether there is a WebSocket."""
    page = (ROOT / f"docs/vendors/{vendor}.md").read_text()

    for part in ("can cancel", "**What its answers prove.**", "**Traps.**", "WebSocket"):
        assert part in " ".join(page.split()), part
    assert f"../settings.md#{vendor}" in page
