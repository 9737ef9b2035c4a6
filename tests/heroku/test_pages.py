"""What app.json and the operator's pages say is there."""

import json
import re
import shlex
import socket

import pytest

from relay.cli import COMMANDS
from schemas.settings import SettingsSchema
from tests.running import ROOT, RunningRelay, procfile_line, until

PAGES = ("deploying.md", "operating.md")


def page(name: str) -> str:
    """Read a page of the documentation."""
    return (ROOT / "docs" / name).read_text()


@pytest.mark.promise(10)
def test_app_json_asks_for_settings_that_are_there() -> None:
    """Each is a setting; none has its default there, for a new app alone would get it; the secret is made."""
    app = json.loads((ROOT / "app.json").read_text())
    known = SettingsSchema().fields

    assert set(app["env"]) <= set(known)
    for name, asked in app["env"].items():
        assert asked.keys() <= {"description", "required", "generator"}, name
        assert asked.get("required") is False or asked["generator"] == "secret"
        assert not known[name].required or asked["generator"] == "secret"
    assert app["addons"] == [{"plan": "heroku-redis:premium-0"}]
    assert app["formation"] == {"web": {"quantity": 1, "size": "basic"}}
    assert all(procfile_line(process) for process in app["formation"])
    assert len(app["name"]) <= 30


@pytest.mark.promise(10)
@pytest.mark.parametrize("name", PAGES)
def test_the_pages_name_commands_and_settings_that_are_there(name: str) -> None:
    """Of the relay's own."""
    commands = re.findall(r"python -m relay (\w+)", page(name))
    settings = re.findall(r"\b(?:RELAY|CROSSTRADE|ALPHAPOINT|AUTOSHARES)_[A-Z_]+", page(name))

    assert commands
    assert set(commands) <= set(COMMANDS)
    assert set(settings) <= set(SettingsSchema().fields)


@pytest.mark.house
def test_every_line_of_the_log_has_its_meaning() -> None:
    """Whatever the relay can write as an event stands in the operator's table, and nothing else does."""
    written = {
        event
        for path in (ROOT / "relay").rglob("*.py")
        for event in re.findall(r'log\.say\(\s*"(\w+)"', path.read_text())
    }
    table = page("operating.md").split("## The log")[1].split("## What to do when")[0]
    told = {
        event
        for row in re.findall(r"^\| (`.*?`) \| ", table, re.MULTILINE)
        for event in re.findall(r"`(\w+)`", row)
    }

    assert told == written | {"event", "unforeseen"}


@pytest.mark.promise(10)
def test_the_line_for_a_machine_of_ones_own_starts_the_procfiles_web(environ: dict[str, str]) -> None:
    """As the page has it: the Procfile's line, on the loopback alone."""
    found = re.search(r"^    (eval .*)$", page("deploying.md"), re.MULTILINE)
    assert found
    relay = RunningRelay({**environ, "WEB_CONCURRENCY": "1"})
    relay.line = f"/bin/sh -c {shlex.quote(found[1])}"
    with relay:
        # Linux has this address too, so whoever listens on all of them would answer here.
        with pytest.raises(OSError, match=r"refused|timed out|assign"):
            socket.create_connection(("127.0.0.2", relay.port), timeout=2).close()
        until(lambda: "Using worker: gthread" in relay.text, what="gunicorn's own words")
