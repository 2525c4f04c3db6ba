"""What the engine asks for. The shell carries effects out in the order given.

The one law of the shell: every `Persist` is on stable storage before any `Send` or `Broadcast`
that comes after it leaves the machine (spec §2).
"""

from dataclasses import dataclass

from consensus.messages import Certificate, Message, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import Epoch, View


@dataclass(frozen=True, slots=True)
class Persist:
    """Append a record to the journal. One sync serves all records of one `handle` call."""

    epoch: Epoch
    view: View
    record: bytes


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to one member."""

    to: Member
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send a message to every other member."""

    message: Message


@dataclass(frozen=True, slots=True)
class Build:
    """Build a block for the view on this parent; answer with `Built`."""

    view: View
    parent_view: View
    parent_hash: Hash


@dataclass(frozen=True, slots=True)
class Check:
    """Execute and check this block; answer with `Checked`. The parent is checked already."""

    view: View
    parent_view: View
    parent_hash: Hash
    block_hash: Hash
    payload: bytes
    is_certified: bool = False
    """A quorum stands behind it, so no clock needs to be asked."""


@dataclass(frozen=True, slots=True)
class Finalize:
    """The block and all its ancestors are final. Every one of them was checked valid here."""

    finalization: Certificate


@dataclass(frozen=True, slots=True)
class Behind:
    """A finalization shows that others are past what can be had as proposals: sync blocks."""

    finalization: Certificate
    source: Member


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A peer broke the protocol. `proof` holds two votes that exclude each other, if it has any."""

    member: Member
    reason: str
    proof: tuple[Vote, Vote] | None


@dataclass(frozen=True, slots=True)
class Forked:
    """Two certificates that can't both be if less than a third is dishonest: the chain is unsafe.

    `culprits` signed both; those whose two votes are slashable are also told of by `Misbehaviour`.
    """

    held: Certificate
    other: Certificate
    culprits: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Muted:
    """From here on this validator does not vote, and why (spec §2.4)."""

    why: str


@dataclass(frozen=True, slots=True)
class Regained:
    """Nothing forgotten can matter any more: this validator votes, above this view."""

    view: View


Notice = Misbehaviour | Forked | Muted | Regained
"""What is wrong with others, with the chain, or with this validator's own memory."""

Effect = Persist | Send | Broadcast | Build | Check | Finalize | Behind | Notice
