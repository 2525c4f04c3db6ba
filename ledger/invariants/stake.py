"""What must hold between validators, delegations, what is unbonding, committees and offences.

Only the audit looks at this, since it needs the whole state.
"""

from collections import defaultdict
from collections.abc import Iterator

from ledger.invariants.place import Place
from ledger.primitives.committee import Committee
from ledger.primitives.keys import PublicKey
from ledger.state.stakes import (
    SCALE_BITS,
    VALIDATORS_REGISTERED_MAX,
    Delegation,
    Offences,
    Slashes,
    Unbonding,
    Validator,
    read_wide,
)
from ledger.state.tables import (
    COMMITTEES,
    DELEGATIONS,
    FIRST_EPOCH,
    OFFENCES,
    OWNERS,
    REGISTER,
    SLASHES,
    TICKETS,
    UNBONDING,
    VALIDATORS,
)

_KEY_BYTES = 32
_EPOCH_BYTES = 8


class StakeRelations:
    """Validators, delegations and what is unbonding, of a whole state."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._validators: dict[bytes, Validator] = {}
        self._pools: dict[bytes, Unbonding] = {}
        self._owners: dict[bytes, bytes] = {}
        self._register: tuple[bytes, ...] = ()
        self._delegated: defaultdict[bytes, list[Delegation]] = defaultdict(list)
        self._tickets: defaultdict[bytes, int] = defaultdict(int)

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of stake."""
        if prefix == VALIDATORS.prefix:
            self._validators[name] = VALIDATORS.decode(raw)
        elif prefix == UNBONDING.prefix:
            self._pools[name] = UNBONDING.decode(raw)
        elif prefix == DELEGATIONS.prefix:
            self._delegated[name[:_KEY_BYTES]].append(DELEGATIONS.decode(raw))
        elif prefix == TICKETS.prefix:
            self._tickets[name[: _KEY_BYTES + _EPOCH_BYTES]] += TICKETS.decode(raw)
        elif prefix == OWNERS.prefix:
            self._owners[name] = OWNERS.decode(raw)
        elif prefix == REGISTER.prefix:
            self._register = REGISTER.decode(raw).keys

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        staked = {key for key, validator in self._validators.items() if validator.stake_units}
        missing = staked - set(self._register)
        if len(self._register) == VALIDATORS_REGISTERED_MAX:
            missing = set()
        if missing or not set(self._register) <= set(self._validators):
            yield "the register does not name the validators"
        yield from self._ownership()
        for key, validator in self._validators.items():
            yield from self._validator(key, validator, self._delegated.pop(key, []))
        for key in self._delegated:
            yield f"validator {key.hex()} has delegators and is not there"
        if {name: pool.shares for name, pool in self._pools.items()} != dict(self._tickets):
            yield "shares of what is unbonding do not sum to their pools"
        for name, pool in self._pools.items():
            if self._place is not None and pool.since_ms > self._place.time_ms:
                yield f"what is unbonding under {name.hex()} began at a time to come"

    def _ownership(self) -> Iterator[str]:
        """An owner has one validator; of those that it lost all with, the last may stand."""
        named = {key: owner for owner, key in self._owners.items()}
        validators = self._validators.items()
        owned = {key: v.owner for key, v in validators if key in named or not v.ruined}
        if named != owned:
            yield "validators and owners do not name each other one to one"

    @staticmethod
    def _validator(
        key: bytes, validator: Validator, delegations: list[Delegation]
    ) -> Iterator[str]:
        where = f"validator {key.hex()}"
        shares = validator.own_shares + sum(each.shares for each in delegations)
        if shares != validator.shares:
            yield f"{where}: {validator.shares} shares, {shares} by holder"
        per_share = read_wide(validator.per_share)
        earned = read_wide(validator.remainder) + sum(
            read_wide(each.carry) + each.shares * (per_share - read_wide(each.entry))
            for each in delegations
        )
        if earned != validator.rewards_units << SCALE_BITS:
            yield f"{where}: {validator.rewards_units} units of rewards are not its parts"


class CommitteeRelations:
    """Who sits, who offended while sitting, and the books of what that cost."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._vrf_keys: dict[bytes, bytes] = {}
        self._committees: dict[int, Committee] = {}
        self._offences: dict[bytes, Offences] = {}
        self._books: Slashes | None = None
        self._first_epoch = 0

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of committees."""
        if prefix == COMMITTEES.prefix:
            self._committees[int.from_bytes(name, "big")] = COMMITTEES.decode(raw)
        elif prefix == VALIDATORS.prefix:
            self._vrf_keys[name] = VALIDATORS.decode(raw).vrf_key
        elif prefix == OFFENCES.prefix:
            self._offences[name] = OFFENCES.decode(raw)
        elif prefix == SLASHES.prefix:
            self._books = SLASHES.decode(raw)
        elif prefix == FIRST_EPOCH.prefix:
            self._first_epoch = FIRST_EPOCH.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        yield from self._seats()
        for name, offences in self._offences.items():
            yield from self._offence(name, offences)
        paid = sum(each.paid_units for each in self._offences.values())
        slashed = 0 if self._books is None else self._books.slashed_units
        # Offences of forgotten epochs are gone; until the first is, all that was paid is there.
        if paid > slashed or (paid < slashed and not self._first_epoch):
            yield f"{slashed} units were slashed, but offences cost {paid}"

    def _seats(self) -> Iterator[str]:
        for epoch, committee in self._committees.items():
            if any(self._vrf_keys.get(seat.key) != seat.vrf_key for seat in committee.seats):
                yield f"the committee of epoch {epoch} seats one who is no validator"
        if self._place is None:
            return
        for epoch, expected in self._place.committees.items():
            found = self._committees.get(epoch)
            if found is None or found.hash != expected:
                yield f"the committee of epoch {epoch} is not that which headers commit to"

    def _offence(self, name: bytes, offences: Offences) -> Iterator[str]:
        epoch, key = int.from_bytes(name[:_EPOCH_BYTES], "big"), name[_EPOCH_BYTES:]
        where = f"offences of {key.hex()} in epoch {epoch}"
        committee = self._committees.get(epoch)
        seat = None if committee is None else committee.seat(PublicKey(key))
        if seat is None:
            yield f"{where}: it had no seat"
        elif not offences.faults or not (offences.paid_units or offences.spent):
            yield f"{where}: they cost nothing"
        elif offences.paid_units > seat.stake:
            yield f"{where}: {offences.paid_units} units paid of a seat of {seat.stake}"
