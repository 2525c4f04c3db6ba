"""What must hold between records: milk from farm to pack, shares of stake, who owns what.

Only the audit looks at this, since it needs the whole state. Accounts are not kept here: there
may be millions of them.
"""

from collections import defaultdict
from collections.abc import Iterator

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.dairy import Origin, Product, SealedRun, Tank
from ledger.state.market import Subsidy
from ledger.state.records import Lot
from ledger.state.stakes import (
    SCALE_BITS,
    VALIDATORS_REGISTERED_MAX,
    Delegation,
    Unbonding,
    Validator,
    read_wide,
)
from ledger.state.tables import (
    CLAIMS,
    DELEGATIONS,
    LOTS,
    ORIGINS,
    OWNERS,
    PRODUCTS,
    REGISTER,
    RUNS,
    SEALED,
    SUBSIDY,
    TANKS,
    TICKETS,
    UNBONDING,
    VALIDATORS,
)

_KEY_BYTES = 32


class MilkRelations:
    """Runs, lots, product lots, tanks and origins of a whole state."""

    def __init__(self) -> None:
        self.lots: dict[bytes, Lot] = {}
        self.runs: dict[bytes, bytes] = {}
        self.products: list[Product] = []
        self.tanks: dict[bytes, Tank] = {}
        self.sealed: dict[bytes, SealedRun] = {}
        self.origins: dict[bytes, Origin] = {}

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of milk."""
        if prefix == LOTS.prefix:
            self.lots[name] = LOTS.decode(raw)
        elif prefix == RUNS.prefix:
            self.runs[name] = RUNS.decode(raw)
        elif prefix == PRODUCTS.prefix:
            self.products.append(PRODUCTS.decode(raw))
        elif prefix == TANKS.prefix:
            self.tanks[name] = TANKS.decode(raw)
        elif prefix == SEALED.prefix:
            self.sealed[name] = SEALED.decode(raw)
        elif prefix == ORIGINS.prefix:
            self.origins[name] = ORIGINS.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        if {lot.run + lot.mmu: name for name, lot in self.lots.items()} != self.runs:
            yield "runs and lots do not name each other one to one"
        yield from self._packs()
        yield from self._tanks()
        for name, lot in self.lots.items():
            yield from self._origin(name, lot)

    def _packs(self) -> Iterator[str]:
        packed: defaultdict[bytes, int] = defaultdict(int)
        for product in self.products:
            packed[product.lot] += product.units
        for name, units in packed.items():
            lot = self.lots.get(name)
            if lot is None or lot.packed != units:
                yield f"lot {name.hex()}: its packs hold {units} units, it says otherwise"
        for name, lot in self.lots.items():
            if lot.packed and name not in packed:
                yield f"lot {name.hex()}: {lot.packed} units packed, but there is no pack"

    def _tanks(self) -> Iterator[str]:
        drawn: defaultdict[bytes, int] = defaultdict(int)
        for run in self.sealed.values():
            drawn[run.tank] += run.units
        for name, tank in self.tanks.items():
            if tank.sealed != drawn.pop(name, 0):
                yield f"tank {name.hex()}: its runs do not sum to {tank.sealed} sealed units"
        for name in drawn:
            yield f"tank {name.hex()} was drawn from and is not there"

    def _origin(self, name: bytes, lot: Lot) -> Iterator[str]:
        """A lot of the genesis stands for its own run; every other leads to a farm."""
        if lot.run == name:
            return
        origin = self.origins.get(name)
        if origin is None or not origin.sources:
            yield f"lot {name.hex()} leads to no farm"
            return
        if origin.tank == ZERO_HASH:
            # Each farm's part is floored by itself, the lot once: a unit a farm may lie between.
            if lot.units > sum(units for _, units in origin.sources) + len(origin.sources):
                yield f"lot {name.hex()} has more milk than its farms brought"
            return
        run = self.sealed.get(lot.run + lot.mmu)
        if run is None or run.tank != origin.tank or origin.tank not in self.tanks:
            yield f"lot {name.hex()} leads to no tank"
        elif lot.units > run.units:
            yield f"lot {name.hex()}: {lot.units} units of a run of {run.units}"


class StakeRelations:
    """Validators, delegations and what is unbonding, of a whole state."""

    def __init__(self) -> None:
        self.validators: dict[bytes, Validator] = {}
        self.pools: dict[bytes, Unbonding] = {}
        self.owners: dict[bytes, bytes] = {}
        self.register: tuple[bytes, ...] = ()
        self.delegated: defaultdict[bytes, list[Delegation]] = defaultdict(list)
        self.tickets: defaultdict[bytes, int] = defaultdict(int)

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of stake."""
        if prefix == VALIDATORS.prefix:
            self.validators[name] = VALIDATORS.decode(raw)
        elif prefix == UNBONDING.prefix:
            self.pools[name] = UNBONDING.decode(raw)
        elif prefix == DELEGATIONS.prefix:
            self.delegated[name[:_KEY_BYTES]].append(DELEGATIONS.decode(raw))
        elif prefix == TICKETS.prefix:
            self.tickets[name[: _KEY_BYTES + 8]] += TICKETS.decode(raw)
        elif prefix == OWNERS.prefix:
            self.owners[name] = OWNERS.decode(raw)
        elif prefix == REGISTER.prefix:
            self.register = REGISTER.decode(raw).keys

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        staked = {key for key, validator in self.validators.items() if validator.stake}
        missing = (
            staked - set(self.register) if len(self.register) < VALIDATORS_REGISTERED_MAX else set()
        )
        if missing or not set(self.register) <= set(self.validators):
            yield "the register does not name the validators"
        yield from self._owners()
        for key, validator in self.validators.items():
            yield from self._validator(key, validator, self.delegated.pop(key, []))
        for key in self.delegated:
            yield f"validator {key.hex()} has delegators and is not there"
        if {name: pool.shares for name, pool in self.pools.items()} != dict(self.tickets):
            yield "shares of what is unbonding do not sum to their pools"

    def _owners(self) -> Iterator[str]:
        """An owner has one validator; of those that it lost all with, the last may stand."""
        named = {key: owner for owner, key in self.owners.items()}
        owned = {key: v.owner for key, v in self.validators.items() if key in named or not v.ruined}
        if named != owned:
            yield "validators and owners do not name each other one to one"

    @staticmethod
    def _validator(
        key: bytes, validator: Validator, delegations: list[Delegation]
    ) -> Iterator[str]:
        shares = validator.own_shares + sum(each.shares for each in delegations)
        if shares != validator.shares:
            yield f"validator {key.hex()}: {validator.shares} shares, {shares} by holder"
        per_share = read_wide(validator.per_share)
        earned = read_wide(validator.remainder) + sum(
            read_wide(each.carry) + each.shares * (per_share - read_wide(each.entry))
            for each in delegations
        )
        if earned != validator.rewards << SCALE_BITS:
            yield f"validator {key.hex()}: {validator.rewards} units of rewards are not its parts"


class PoolRelations:
    """The subsidy pool and the claims that wait for it."""

    def __init__(self) -> None:
        self.pool = Subsidy()
        self.waiting: set[int] = set()

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of the pool."""
        if prefix == SUBSIDY.prefix:
            self.pool = SUBSIDY.decode(raw)
        elif prefix == CLAIMS.prefix:
            self.waiting.add(int.from_bytes(name, "big"))

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        if self.waiting != set(range(self.pool.head, self.pool.tail)):
            yield "the claims that wait are not those that the pool counts"
