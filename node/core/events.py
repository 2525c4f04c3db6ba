"""What the machine is told. The time comes beside each event."""

from dataclasses import dataclass
from enum import Enum

from ledger.primitives.committee import Member


class Channel(Enum):
    """The streams between two nodes; each has a queue and a drop rule of its own."""

    CONSENSUS = "consensus"
    TRANSACTIONS = "tx"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Start:
    """The process runs; storage is open and replayed."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The machine's deadline has passed."""


@dataclass(frozen=True, slots=True)
class PeerMessage:
    """Bytes from a peer whose identity the transport has proven."""

    peer: Member
    channel: Channel
    payload: bytes


@dataclass(frozen=True, slots=True)
class PeerUp:
    """A connection to a peer stands."""

    peer: Member


@dataclass(frozen=True, slots=True)
class PeerDown:
    """The last connection to a peer is gone."""

    peer: Member


@dataclass(frozen=True, slots=True)
class Submit:
    """A client hands in transactions; `Submitted` with the same ticket answers."""

    ticket: int
    raws: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """The answer to `Verify`: one verdict a claim, in order."""

    ticket: int
    results: tuple[bool, ...]


Event = Start | Tick | PeerMessage | PeerUp | PeerDown | Submit | Verified
