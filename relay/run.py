"""Everything on this machine: Redis, the stand-in brokers, web and worker, until Ctrl-C.

The stand-in brokers are in this process. The others are processes of their own, which end with it, however it
ends.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from relay import stand_ins
from relay.embedded_redis import LOG_FILE, EmbeddedRedis, EmbeddedRedisError
from relay.lifeline import Kept
from relay.port import LOOPBACK, PortError, refuse_taken
from relay.settings import OUR_PREFIXES
from schemas.settings import SettingsSchema

#: Where the Procfile, `app.py` and this package are.
ROOT = Path(__file__).parent.parent

#: Seconds that web and worker may take until they can take an alert before we call them broken.
READY_WITHIN = 30.0

#: Seconds between two looks at what may have ended, and at whether we were told to end.
LOOK_EVERY = 0.05

#: Seconds that one answer to "are you ready?" may take.
ANSWER_WITHIN = 2.0

#: Lines that are shown of the log of a process that ended by itself.
LAST_LINES = 20

#: What a process needs of the surroundings; the settings are this run's own.
SURROUNDINGS = ("PATH", "HOME", "LANG", "TMPDIR")

#: Speaks to the person at the terminal, a line or more at a time.
Say = Callable[[str], None]


class CannotRunError(Exception):
    """Nothing was started, for the reason in the message."""


class EndedByItselfError(Exception):
    """A part of the run ended, or never got ready, though nobody told it to end."""


@dataclass(frozen=True)
class _Part:
    """A part of this run: its name, where its log is (None: on the terminal), and its exit status, if any."""

    name: str
    log: Path | None
    ended: Callable[[], int | None]


class _Told:
    """Note that we are told to end. Only noted, so that no step is torn apart."""

    def __init__(self) -> None:
        self.to_end = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def _note(self, _signal: int, _frame: FrameType | None) -> None:
        self.to_end = True


def run(*, port: int, folder: Path, verbose: bool, environ: Mapping[str, str], say: Say) -> None:
    """Run everything until SIGINT or SIGTERM, and leave nothing behind.

    Raises `CannotRunError` before anything is started, and `EndedByItselfError` when a part fails; by then
    everything has ended.
    """
    told = _Told()
    _refuse_taken(port)
    say("Cancel Relay with everything it needs, on this machine alone. No order leaves it.")
    _say_ignored(environ, say)
    with contextlib.ExitStack() as ending:
        ending.callback(say, "Everything has ended.")
        say(f"Starting Redis, which remembers the alerts (in {folder / 'redis'}) …")
        server = _start_redis(folder)
        ending.callback(server.stop)
        say("Starting stand-ins for CrossTrade, AlphaPoint and Autoshares, with a few working orders each …")
        # None of the environment's credentials: where a real one is exported, it stays out of this.
        brokers = ending.enter_context(stand_ins.started(stand_ins.credentials({})))
        secret = secrets.token_urlsafe(24)
        settings = {
            **brokers.settings,
            "PORT": str(port),
            "REDIS_URL": server.url,
            "RELAY_SECRET": secret,
        }
        say("Starting the web process and a worker …")
        parts = [_Part("Redis", folder / "redis" / LOG_FILE, lambda: _ended(server.pid))]
        surroundings = {name: environ[name] for name in SURROUNDINGS if name in environ}
        for name, command in (("worker", worker_command()), ("web", web_command())):
            log = None if verbose else folder / f"{name}.log"
            kept = _start(command, surroundings | settings, log)
            ending.callback(kept.stop)
            parts.append(_Part(name, log, kept.ended))
        _wait(parts, told, lambda: _ready(port))
        if not told.to_end:
            say(_manual(port, secret, brokers))
            logs = f"{folder / 'web.log'} and {folder / 'worker.log'}"
            say("Their log follows." if verbose else f"What web and worker log goes to {logs}.")
            say("Ctrl-C ends all of it.")
        _wait(parts, told)
        say("\nEnding …")


def web_command() -> list[str]:
    """Give the Procfile's web line, which listens on the loopback alone here."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    line = next(line.removeprefix("web: ") for line in lines if line.startswith("web: "))
    here = line.replace("--bind 0.0.0.0:", f"--bind {LOOPBACK}:")
    # By this very Python, whose folder need not be on the PATH; the shell reads ${PORT:-…}, as Heroku's does.
    return ["/bin/sh", "-c", f'exec "$0" -m {here}', sys.executable]


def worker_command() -> list[str]:
    """Give the command of a worker."""
    return [sys.executable, "-m", "relay", "worker"]


