"""One JSON line for each alert and each vendor call, on standard output, without a secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from relay.scrubber import Scrubber

_LOGGER = logging.getLogger("relay")


class _JsonLine(logging.Formatter):
    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._clean(getattr(record, "facts", {})),
        }
        if record.exc_info:
            line["traceback"] = self._scrubber.scrub(self.formatException(record.exc_info))
        return json.dumps(line)

    def _clean(self, value: Any) -> Any:  # noqa: ANN401 - any fact, and its JSON
        """Scrub every text in a fact, before JSON's escapes can hide a secret or a mask break JSON."""
        if isinstance(value, Mapping):
            return {self._scrubber.scrub(str(name)): self._clean(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(inner) for inner in value]
        if value is None or isinstance(value, bool | int | float):
            return value
        return self._scrubber.scrub(str(value))


def configure(level: str, scrubber: Scrubber) -> None:
    """Send the relay's log lines to standard output; what stood there before is replaced."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_JsonLine(scrubber))
    _LOGGER.handlers = [handler]
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False
    # It would repeat in its own words, with addresses, what the vendor-call lines say.
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)


class _InWords(logging.Handler):
    def __init__(self, scrubber: Scrubber, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._scrubber = scrubber
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        facts = [f"{name} {value}" for name, value in getattr(record, "facts", {}).items()]
        words = ", ".join([record.getMessage().replace("_", " "), *facts])
        if record.exc_info:
            words += "\n" + logging.Formatter().formatException(record.exc_info)
        self._tell(self._scrubber.scrub(words))


def in_words(scrubber: Scrubber, tell: Callable[[str], None]) -> None:
    """Tell warnings in words, and nothing else, where a person reads along."""
    _LOGGER.handlers = [_InWords(scrubber, tell)]


def say(event: str, facts: Mapping[str, object], level: int = logging.INFO) -> None:
    """Write one line."""
    _LOGGER.log(level, event, extra={"facts": dict(facts)})


def say_unforeseen(facts: Mapping[str, object]) -> None:
    """Write one line with the traceback of the exception being handled."""
    _LOGGER.error("unforeseen", exc_info=True, extra={"facts": dict(facts)})  # noqa: LOG014 - for except blocks
