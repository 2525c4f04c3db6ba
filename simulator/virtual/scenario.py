"""What a scenario is: one kind of trouble, told in numbers. `scenarios` lists them all."""

from dataclasses import dataclass, field

from consensus.params import Params
from ledger.primitives.votes import VoteKind
from simulator.virtual.faults import NO_FAULTS, Menu
from simulator.virtual.topology import EPOCH_BLOCKS


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of trouble. Numbers are the most that a seed may draw."""

    name: str
    summary: str
    sizes: tuple[int, ...] = (4,)
    stakes: str = "equal"
    """`equal`, `uneven`, `edge` (liars just below a third) or `crowd` (most heads lie)."""
    liars: tuple[str, ...] = ()
    """The ways to be faulty that liars draw from."""
    delay_ms: tuple[int, int] = (30, 100)
    steady: bool = False
    """Every message takes exactly the delay."""
    loss: float = 0.0
    replay: float = 0.0
    menu: Menu = NO_FAULTS
    safety_ms: int = 14_000
    liveness_ms: int = 90_000
    """The healed core must finalize a payment within so much virtual time."""
    clients: int = 4
    gap_ms: int = 300
    weight: int = 4
    """How often it comes among all scenarios."""
    epoch_blocks: int = EPOCH_BLOCKS
    """How many blocks an epoch has: few, and the chain crosses boundaries."""
    newcomers: int = 0
    """The most machines that stand by without a seat, to be bonded one."""
    staking: bool = False
    """Owners bond, unbond, join and leave; offences are reported and punished."""
    milk: bool = False
    """A plant mints, clients grant and draw on mandates: blocks with all kinds of content."""
    punished: bool = False
    """What honest members of the healed core can prove must end in a slash."""
    unit: int = 1
    """What stakes are counted in: large enough that parts of them are whole units."""
    each: bool = False
    """The first liars lie in each way in turn, instead of one that is drawn."""
    forks: bool = False
    """A coalition of a third and more: the oracle must see the fork and name the culprits."""
    idle: bool = False
    """Nothing happens between two payments: the network must be silent (I11)."""
    lagging: bool = False
    """One honest member is cut off until the core is healed, and belongs to it."""
    censored: VoteKind | None = None
    """Votes of this kind are lost in the safety phase, all of them."""
    params: Params = field(default_factory=Params)
