"""A service that carries a message to the trader's phone: read from its Apprise URL, and asked to take one.

Apprise also reaches what is on this very machine (a desktop, the system's log) and reads files that a URL
names. Neither brings anything to a phone, so neither can be used here.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType
from apprise.common import OverflowMode
from apprise.manager_attachment import AttachmentManager
from apprise.manager_plugins import NotificationManager
from apprise.utils.parse import parse_urls

#: Plugins of Apprise that tell nobody but this machine, or that start a program on it.
_LOCAL = frozenset({"blink1", "dbus", "deltachat", "glib", "gnome", "macosx", "syslog", "windows"})

#: Characters from which on a part of a URL is surely no everyday word.
_SURELY_SECRET = 8

#: The same for what Apprise itself calls private: a shorter text would take letters out of every word.
_PRIVATE = 4

_SCHEME = re.compile(r"\s*([A-Za-z0-9]+)://")

#: What stands between the parts of a URL.
_BETWEEN = re.compile(r"[/:@?&=,;\s]+")

#: A name or an address in the network, as it may stand anywhere in a log.
_HOST = re.compile(r"(?:[a-z0-9-]+\.)+[a-z0-9-]+|localhost", re.IGNORECASE)

#: Words of many a URL, which are nobody's own.
_WELL_KNOWN = frozenset(
    {"markdown", "notifications", "optional", "overflow", "priority", "truncate", "upstream", "webhooks"}
)

#: Characters kept of what a service said when it took nothing.
_WORDS_CHARACTERS = 200

_LOGGER = logging.getLogger("apprise")

_reading = threading.Lock()


class ServiceError(Exception):
    """A URL cannot be used; the message names it by number and scheme alone."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a service is to bring. `good`: nothing in it went wrong."""

    title: str
    body: str
    good: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One service, by its number in RELAY_NOTIFY. It never shows its URL."""

    number: int
    scheme: str
    _url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Give the name under which it is told of: no part of it is secret."""
        return f"number {self.number} ({self.scheme})"

    def secrets(self) -> list[str]:
        """List what must stand in no log: the URL, and its parts but for hosts and everyday words."""
        plugin = _plugin(self._url)
        private: set[str] = set()
        if plugin is not None:
            private = _parts(_url(plugin, privacy=False)) - _parts(_url(plugin, privacy=True))
        # Apprise takes a topic, or a user, for no secret: whoever knows it reads along, or writes.
        given = {each for each in _parts(self._url) if len(each) >= _SURELY_SECRET}
        hosts = {each for each in given if _HOST.fullmatch(each)}
        private = {each for each in private if len(each) >= _PRIVATE}
        return sorted({self._url} | private | (given - hosts - _WELL_KNOWN))

    def take(self, message: Message) -> str | None:
        """Hand a message to the service; None when it took it, else what it said.

        It may take for ever: a plugin bounds each wait, and not the whole.
        """
        plugin = _plugin(self._url)
        if plugin is None:
            return "its URL cannot be read any more"
        kind = NotifyType.SUCCESS if message.good else NotifyType.FAILURE
        with _listened() as said:
            taken = plugin.notify(
                title=message.title,
                body=message.body,
                notify_type=kind,
                # The words hold a sender's text: it is no markup, whatever is in it.
                body_format=NotifyFormat.TEXT,
                # The worst stands first, so what a service cannot carry is the least of it.
                overflow=OverflowMode.TRUNCATE,
            )
        if taken:
            return None
        return (" ".join(said) or "it took nothing")[:_WORDS_CHARACTERS]


def split(text: str) -> tuple[str, ...]:
    """Split a list as Apprise does: a comma ends a URL only where another URL follows it."""
    urls: list[str] = parse_urls(text)  # type: ignore[no-untyped-call]  # Apprise has no types here
    return tuple(each.strip() for each in urls if each.strip())


