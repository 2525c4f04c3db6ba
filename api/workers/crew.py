"""Decide which worker to start, to let go and to kill. Pure: time is an argument.

    Start    one worker, and once it serves the others.
    Ready    a worker serves. If it takes another's place, that one is let go.
    Ended    a worker is gone. In its place one is started, after a pause that grows with deaths in
             a row; a worker that was let go was replaced before.
    Renew    each place in turn gets a new worker. The old one serves until the new one does; a new
             one that ends, or takes longer than `ready_ms`, leaves the old one serving and ends the
             round. At most one process beyond the number of places runs at a time.
    Stop     everyone is asked to end; who hasn't within `stop_ms` is killed.

A worker that ends because of what only a person can mend (`WorkerEnd.FAULT`) ends the service if
nobody ever served: then somebody has just started it, and looks. Later the others go on. A node of
another chain (`WorkerEnd.CHAIN`) ends it at any time: no worker may settle by that.

Invariant: a number is borne by one living worker at a time. The lowest that is free is given, so
that what is kept by number stays bounded however often workers are renewed.
"""

from dataclasses import dataclass, field
from enum import Enum
from itertools import count

from api.workers.words import (
    DIED,
    KEPT,
    KILLED,
    RENEWED,
    REPLACED,
    CrewNews,
    CrewTicked,
    Effect,
    EndAsked,
    Event,
    KillWorker,
    LetWorkerGo,
    Patience,
    RenewalAsked,
    StartWorker,
    StopWorker,
    WorkerEnd,
    WorkerEnded,
    WorkerReady,
)


@dataclass(frozen=True, slots=True)
class CrewPolicy:
    """How long everything may take."""

    restart_min_ms: int = 250
    restart_max_ms: int = 8_000
    steady_ms: int = 15_000
    """A worker that served this long is forgiven the deaths before it."""
    ready_ms: int = 60_000
    """How long a new worker may take before the one that it should replace is kept."""
    leave_ms: int = 20_000
    """How long a worker that was replaced may take to answer what it has taken."""
    stop_ms: int = 5_000
    """How long workers may take when the whole service ends."""

    def restart_in_ms(self, deaths: int) -> int:
        """Give the pause after so many deaths in a row."""
        return min(self.restart_max_ms, self.restart_min_ms << min(deaths - 1, 16))


class WorkerStage(Enum):
    """How far a worker is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"
    KILLED = "killed"


@dataclass(slots=True)
class CrewMember:
    """A living process."""

    number: int
    place: int
    stage: WorkerStage
    since_ms: int
    """When this stage began."""


@dataclass(slots=True)
class WorkerPlace:
    """One of the workers that there should be."""

    worker: CrewMember | None = None
    next: CrewMember | None = None
    """Who is to take the worker's place."""
    deaths: int = 0
    due_ms: int = 0


