"""Number the securities that orders are placed in."""

from __future__ import annotations

import itertools

from relay.sandbox.etna import equity_row

#: Ids of the vendor's samples: Apple's, and the next one's, from which on the others are numbered.
APPLE_ID, NEXT_ID = 4, 2829


class Securities:
    """Take any symbol for a security's, and know those that orders were placed in; safe between threads."""

    def __init__(self) -> None:
        self._ids = {"AAPL": APPLE_ID}
        self._next = itertools.count(NEXT_ID)

    def listed(self, name: str) -> str | None:
        """Give a symbol as the vendor writes it, numbered from now on; None where there is no name."""
        symbol = name.strip().upper()
        if symbol and symbol not in self._ids:
            self._ids.setdefault(symbol, next(self._next))
        return symbol or None

    def id_of(self, symbol: str) -> int:
        """Give the id of a listed symbol."""
        return self._ids[symbol]

    def row(self, name: str) -> dict[str, object] | None:
        """Show a security, or nothing where none is listed under that name."""
        symbol = name.strip().upper()
        return equity_row(self._ids[symbol], symbol) if symbol in self._ids else None
