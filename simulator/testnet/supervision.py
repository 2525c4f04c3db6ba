"""Decide which process to start, restart and end. Pure: time is an argument.

Processes start in the order given, few at a time: what all begin together is all ready late.
Invariant: a process has at most one incarnation at a time, so `Spawn` is asked for only when the
one before was seen to exit. It never gives up on a process; it waits longer between tries.
Stopping goes against the order of need: a process is asked to end once nothing running needs
it, or when `drain_ms` has passed; after `kill_ms` it is killed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

EXITS_KEPT_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How long to wait before a dead process is started again, and before a stop gets rough."""

    delay_min_ms: int = 250
    delay_max_ms: int = 8_000
    steady_ms: int = 15_000
    """A process that lived this long is forgiven its earlier deaths."""
    drain_ms: int = 1_500
    kill_ms: int = 3_500
    starting_max: int = 1_000
    """How many may be starting at once; the others wait their turn, in the order given."""
    slow_ms: int = 4_000
    """Who takes longer than this to be ready keeps nobody waiting any more."""

    def delay_ms(self, deaths: int) -> int:
        """Give the wait before the restart that follows this many deaths in a row."""
        return min(self.delay_max_ms, self.delay_min_ms << min(deaths - 1, 16))


class Phase(Enum):
    """Where a process stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTING = "resting"
    ENDING = "ending"
    ENDED = "ended"


ALIVE: Final = frozenset({Phase.STARTING, Phase.READY, Phase.ENDING})


@dataclass(slots=True)
class SupervisedProcess:
    """One supervised process: what it needs to be ready first, and how it has fared."""

    name: str
    needs: tuple[str, ...] = ()
    phase: Phase = Phase.WAITING
    pid: int | None = None
    started_ms: int = 0
    restarts: int = 0
    deaths: int = 0
    """Deaths in a row; a steady life sets it back to zero."""
    deaths_ever: int = 0
    due_ms: int = 0
    exits: list[str] = field(default_factory=list)
    """Why the last incarnations ended, the newest last."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """The process runs under this pid."""

    name: str
    pid: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The process does its work: others may rely on it."""

    name: str


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone, or could not be started; `reason` says how it ended."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """Everything is to end."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """Time has passed."""


Event = Spawned | Answered | Exited | StopAsked | Ticked


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process; answer with `Spawned` or `Exited`."""

    name: str


@dataclass(frozen=True, slots=True)
class End:
    """Ask the process to end."""

    name: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End the process and everything in its group, at once."""

    name: str


Effect = Spawn | End | Kill


class Supervision:
    """The state of all processes and the rules that move it."""

    def __init__(self, processes: Iterable[SupervisedProcess], policy: RestartPolicy) -> None:
        self.processes = {process.name: process for process in processes}
        self.policy = policy
        self.stopping_since_ms: int | None = None
        for process in self.processes.values():
            assert all(need in self.processes for need in process.needs), process

    @property
    def done(self) -> bool:
        """Tell whether everything has ended after a stop was asked for."""
        return self.stopping_since_ms is not None and not any(
            process.phase in ALIVE for process in self.processes.values()
        )

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take one event and give what is to be done."""
        match event:
            case Spawned(name, pid):
                process = self.processes[name]
                assert process.phase is Phase.STARTING, process
                process.pid, process.started_ms = pid, now_ms
            case Answered(name):
                if self.processes[name].phase is Phase.STARTING:
                    self.processes[name].phase = Phase.READY
            case Exited(name, reason):
                self._bury(self.processes[name], reason, now_ms)
            case StopAsked():
                if self.stopping_since_ms is None:
                    self.stopping_since_ms = now_ms
            case Ticked():
                pass
        if self.stopping_since_ms is None:
            return self._raise(now_ms)
        return self._lower(now_ms, now_ms - self.stopping_since_ms)

    def _bury(self, process: SupervisedProcess, reason: str, now_ms: int) -> None:
        process.exits = [*process.exits, reason][-EXITS_KEPT_MAX:]
        process.deaths_ever += 1
        lived_ms = now_ms - process.started_ms if process.pid is not None else 0
        process.deaths = 1 if lived_ms >= self.policy.steady_ms else process.deaths + 1
        process.pid = None
        process.phase = Phase.RESTING
        process.due_ms = now_ms + self.policy.delay_ms(process.deaths)

    def _raise(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        room = self.policy.starting_max - sum(
            process.phase is Phase.STARTING and now_ms - process.started_ms < self.policy.slow_ms
            for process in self.processes.values()
        )
        for process in self.processes.values():
            first = process.phase is Phase.WAITING
            again = process.phase is Phase.RESTING and now_ms >= process.due_ms
            if room <= 0 or not (first or again) or not self._can_start(process):
                continue
            room -= 1
            process.phase, process.started_ms = Phase.STARTING, now_ms
            process.restarts += again
            effects.append(Spawn(process.name))
        return effects

    def _can_start(self, process: SupervisedProcess) -> bool:
        return all(self.processes[need].phase is Phase.READY for need in process.needs)

    def _lower(self, now_ms: int, passed_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        needed = {
            need
            for process in self.processes.values()
            if process.phase in ALIVE
            for need in process.needs
        }
        for process in self.processes.values():
            if process.phase not in ALIVE:
                process.phase = Phase.ENDED
            elif process.phase is Phase.ENDING:
                # Asked again at every tick past the limit: a kill that was lost must not hang us.
                if passed_ms >= self.policy.kill_ms:
                    effects.append(Kill(process.name))
            elif process.name not in needed or passed_ms >= self.policy.drain_ms:
                process.phase = Phase.ENDING
                effects.append(End(process.name))
        return effects
