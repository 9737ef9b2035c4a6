"""How many threads a process may have: a small dyno, or container, counts those of all its processes."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Threads and processes of an Eco, Basic or Standard-1X dyno, all together: Heroku's smallest number.
_SMALL_DYNO = 256

#: Where a container says how many it may have.
_OF_A_CONTAINER = Path("/sys/fs/cgroup/pids.max")

#: Left for the shell, gunicorn's own process, and the single threads that each process has.
_RESERVED = 24

#: Threads that answer requests in one process at most: 500 alerts at once at a broker that takes 300 ms are
#: answered at 890 to 1 200 a second.
_REQUESTS = 256

#: Records that one lane carries at once at most. A broker that answers in 300 ms is then kept busy with 400
#: calls a second in each process; a thread that waits costs some 50 kB.
LANE = 128

#: Parts of a process's threads, where they are few; the rest is for lists beside a send and for several
#: orders of one alert. More requests than records under way: where a lane is full, a request is answered at
#: once, and its record is carried on later.
_FOR_REQUESTS, _FOR_LANES = 0.5, 0.35

#: Threads of a lane at least: a cancel and a read-back side by side.
_LEAST = 4


@dataclass(frozen=True, slots=True)
class Room:
    """The threads that one process may have, for requests and for all its lanes together."""

    requests: int
    lanes: int

    def lane(self, lanes: int) -> int:
        """Give the threads of one lane of several."""
        return max(_LEAST, min(LANE, self.lanes // max(1, lanes)))


def room(environ: Mapping[str, str], processes: int) -> Room:
    """Share what the machine allows among its processes."""
    allowed = [_of_the_user(), _of_the_container()]
    if "DYNO" in environ and not any(allowed):
        allowed.append(_SMALL_DYNO)
    told = [each for each in allowed if each]
    if not told:
        return Room(_REQUESTS, LANE * processes)
    share = max(0, min(told) - _RESERVED) // processes
    requests = max(_LEAST, min(_REQUESTS, int(share * _FOR_REQUESTS)))
    return Room(requests, max(_LEAST, int(share * _FOR_LANES)))


def _of_the_user() -> int | None:
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    return None if most == resource.RLIM_INFINITY else most


def _of_the_container() -> int | None:
    try:
        said = _OF_A_CONTAINER.read_text().strip()
    except OSError:
        return None
    return int(said) if said.isdecimal() else None