def read(urls: Sequence[str]) -> tuple[Service, ...]:
    """Give the services that the URLs name; raise `ServiceError` with all that cannot be used."""
    services, mistakes = [], []
    for number, url in enumerate(urls, 1):
        scheme = _scheme(url)
        plugin = _plugin(url)
        if plugin is None:
            shown = f"{scheme}://" if scheme else "of no scheme that Apprise knows"
            mistakes.append(
                f"number {number} ({shown}) is no URL that Apprise can use: compare it with its page"
            )
        elif _module(plugin) in _LOCAL:
            mistakes.append(f"number {number} ({scheme}://) tells only the machine on which the relay runs")
        else:
            services.append(Service(number, scheme or "https", url))
    if mistakes:
        raise ServiceError("; ".join(mistakes))
    return tuple(services)


def _url(plugin: NotifyBase, *, privacy: bool) -> str:
    """Give a plugin's URL as Apprise writes it, with or without what it calls private."""
    return str(plugin.url(privacy=privacy))  # type: ignore[no-untyped-call]  # Apprise has no types here


def _parts(url: str) -> set[str]:
    """Split a URL into its parts, as they stand and without escapes."""
    raw = _BETWEEN.split(url.partition("://")[2])
    return {form for each in raw for form in (each, unquote(each)) if form}


def _scheme(url: str) -> str | None:
    """Give a URL's scheme, if Apprise knows it: any other may be a secret in the wrong place."""
    found = _SCHEME.match(url)
    if found is None:
        return None
    scheme = found[1].lower()
    return scheme if scheme in {"http", "https"} or scheme in _known() else None


def _plugin(url: str) -> NotifyBase | None:
    """Have Apprise read a URL, with nothing that would touch this machine's files."""
    _known()
    with _reading:
        asset = AppriseAsset(
            app_id="Cancel Relay",
            app_desc="Cancel Relay",
            storage_mode="memory",
            pgp_autogen=False,
            pem_autogen=False,
            # A redirect would take the credential to somebody else.
            http_redirects=False,
            interpret_escapes=False,
            interpret_emojis=False,
        )
        with contextlib.suppress(Exception):  # a plugin's own mistake is a URL that cannot be used
            return Apprise.instantiate(url, asset=asset)
        return None


def _module(plugin: NotifyBase) -> str:
    """Give the name of the plugin's file, or folder, within Apprise."""
    return type(plugin).__module__.removeprefix("apprise.plugins.").partition(".")[0]


def _known() -> NotificationManager:
    """Give what Apprise knows, its log lines kept to ourselves and files kept out of its hands."""
    with _reading:
        known = NotificationManager()  # type: ignore[no-untyped-call]  # Apprise has no types here
        if any(isinstance(each, _Said) for each in _LOGGER.handlers):
            return known
        _LOGGER.propagate = False
        _LOGGER.setLevel(logging.WARNING)
        with warnings.catch_warnings():
            # What it imports is old-fashioned, and nobody here can help it.
            warnings.simplefilter("ignore", DeprecationWarning)
            known.load_modules()  # type: ignore[no-untyped-call]  # as above
        attachments = AttachmentManager()  # type: ignore[no-untyped-call]  # as above
        # Templates and keys are read through these. Without them such a URL cannot be read.
        attachments.remove("file", "http", "https", "memory")  # type: ignore[no-untyped-call]  # as above
        _LOGGER.handlers = [_Said()]
        return known


class _Said(logging.Handler):
    """Hand each thread what Apprise logged in it, and nobody else."""

    heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line for the thread that listens."""
        lines: list[str] | None = getattr(self.heard, "lines", None)
        if lines is not None:
            lines.append(record.getMessage())


@contextlib.contextmanager
def _listened() -> Iterator[list[str]]:
    """Listen to what Apprise logs in this thread."""
    lines: list[str] = []
    _Said.heard.lines = lines
    try:
        yield lines
    finally:
        _Said.heard.lines = None
