"""What the engine is told. Each event is data; the time comes beside it."""

from dataclasses import dataclass
from enum import Enum

from consensus.messages import Certificate, Message
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import View


@dataclass(frozen=True, slots=True)
class Started:
    """The process runs and the journal is replayed: begin, or go on."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The engine's deadline has passed."""


@dataclass(frozen=True, slots=True)
class Received:
    """A peer, authenticated as this member, sent a message (decoded, not verified)."""

    sender: Member
    message: Message


@dataclass(frozen=True, slots=True)
class Built:
    """The application answers `Build`: a block for the view, or None if it could not."""

    view: View
    block: tuple[Hash, bytes] | None


class Verdict(Enum):
    """What the application says of a block."""

    VALID = "valid"
    INVALID = "invalid"
    EARLY = "early"
    """Dated too far ahead of this node's clock. One of the two clocks is wrong: nobody's guilt."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The application answers `Check`."""

    view: View
    block_hash: Hash
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class WorkPending:
    """Whether there is something to propose: includable since `since_ms`, or None."""

    since_ms: int | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Block sync applied finalized blocks up to this finalization: the new floor."""

    finalization: Certificate


Event = Started | DeadlinePassed | Received | Built | Checked | WorkPending | CaughtUp
