"""A port of this machine, and whether it is to be had."""

from __future__ import annotations

import errno
import socket

#: Where a trial listens: secrets cross the network unencrypted, so nobody else's machine is asked in.
LOOPBACK = "127.0.0.1"


class PortError(Exception):
    """Nobody can listen on a port, for the reason in the message."""


def refuse_taken(port: int, advice: str) -> None:
    """Raise `PortError` when somebody listens on the port: gunicorn, for one, would share it unnoticed.

    Both addresses are tried since on macOS a listener on all of them doesn't keep one from being taken.
    SO_REUSEADDR lets the last run's closed connections not count.
    """
    for host in (LOOPBACK, ""):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason = f"Port {port} is taken: end what listens there, or {advice}."
                else:
                    reason = f"Port {port} cannot be used ({error.strerror}): {advice}."
                raise PortError(reason) from error
