"""Let `python -m relay run` start processes that end with it, also by `kill -9`, and also on macOS.

As with the embedded Redis: the process isn't our child but that of a keeper, this file run as a script, whose
standard input is a pipe that we alone hold open. However we end, the kernel closes our end, and the keeper
ends the process and all that it forked.

The keeper has a session of its own: Ctrl-C reaches us alone, who end everything in order.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

#: Seconds that a process, told to stop, may take to end what it has begun before it is killed: the longest
#: is a call to a broker, which ends within the lease of 5 s.
STOP_WITHIN = 10.0


class Kept:
    """A process that ends when this one does. Starts at once."""

    def __init__(
        self, command: Sequence[str], *, folder: Path, environ: Mapping[str, str], output: IO[bytes] | None
    ) -> None:
        """Start the command there with this environment alone; `output` None: it goes where ours goes."""
        keepers_end, self._lifeline = os.pipe()
        try:
            self._keeper = subprocess.Popen(
                [sys.executable, "-I", __file__, *command],
                cwd=folder,
                env=dict(environ),
                stdin=keepers_end,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            os.close(keepers_end)

    def ended(self) -> int | None:
        """Give the exit status, None while it runs; a signal's number and 128, as a shell tells it."""
        return self._keeper.poll()

    def stop(self) -> None:
        """End it, and all that it forked, in order."""
        os.close(self._lifeline)
        self._keeper.wait()


def keep(command: list[str]) -> int:
    """Run a command until it ends by itself or our standard input closes, and give back its exit status."""
    kept = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)

    def end_with_starter() -> None:
        os.read(sys.stdin.fileno(), 1)  # nobody writes: this comes back when the pipe's other end closes
        kept.terminate()
        try:
            kept.wait(timeout=STOP_WITHIN)
        except subprocess.TimeoutExpired:
            kept.kill()

    def end_when_told(_signal: int, _frame: FrameType | None) -> None:
        kept.terminate()

    signal.signal(signal.SIGTERM, end_when_told)
    threading.Thread(target=end_with_starter, daemon=True).start()
    status = kept.wait()
    # What it forked may outlive it, on a port. macOS says "not permitted" where only the dead are left.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(kept.pid, signal.SIGKILL)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