@dataclass(slots=True)
class Crew:
    """All workers, and the rules that move them."""

    size: int
    policy: CrewPolicy = field(default_factory=CrewPolicy)
    exit_code: int | None = None
    """Set once everything is to end."""
    workers: dict[int, CrewMember] = field(default_factory=dict)
    _places: list[WorkerPlace] = field(init=False)
    _to_renew: list[int] = field(default_factory=list)
    _renewing: bool = False
    _renew_again: bool = False
    _has_served: bool = False
    _stopping_since_ms: int = 0

    def __post_init__(self) -> None:
        self._places = [WorkerPlace() for _ in range(self.size)]

    @property
    def done(self) -> bool:
        """Tell whether all have ended after a stop."""
        return self.exit_code is not None and not self.workers

    def handle(self, event: Event, now_ms: int) -> list[Effect]:
        """Take one event, and give what is to be done."""
        effects: list[Effect] = []
        match event:
            case WorkerReady(number):
                effects += self._ready(number, now_ms)
            case WorkerEnded(number, code):
                effects += self._ended(number, code, now_ms)
            case RenewalAsked():
                self._renew_again = self.exit_code is None
            case EndAsked():
                effects += self._stop(0, now_ms)
            case CrewTicked():
                pass
        if self.exit_code is None:
            effects += self._late(now_ms) + self._renew(now_ms) + self._fill(now_ms)
        elif now_ms - self._stopping_since_ms >= self.policy.stop_ms:
            for worker in self.workers.values():
                effects += self._kill(worker, now_ms)
        return effects

    def _ready(self, number: int, now_ms: int) -> list[Effect]:
        worker = self.workers.get(number)
        if worker is None or worker.stage is not WorkerStage.STARTING or self.exit_code is not None:
            return []
        worker.stage, worker.since_ms, self._has_served = WorkerStage.SERVING, now_ms, True
        place = self._places[worker.place]
        if place.next is not worker:
            return []
        old, place.worker, place.next = place.worker, worker, None
        if old is None:
            return []
        old.stage, old.since_ms = WorkerStage.LEAVING, now_ms
        return [CrewNews(REPLACED, old.number), LetWorkerGo(old.number)]

    def _ended(self, number: int, code: int, now_ms: int) -> list[Effect]:
        worker = self.workers.pop(number)
        if self.exit_code is not None:
            return []
        place = self._places[worker.place]
        if place.next is worker:
            place.next, self._renewing = None, False
            self._to_renew.clear()
            return [CrewNews(KEPT, number, code)]
        if place.worker is not worker:
            return []  # It was replaced before.
        if code == WorkerEnd.CHAIN or (code == WorkerEnd.FAULT and not self._has_served):
            return self._stop(1, now_ms)  # The worker's own last line says why.
        served = worker.stage is WorkerStage.SERVING
        steady = served and now_ms - worker.since_ms >= self.policy.steady_ms
        place.worker, place.next = place.next, None
        place.deaths = 1 if steady else place.deaths + 1
        pause_ms = self.policy.restart_in_ms(place.deaths)
        place.due_ms = now_ms + pause_ms
        return [CrewNews(DIED, number, code, pause_ms)]

    def _stop(self, exit_code: int, now_ms: int) -> list[Effect]:
        if self.exit_code is not None:
            return []
        self.exit_code, self._stopping_since_ms = exit_code, now_ms
        return [StopWorker(number) for number in self.workers]

    def _late(self, now_ms: int) -> list[Effect]:
        """Kill who takes too long to leave, or to take another's place."""
        effects: list[Effect] = []
        for worker in self.workers.values():
            waited_ms = now_ms - worker.since_ms
            replaces = self._places[worker.place].next is worker
            leaving = worker.stage is WorkerStage.LEAVING and waited_ms >= self.policy.leave_ms
            starting = worker.stage is WorkerStage.STARTING and waited_ms >= self.policy.ready_ms
            if leaving or (replaces and starting):
                effects += self._kill(worker, now_ms)
        return effects

    def _kill(self, worker: CrewMember, now_ms: int) -> list[Effect]:
        if worker.stage is WorkerStage.KILLED:
            return []
        worker.stage, worker.since_ms = WorkerStage.KILLED, now_ms
        return [CrewNews(KILLED, worker.number), KillWorker(worker.number)]

    def _renew(self, now_ms: int) -> list[Effect]:
        """Go on with the round of renewals, or begin one."""
        staying = [place.worker for place in self._places]
        if any(worker not in staying for worker in self.workers.values()):
            return []  # One at a time: somebody is coming, or leaving.
        if not self._renewing and self._renew_again:
            self._renewing, self._renew_again = True, False
            self._to_renew = list(range(self.size))
        while self._to_renew:
            place = self._places[self._to_renew[0]]
            if place.worker is not None and place.worker.stage is WorkerStage.STARTING:
                return []  # It may have begun before the round: it is renewed once it serves.
            index = self._to_renew.pop(0)
            if place.worker is not None:
                place.next = self._born(index, now_ms)
                return [StartWorker(place.next.number, Patience.ALL)]
            # Nobody is there to be replaced, and whoever comes is new.
        ended, self._renewing = self._renewing, False
        return [CrewNews(RENEWED)] if ended else []

    def _fill(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for index, place in enumerate(self._places):
            if self.workers and not self._has_served:
                break  # The first one brings the schema up to date, and finds what is wrong.
            if place.worker is None and now_ms >= place.due_ms:
                serving = any(one.stage is WorkerStage.SERVING for one in self.workers.values())
                place.worker = self._born(index, now_ms)
                patience = Patience.SOME if serving else Patience.NONE
                effects.append(StartWorker(place.worker.number, patience))
        return effects

    def _born(self, place: int, now_ms: int) -> CrewMember:
        number = next(number for number in count() if number not in self.workers)
        self.workers[number] = worker = CrewMember(number, place, WorkerStage.STARTING, now_ms)
        return worker
