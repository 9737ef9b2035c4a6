"""Apprise reads the URLs; nothing of them is shown, and none touches this machine."""

import logging
from pathlib import Path

import pytest

from relay import service
from relay.errors import SettingsError
from relay.scrubber import Scrubber
from relay.service import ServiceError
from relay.settings import Settings
from tests.running import SECRET

#: URLs that Apprise reads, and what in each only the trader may know.
GOOD = {
    "ntfys://tests-only-topic": ["tests-only-topic"],
    "tgram://123456789:tests_only_abcdefghijk/12315544/": ["123456789", "tests_only_abcdefghijk"],
    "discord://4174216298/tests-only-JHMHI8qBe7bk2ZwO5U711o3dV": ["tests-only-JHMHI8qBe7bk2ZwO5U711o3dV"],
    "https://discord.com/api/webhooks/4174216298/tests-only-JHMHI8qBe7bk2ZwO5U711o3dV": ["4174216298"],
    "mailtos://me:tests%2Conly@example.com?to=a@example.com,b@example.com": ["tests,only", "tests%2Conly"],
    "pover://testsonlyuserkeytestsonlyuserk@testsonlytokentestsonlytokent1": [
        "testsonlyuserkeytestsonlyuserk",
        "testsonlytokentestsonlytokent1",
    ],
    "json://user:pass@127.0.0.1:8080/tests-only-path": ["pass", "tests-only-path"],
}

#: URLs that must not be used, each with what is said of it.
BAD = {
    "syslog://": "tells only the machine",
    "dbus://": "(dbus://)",
    "gnome://": "(gnome://)",
    "macosx://": "(macosx://)",
    "windows://": "(windows://)",
    "file:///etc/passwd": "of no scheme that Apprise knows",
    "exec:///bin/sh": "of no scheme that Apprise knows",
    "config://tests-only-key": "of no scheme that Apprise knows",
    "tests-only-secret-in-the-wrong-place": "of no scheme that Apprise knows",
    "testsonly://secret": "of no scheme that Apprise knows",
    "tgram://tests-only-no-token": "(tgram://) is no URL",
    "ftp://tests-only-host/notify.py": "of no scheme that Apprise knows",
}


def environ(notify: str) -> dict[str, str]:
    """Give the least settings of a relay that tells somebody."""
    return {"REDIS_URL": "redis://localhost:6379/0", "RELAY_SECRET": SECRET, "RELAY_NOTIFY": notify}


@pytest.mark.promise(9)
@pytest.mark.parametrize("url", GOOD)
def test_a_url_and_its_parts_are_secrets(url: str) -> None:
    """Neither `repr` nor a log line shows them, whole or in part."""
    settings = Settings.read(environ(url))

    scrubbed = Scrubber(settings).scrub(f"{url} | {' | '.join(GOOD[url])} |")

    assert not [each for each in (url, *GOOD[url]) if each in scrubbed]
    assert not [each for each in (url, *GOOD[url]) if each in f"{settings!r} {settings.notify[0]}"]


@pytest.mark.promise(9)
def test_an_everyday_word_of_a_url_keeps_no_alert_out() -> None:
    """A topic may be called as an account is: an alert that names it is no alert with a secret in it."""
    scrubber = Scrubber(Settings.read(environ("ntfys://Simulation101")))

    assert not scrubber.holds("account Simulation101")


@pytest.mark.promise(9, 10)
@pytest.mark.parametrize("url", BAD)
def test_a_url_that_cannot_be_used_is_told_by_its_number(url: str) -> None:
    """The mistake names the second of two, and its scheme where Apprise knows that, and no more of it."""
    with pytest.raises(SettingsError) as failure:
        Settings.read(environ(f"{url} ntfys://tests-only-topic") if "://" in url else environ(url))

    (said,) = failure.value.mistakes
    assert BAD[url] in said
    assert said.startswith("RELAY_NOTIFY: number 1")
    assert "tests-only" not in said
    assert "testsonly" not in said
    assert "passwd" not in said


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    "url",
    [
        "discord://4174216298/tests-only-JHMHI8qBe7bk2ZwO5U711o3dV?template={file}",
        "mailto://me:word@example.com?pgp=yes&pgpkey={file}",
    ],
)
def test_a_url_cannot_have_a_file_read(url: str, tmp_path: Path) -> None:
    """What a template or a key would hold goes to nobody: such a URL is a mistake."""
    file = tmp_path / "secret.json"
    file.write_text('{"content": "a file of this machine"}')

    with pytest.raises(ServiceError, match="number 1"):
        service.read([url.format(file=file)])


@pytest.mark.promise(10)
def test_a_list_is_split_as_apprise_splits_it() -> None:
    """A comma within a URL stays in it; one before the next URL ends it."""
    text = "ntfy://a, mailto://me:x,y@example.com?to=a@example.com,b@example.com;json://127.0.0.1"

    assert service.split(text) == (
        "ntfy://a",
        "mailto://me:x,y@example.com?to=a@example.com,b@example.com",
        "json://127.0.0.1",
    )


@pytest.mark.promise(9)
def test_what_apprise_logs_reaches_no_log_of_ours() -> None:
    """Its lines may hold a URL: they are heard by whoever sends, and by nobody else."""
    heard: list[str] = []
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: heard.append(record.name)  # type: ignore[method-assign]  # all that it is for
    logging.getLogger().addHandler(handler)
    try:
        (dead,) = service.read(["json://127.0.0.1:1/tests-only-path"])
        failure = dead.take(service.Message("title", "body"))
    finally:
        logging.getLogger().removeHandler(handler)

    assert "Connection error" in (failure or "")
    assert not [each for each in heard if each.startswith("apprise")]
