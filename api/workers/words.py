"""What the crew of workers is told, and what it tells: events, effects, and how a worker ends."""

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final


class WorkerEnd(IntEnum):
    """How a worker ends by itself, as the exit code of its process."""

    DONE = 0
    FAULT = 1
    """Only a person can mend it: the configuration, the database's name or schema."""
    CHAIN = 3
    """The nodes are of another chain than this database has followed."""
    NOT_LEVEL = 4
    """It was to take another's place, and could not serve as well in time."""


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker serves."""

    number: int


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker's process is gone; below zero the code is the signal that ended it."""

    number: int
    code: int


@dataclass(frozen=True, slots=True)
class RenewalAsked:
    """All workers are to be replaced by new ones."""


@dataclass(frozen=True, slots=True)
class EndAsked:
    """Everything is to end."""


@dataclass(frozen=True, slots=True)
class CrewTicked:
    """Time has passed."""


Event = WorkerReady | WorkerEnded | RenewalAsked | EndAsked | CrewTicked


class Patience(Enum):
    """How long a new worker waits until it is level with the chain before it serves."""

    NONE = "none"
    """Nobody serves: an answer that says why not is better than none."""
    SOME = "some"
    """Others serve, and answer better meanwhile."""
    ALL = "all"
    """It takes the place of one that serves: not level is not ready."""


@dataclass(frozen=True, slots=True)
class StartWorker:
    """Start a worker's process."""

    number: int
    patience: Patience


@dataclass(frozen=True, slots=True)
class LetWorkerGo:
    """Ask a worker that was replaced to answer what it has taken, and to end."""

    number: int


@dataclass(frozen=True, slots=True)
class StopWorker:
    """Ask a worker to end soon."""

    number: int


@dataclass(frozen=True, slots=True)
class KillWorker:
    """End a worker at once."""

    number: int


@dataclass(frozen=True, slots=True)
class CrewNews:
    """What is worth a line of the log."""

    event: str
    number: int | None = None
    code: int | None = None
    again_in_ms: int | None = None


Effect = StartWorker | LetWorkerGo | StopWorker | KillWorker | CrewNews

REPLACED: Final = "replaced"
DIED: Final = "a worker ended"
KEPT: Final = "the new worker did not get ready: the old one goes on"
KILLED: Final = "killed: it did not end in time"
RENEWED: Final = "all workers are renewed"
