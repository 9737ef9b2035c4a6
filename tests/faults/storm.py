"""What happens to processes, to Redis and to the brokers while alerts come: drawn from the seed."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import redis

from tests.faults.brokers import VENDORS, Brokers
from tests.faults.stage import LEASE_S, Machine, Stage, paused, signal_one

#: Seconds for which a process is paused, from and to: past its lease, and past the placing of newer orders.
PAUSE_S = (LEASE_S + 0.3, LEASE_S + 3.0)

#: The same where it is to sleep until a successor has ended what it had in hand.
LONG_PAUSE_S = (LEASE_S + 2.5, LEASE_S + 4.5)

#: What happens, and how often. A round's `emphasis` draws from one row alone half of the time.
WEIGHTS: Mapping[str, int] = {
    "web process killed": 18,
    "web process paused past its lease": 14,
    "worker killed": 6,
    "worker paused past its lease": 6,
    "whole machine killed": 5,
    "whole machine paused past its lease": 5,
    "Redis killed, and started on its file": 5,
    "Redis's connections cut": 6,
    "Redis paused": 4,
    "broker down": 6,
    "broker's connections cut": 8,
    "sessions ended": 8,
    "orders fill before they are cancelled": 6,
    "orders fill as soon as a cancel comes": 3,
    "exchange refuses cancels": 4,
    "exchange is slow": 5,
    "second cancels are refused": 3,
}

#: Seconds that the storm's last strokes may take to end.
_CALM_WITHIN_S = 60.0


class Storm:
    """Strike at random moments, each stroke in a thread of its own; at a machine one at a time."""

    def __init__(
        self, seed: str, stage: Stage, brokers: Brokers, every_s: float, emphasis: str | None = None
    ) -> None:
        """Take what to strike, and the mean seconds between two strokes."""
        self._chance = random.Random(seed)
        self._stage = stage
        self._brokers = brokers
        self._every_s = every_s
        self._emphasis = emphasis
        self._pause_s = LONG_PAUSE_S if emphasis and "paused" in emphasis else PAUSE_S
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow, name="storm", daemon=True)
        self._strokes: list[threading.Thread] = []
        self._counting = threading.Lock()
        self._redis_busy = threading.Lock()
        self._asleep = threading.Lock()
        self._moods = {vendor: threading.Lock() for vendor in VENDORS}
        self._failures: list[BaseException] = []
        #: How often each thing happened.
        self.struck: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Strike no more, undo what was done, and start what is down."""
        self._over.set()
        self._thread.join(_CALM_WITHIN_S)
        for stroke in self._strokes:
            stroke.join(_CALM_WITHIN_S)
        assert not any(stroke.is_alive() for stroke in self._strokes), "a stroke of the storm did not end"
        if self._failures:
            raise self._failures[0]
        self._brokers.calm()
        for machine in self._stage.machines:
            machine.start()

    def _blow(self) -> None:
        strokes = self._named()
        while not self._over.wait(self._chance.expovariate(1 / self._every_s)):
            name = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            if self._emphasis and self._chance.random() < 0.5:
                name = self._emphasis
            # All chances are drawn here, in one thread, so that the seed tells them all.
            draw = random.Random(self._chance.random())
            thread = threading.Thread(target=self._strike, args=(name, strokes[name], draw), daemon=True)
            thread.start()
            self._strokes = [each for each in self._strokes if each.is_alive()] + [thread]

    def _strike(self, name: str, stroke: Callable[[random.Random], bool], chance: random.Random) -> None:
        try:
            if stroke(chance):
                with self._counting:
                    self.struck[name] += 1
        except BaseException as failure:  # noqa: BLE001 - raised again by `end`, in the caller's thread
            self._failures.append(failure)

    def _named(self) -> Mapping[str, Callable[[random.Random], bool]]:
        return {
            "web process killed": self._kill_web,
            "web process paused past its lease": self._pause_web,
            "worker killed": self._kill_worker,
            "worker paused past its lease": self._pause_worker,
            "whole machine killed": self._kill_machine,
            "whole machine paused past its lease": self._pause_machine,
            "Redis killed, and started on its file": self._kill_redis,
            "Redis's connections cut": self._cut_redis,
            "Redis paused": self._pause_redis,
            "broker down": self._broker_down,
            "broker's connections cut": self._cut_broker,
            "sessions ended": self._end_sessions,
            "orders fill before they are cancelled": self._mood(fill_before_cancel="race"),
            "orders fill as soon as a cancel comes": self._mood(fill_before_cancel="first"),
            "exchange refuses cancels": self._mood(refuse_cancel=True),
            "exchange is slow": self._mood(cancel_after_s=3.0),
            "second cancels are refused": self._mood(pending_refuses_cancel=True, cancel_after_s=1.0),
        }

    @contextlib.contextmanager
    def _machine(self, chance: random.Random) -> Iterator[Machine | None]:
        """Take a machine to which nothing else happens now; None where there is none."""
        machine = chance.choice(self._stage.machines)
        taken = machine.busy.acquire(blocking=False)
        try:
            yield machine if taken else None
        finally:
            if taken:
                machine.busy.release()

    def _kill_web(self, chance: random.Random) -> bool:
        with self._machine(chance) as machine:
            processes = machine.web_processes() if machine else []
            if processes:
                signal_one(chance.choice(processes), signal.SIGKILL)  # gunicorn starts another
            return bool(processes)

    def _pause_web(self, chance: random.Random) -> bool:
        with self._machine(chance) as machine:
            processes = machine.web_processes() if machine else []
            if processes:
                with paused(chance.choice(processes)):
                    self._over.wait(chance.uniform(*self._pause_s))
            return bool(processes)

    def _kill_worker(self, chance: random.Random) -> bool:
        with self._machine(chance) as machine:
            if machine is None:
                return False
            machine.worker.kill()
            machine.worker.start()
            return True

    def _pause_worker(self, chance: random.Random) -> bool:
        with self._machine(chance) as machine:
            if machine is None:
                return False
            with paused(machine.worker.running.pid):
                self._over.wait(chance.uniform(*self._pause_s))
            return True

    def _kill_machine(self, chance: random.Random) -> bool:
        with self._machine(chance) as machine:
            if machine is None:
                return False
            machine.end()
            self._over.wait(chance.uniform(0.0, 2.0))
            machine.start()
            return True

    def _pause_machine(self, chance: random.Random) -> bool:
        # One of the two is left to take over.
        if not self._asleep.acquire(blocking=False):
            return False
        try:
            with self._machine(chance) as machine, ExitStack() as pauses:
                for pid in machine.processes() if machine else []:
                    pauses.enter_context(paused(pid))
                self._over.wait(chance.uniform(*self._pause_s) if machine else 0.0)
                return machine is not None
        finally:
            self._asleep.release()

    def _kill_redis(self, chance: random.Random) -> bool:
        with self._redis() as mine:
            if mine:
                self._stage.server.kill()
                self._over.wait(chance.uniform(0.0, 2.0))
                self._stage.server.start()
            return mine

    def _cut_redis(self, _: random.Random) -> bool:
        with self._redis() as mine, contextlib.suppress(redis.RedisError):
            if mine:
                self._stage.redis.client_kill_filter(_type="normal", skipme=True)
            return mine
        return False

    def _pause_redis(self, chance: random.Random) -> bool:
        with self._redis() as mine:
            if mine:
                with paused(self._stage.server.pid):
                    self._over.wait(chance.uniform(0.1, 1.5))
            return mine

    @contextlib.contextmanager
    def _redis(self) -> Iterator[bool]:
        """Say whether nothing else happens to Redis now."""
        mine = self._redis_busy.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._redis_busy.release()

    def _broker_down(self, chance: random.Random) -> bool:
        self._brokers.go_down(chance.choice(VENDORS), self._over, chance.uniform(0.2, 2.0))
        return True

    def _cut_broker(self, chance: random.Random) -> bool:
        self._brokers.by_vendor[chance.choice(VENDORS)].cut()
        return True

    def _end_sessions(self, chance: random.Random) -> bool:
        self._brokers.by_vendor[chance.choice(("alphapoint", "autoshares"))].end_sessions()
        return True

    def _mood(self, **mood: object) -> Callable[[random.Random], bool]:
        def turn(chance: random.Random) -> bool:
            vendor = chance.choice(VENDORS)
            if not self._moods[vendor].acquire(blocking=False):
                return False
            try:
                self._brokers.turn(vendor, **mood)
                self._over.wait(chance.uniform(1.0, 4.0))
                self._brokers.usual(vendor)
            finally:
                self._moods[vendor].release()
            return True

        return turn