def _refuse_taken(port: int) -> None:
    try:
        refuse_taken(port, 'choose another by --port (make run ARGS="--port 9000")')
    except PortError as error:
        raise CannotRunError(str(error)) from error


def _say_ignored(environ: Mapping[str, str], say: Say) -> None:
    ours = SettingsSchema().fields.keys()
    ignored = sorted(name for name in environ if name in ours or name.startswith(OUR_PREFIXES))
    if ignored:
        port = ' For another port: make run ARGS="--port 9000".' if "PORT" in ignored else ""
        say(f"Ignored, since this run makes settings of its own: {', '.join(ignored)}.{port}")


def _start_redis(folder: Path) -> EmbeddedRedis:
    server = EmbeddedRedis(folder / "redis")
    try:
        server.start()
    except EmbeddedRedisError as error:
        raise CannotRunError(str(error)) from error
    return server


def _start(command: list[str], environ: Mapping[str, str], log: Path | None) -> Kept:
    if log is None:
        return Kept(command, folder=ROOT, environ=environ, output=None)
    # Only this run's lines are kept: a log that nobody turns over would grow for ever.
    with log.open("wb") as output:
        return Kept(command, folder=ROOT, environ=environ, output=output)


def _wait(parts: list[_Part], told: _Told, ready: Callable[[], bool] | None = None) -> None:
    """Wait until we are told to end or all is ready, and raise when a part ends before that."""
    deadline = time.monotonic() + READY_WITHIN
    while not told.to_end:
        for part in parts:
            status = part.ended()
            if status is not None:
                raise EndedByItselfError(_obituary(part, f"ended by itself (exit status {status})"))
        if ready is not None:
            if ready():
                return
            if time.monotonic() > deadline:
                raise EndedByItselfError(_obituary(parts[-1], f"was not ready within {READY_WITHIN:.0f} s"))
        time.sleep(LOOK_EVERY)


def _obituary(part: _Part, what: str) -> str:
    if part.log is None:
        return f"{part.name} {what}; why stands above."
    lines = part.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
    said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
    return f"{part.name} {what}. {part.log} ends:\n{said}"


def _ended(pid: int) -> int | None:
    """Tell whether a process that isn't our child has ended; its exit status is its keeper's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return 1
    return None


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _manual(port: int, secret: str, brokers: stand_ins.StandIns) -> str:
    """Say what can be done now. Each command is one line that a shell takes as it stands."""
    webhook = f"http://{LOOPBACK}:{port}/webhook"
    # The id names this run: the same words in another run are another alert.
    here = secrets.token_hex(3)
    broker, *others = brokers.brokers
    alert = _alert(broker, secret, f"first-{here}")
    account, instrument = alert["account"], alert["instrument"]
    order = {"account": account, "instrument": instrument, "action": "Buy", "limit_price": "5970.00"}
    # Outside the quotes, so that the shell makes another id of it at each paste.
    again = _curl(webhook, {**alert, "id": f"again-{here}"}).replace(f"again-{here}", "again-'$(date +%s)'")
    elsewhere = "\n".join(_manual_of(other, webhook, secret, here) for other in others)
    return f"""
Ready. Alerts go to  {webhook}
Secret of this run   {secret}

Cancel the working orders of {instrument} in {account}. The answer says "status": "confirmed", which means
that the relay looked, and none of them works any more:

  {_curl(webhook, alert)}

Paste it again: the id was seen, so you get the first one's answer, marked "duplicate": true, and the
broker is not asked twice. That is how a charting platform's resent alert ends.

See the broker's order book:

  curl {broker.book_url}

Place a new order there, then cancel it (this line's id has the time in it, so each paste is a new alert):

  {_curl(broker.book_url, order)}
  {again}
{elsewhere}"""


def _manual_of(broker: stand_ins.StandIn, webhook: str, secret: str, here: str) -> str:
    """Say in short what can be done at one more broker."""
    return f"""
The same at {broker.name}, and its order book:

  {_curl(webhook, _alert(broker, secret, f"{broker.vendor}-{here}"))}
  curl {broker.book_url}
"""


def _alert(broker: stand_ins.StandIn, secret: str, alert_id: str) -> dict[str, str | int]:
    """Ask for the cancel of what the broker's first order is one of."""
    order = broker.orders[0]
    return {
        "secret": secret,
        "action": "cancel",
        "vendor": broker.vendor,
        # As the vendor has it: some name their accounts, some number them.
        "account": int(order.account) if order.account.isdecimal() else order.account,
        "instrument": order.instrument,
        "reply_when": "confirmed",
        "id": alert_id,
    }


def _curl(url: str, body: Mapping[str, str | int]) -> str:
    return f"curl -d {shlex.quote(json.dumps(body))} {url}"
