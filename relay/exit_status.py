"""What the exit status of a command tells a script."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended."""

    #: What was asked for is so.
    DONE = 0
    #: The cancel did not succeed, or something outside does not answer as it should.
    FAILED = 1
    #: What was typed or set is wrong; nothing was done.
    MISTAKEN = 2
    #: The relay has the alert, and it is not known yet what becomes of it.
    OPEN = 3
    #: The relay cannot be reached, or cannot record alerts now.
    AWAY = 4
    #: Ctrl-C, as shells count it.
    INTERRUPTED = 130
