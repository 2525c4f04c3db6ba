"""What happens to the feeder's policy, and what it asks to be done. Plain data, no behaviour."""

from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from ledger.primitives.hashing import Hash
from node.client.views import PriceView, TransactionState
from node.pricefeed.judging import DayMark


class SignedFeed(Struct, frozen=True):
    """A feed that was signed: the bytes that are sent until their fate is known."""

    round: int
    litre_micro_myr: int
    nonce: int
    txid: Hash
    raw: bytes


class FeederMemory(Struct, frozen=True):
    """What outlives the process. Kept before any effect that rests on it."""

    pending: SignedFeed | None = None
    mark: DayMark | None = None
    newest_ms: int = 0
    """The latest time of a quote that was fed."""


# Events


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing but time."""


@dataclass(frozen=True, slots=True)
class SourceRead:
    """The source's bytes, and what our wall clock said then."""

    raw: bytes
    clock_ms: int


@dataclass(frozen=True, slots=True)
class SourceSilent:
    """The source can't be read."""

    why: str


@dataclass(frozen=True, slots=True)
class PriceSeen:
    """The price and our account, as of a final block; and our wall clock."""

    view: PriceView
    nonce: int
    units: int
    clock_ms: int


@dataclass(frozen=True, slots=True)
class NodesSilent:
    """No node answered what was asked last."""

    why: str


@dataclass(frozen=True, slots=True)
class FeedAnswered:
    """A node took the pending feed in (an empty code), or said why not."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class FateTold:
    """What became of the pending feed, as a node knows. `code` is of a final one that failed."""

    state: TransactionState
    code: str
    height: int


FeederEvent = (
    TimePassed | SourceRead | SourceSilent | PriceSeen | NodesSilent | FeedAnswered | FateTold
)

# Effects, carried out in their order.


@dataclass(frozen=True, slots=True)
class ReadSource:
    """Read the source; answer with `SourceRead` or `SourceSilent`."""


@dataclass(frozen=True, slots=True)
class LookAtPrice:
    """Ask for price and account; answer with `PriceSeen` or `NodesSilent`."""


@dataclass(frozen=True, slots=True)
class KeepMemory:
    """Write the memory to the home. What comes after rests on it."""

    memory: FeederMemory


@dataclass(frozen=True, slots=True)
class SubmitFeed:
    """Hand the bytes to a node; answer with `FeedAnswered` or `NodesSilent`."""

    feed: SignedFeed


@dataclass(frozen=True, slots=True)
class AskFate:
    """Ask what became of a feed; answer with `FateTold` or `NodesSilent`."""

    feed: SignedFeed


class FeedOutcome(StrEnum):
    """What became of a feed."""

    FED = "fed"
    FAILED = "failed"
    """Final, its fee paid, and without effect."""
    DROPPED = "dropped"
    """It can't become final any more."""


@dataclass(frozen=True, slots=True)
class CountFeed:
    """Count, and say, what became of a feed."""

    outcome: FeedOutcome
    feed: SignedFeed
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CountQuote:
    """Count a look at the source: an empty code, or why the quote is not fed."""

    code: str


@dataclass(frozen=True, slots=True)
class TellProblem:
    """Say that a part works no more, or (an empty `why`) works again. Told at a change alone."""

    part: str
    code: str
    why: str


FeederEffect = (
    ReadSource
    | LookAtPrice
    | KeepMemory
    | SubmitFeed
    | AskFate
    | CountFeed
    | CountQuote
    | TellProblem
)
