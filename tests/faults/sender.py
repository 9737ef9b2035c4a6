"""Send alerts as TradingView does.

It hangs up after 3 s, and does not send again what it hung up on. A 5xx it sends again after 5 s, up to three
times; a refused or broken connection, and every other answer, it leaves at that.
https://in.tradingview.com/support/solutions/43000529348,
https://vn.tradingview.com/support/solutions/43000735201

Between it and the machines stands what stands there when there are several: a router that tries the next one
where a machine refuses the connection.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from tests.faults.plan import Alert
from tests.running import SECRET

#: Seconds after which it hangs up.
PATIENCE_S = 3.0

#: Times that it sends again what was answered 5xx.
RESENDS = 3

#: Statuses of a recorded alert: taken, done, or done and failed.
RECORDED = frozenset({200, 202, 424})


class End(StrEnum):
    """How one sending ended, as its sender saw it."""

    ANSWERED = "answered"
    GAVE_UP = "gave up"
    REFUSED = "refused"
    BROKEN = "broken"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Sending:
    """One sending, and what came back. Times are seconds since 1970."""

    machine: int
    sent_at: float
    ended_at: float
    end: End
    status: int | None = None
    body: Mapping[str, Any] | None = None
    resend: bool = False

    @property
    def alert_id(self) -> str | None:
        """Give the record's name, where the relay said that it has one."""
        return self.body["alert_id"] if self.body and self.status in RECORDED else None


def message(alert: Alert, order_id: str | None, now: float) -> bytes:
    """Write the alert as its sender's platform fills it in at this moment."""
    numbered = alert.vendor != "crosstrade"
    accounts = [int(each) if numbered else each for each in alert.accounts]
    said: dict[str, Any] = {
        "secret": SECRET,
        "action": "cancel",
        "vendor": alert.vendor,
        "account": accounts if len(accounts) > 1 else accounts[0],
        "note": alert.note,
        **alert.fields,
    }
    if alert.target == "order_id":
        said["order_id"] = order_id
    if "timestamp" in alert.known_by:
        # {{timenow}}: to the second.
        said["timestamp"] = f"{datetime.fromtimestamp(int(now), UTC):%Y-%m-%dT%H:%M:%SZ}"
    if alert.known_by.startswith("id"):
        said["id"] = f"exit {alert.number} at {int(now)}"
    return json.dumps(said).encode()


class TradingView:
    """Send to the machines' ports."""

    def __init__(self, ports: tuple[int, ...], resend_after_s: float, stopping: threading.Event) -> None:
        """Take the ports, the seconds between resends, and what ends all waiting."""
        self._ports = ports
        self._resend_after_s = resend_after_s
        self._stopping = stopping

    def send(self, body: bytes, machine: int, note: Callable[[Sending], None]) -> None:
        """Send, and send again what is answered 5xx; note each sending when it has ended."""
        for attempt in range(1 + RESENDS):
            sending = self.once(body, machine, resend=attempt > 0)
            note(sending)
            if sending.status is None or sending.status < 500 or self._stopping.wait(self._resend_after_s):
                return

    def once(self, body: bytes, machine: int, *, resend: bool = False) -> Sending:
        """Send once."""
        sent_at, until = time.time(), time.monotonic() + PATIENCE_S

        def over(end: End, status: int | None = None, said: Mapping[str, Any] | None = None) -> Sending:
            return Sending(machine, sent_at, time.time(), end, status, said, resend)

        connection = self._connected(machine)
        if connection is None:
            return over(End.REFUSED)
        try:
            connection.request("POST", "/webhook", body, {"Content-Type": "application/json"})
            connection.sock.settimeout(max(0.01, until - time.monotonic()))
            answer = connection.getresponse()
            text = answer.read()
            said = json.loads(text)
        except TimeoutError:
            return over(End.GAVE_UP)
        except (OSError, http.client.HTTPException, ValueError):
            return over(End.BROKEN)
        finally:
            connection.close()
        return over(End.ANSWERED, answer.status, said if isinstance(said, dict) else None)

    def _connected(self, machine: int) -> http.client.HTTPConnection | None:
        """Connect to a machine, or to another where it refuses, as the router before them does."""
        for each in (machine, *(other for other in range(len(self._ports)) if other != machine)):
            connection = http.client.HTTPConnection("127.0.0.1", self._ports[each], timeout=PATIENCE_S)
            with contextlib.suppress(OSError):
                connection.connect()
                return connection
        return None

    def cut(self, body: bytes, machine: int, *, in_body: bool) -> Sending:
        """Have the line break: in the middle of the message, or before its answer."""
        sent_at = time.time()
        head = (
            f"POST /webhook HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        end = End.CUT
        try:
            with socket.create_connection(("127.0.0.1", self._ports[machine]), PATIENCE_S) as connection:
                connection.sendall(head + (body[: len(body) // 2] if in_body else body))
        except ConnectionRefusedError:
            end = End.REFUSED
        except OSError:
            end = End.BROKEN
        return Sending(machine, sent_at, time.time(), end)
