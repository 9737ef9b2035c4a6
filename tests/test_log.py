"""The log: one JSON line for each event, and no secret in any."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import log
from relay.scrubber import Scrubber
from relay.settings import Settings
from tests.running import SECRET, TOKEN

QUOTED_SECRET = 'tests-only "quoted" \\ sécret-2'


SIGNING_SECRET = "dGVzdHMtb25seS1zaWduaW5nLXNlY3JldA=="


def scrubber(**environ: str) -> Scrubber:
    """Give the scrubber of a relay with these settings."""
    return Scrubber(
        Settings.read(
            {
                "REDIS_URL": "redis://:redis%2Dpassword@127.0.0.1",
                "RELAY_SECRET": f"{SECRET},{QUOTED_SECRET}",
                "RELAY_SIGNING_SECRET": f"whsec_{SIGNING_SECRET}",
                "CROSSTRADE_TOKEN": TOKEN,
                **environ,
            }
        )
    )


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Give the log back as it was."""
    logger = logging.getLogger("relay")
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Give what was logged; every line of it is JSON."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.house
def test_an_event_is_one_json_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts with line breaks and letters of any script stay within one line."""
    log.configure("INFO", scrubber())
    log.say("alert", {"note": 'first "line"\nsecond line: Köln', "http": 200, "accounts": ("Sim101",)})

    (line,) = lines(capsys)
    assert line["event"] == "alert"
    assert line["level"] == "info"
    assert line["note"] == 'first "line"\nsecond line: Köln'
    assert line["http"] == 200
    assert line["accounts"] == ["Sim101"]
    assert line["at"].endswith("+00:00")


@pytest.mark.house
def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What is below LOG_LEVEL is not written, and configuring twice writes each line once."""
    log.configure("INFO", scrubber())
    log.configure("WARNING", scrubber())
    log.say("vendor_call", {})
    log.say("settings_warning", {}, logging.WARNING)

    assert [line["event"] for line in lines(capsys)] == ["settings_warning"]


SECRETS = [SECRET, QUOTED_SECRET, TOKEN, "redis-password", "redis%2Dpassword", SIGNING_SECRET]


@pytest.mark.promise(9)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_vendors_words_is_masked(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A vendor that repeats the credential does not write it into the log, nested or as a name."""
    log.configure("INFO", scrubber())
    log.say("vendor_call", {"words": f"bad token {secret}!", "inner": [{"deep": secret}], secret: 1})

    written = capsys.readouterr().out
    assert secret not in written
    assert json.dumps(secret)[1:-1] not in written
    assert json.loads(written)["words"] == "bad token ***!"


class _TellTaleError(Exception):
    """An error whose words hold a secret."""


def tell(secret: str) -> None:
    """Raise such an error."""
    raise _TellTaleError(secret)


@pytest.mark.promise(9)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_in_a_traceback_is_masked(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unforeseen error is logged with its traceback, without the secret in its words."""
    log.configure("INFO", scrubber())
    try:
        tell(secret)
    except _TellTaleError:
        log.say_unforeseen({"request_id": "r-1"})

    written = capsys.readouterr().out
    assert secret not in written
    assert json.dumps(secret)[1:-1] not in written
    (line,) = [json.loads(each) for each in written.splitlines()]
    assert line["event"] == "unforeseen"
    assert line["request_id"] == "r-1"
    assert "_TellTaleError: ***" in line["traceback"]


@pytest.mark.promise(9)
@pytest.mark.parametrize("password", ["event", "e", '"', "{", "0"])
def test_a_careless_password_does_not_break_the_line(
    password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Redis password that is part of every line masks values, and leaves the line JSON."""
    log.configure("INFO", scrubber(REDIS_URL=f"redis://:{password}@127.0.0.1"))
    log.say("alert", {"http": 200, "words": f"<{password}>"})

    (line,) = lines(capsys)
    assert line["words"] == "<***>"


@pytest.mark.promise(9)
def test_a_secret_within_another_leaves_no_rest() -> None:
    """The longer secret is masked first, so that no part of it stays."""
    short, long = "tests-only-secret", "tests-only-secret-and-more"

    assert scrubber(RELAY_SECRET=f"{short},{long}").scrub(f"<{long}> <{short}>") == "<***> <***>"


@pytest.mark.promise(9)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(before=st.text(), after=st.text(), secret=st.sampled_from(SECRETS))
def test_no_surroundings_hide_a_secret(before: str, after: str, secret: str) -> None:
    """Whatever stands around it, a secret is found."""
    text = scrubber().scrub(before + secret + after)

    assert secret not in text


@pytest.mark.house
def test_half_a_character_does_not_stop_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A vendor's answer may hold a lone surrogate, which no stream can encode."""
    log.configure("INFO", scrubber())
    log.say("vendor_call", {"words": "\ud800"})

    assert len(lines(capsys)) == 1
