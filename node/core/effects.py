"""What the machine asks for. The shell carries effects out in the order given."""

from dataclasses import dataclass

from ledger.primitives.committee import Member
from ledger.primitives.keys import PublicKey, Signature
from ledger.store.schema import Finalized
from node.client.views import Submission
from node.core.events import Channel


@dataclass(frozen=True, slots=True)
class Append:
    """Append a record to the journal; durable before any later send."""

    view: int
    record: bytes
    epoch: int


@dataclass(frozen=True, slots=True)
class SendTo:
    """Send bytes to one peer, best effort."""

    peer: Member
    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class SendAll:
    """Send bytes to every peer, best effort."""

    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class Verify:
    """Check signatures outside the loop; answer with `Verified`."""

    ticket: int
    claims: tuple[tuple[PublicKey, bytes, Signature], ...]
    is_urgent: bool = False
    """A vote waits for it: it never stands behind transactions that wait for a block."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Write finalized blocks, lowest first, in one batch; the last has its finalization."""

    steps: tuple[Finalized, ...]


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to `Submit`: what became of each transaction, in order."""

    ticket: int
    submissions: tuple[Submission, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """Tell the operator: a peer's fault, or something that deserves a look."""

    text: str
    peer: Member | None


@dataclass(frozen=True, slots=True)
class SetVoting:
    """Remember, also through a restart, whether this node may vote; `why` is for the operator."""

    allowed: bool
    why: str


Effect = Append | SendTo | SendAll | Verify | Commit | Submitted | Warn | SetVoting
