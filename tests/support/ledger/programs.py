"""Who is in random programs, under which rules, and what may be drawn for them."""

import hypothesis.strategies as st
from msgspec.structs import replace

from ledger.genesis import GenesisDevice, GenesisRole
from ledger.params import DAY_MS, default_parameters
from ledger.primitives.amounts import UNITS_MAX
from ledger.primitives.keys import address_of
from ledger.state.records import Role
from ledger.state.tables import (
    MODULE_ACCOUNTS,
)
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.milk import (
    tank_id,
)  # fmt: skip
from ledger.types.registry import (
    CalibrateDevice,
    RegisterDevice,
    RevokeDevice,
)  # fmt: skip
from ledger.types.transfer import REDEMPTIONS_MAX
from tests.support.ledger.dairy import GENESIS_MS, PLANT, TANK, Dairy, bill, key
from tests.support.ledger.model import EPOCH, EVIDENCE, JAIL, UNBONDING
from tests.support.ledger.model_doubts import BOND_BP, BOND_LEAST, CONTESTED_MS
from tests.support.ledger.model_trade import DAY

HOUR = DAY // 24
LINE_KINDS = tuple(kind for kind in Instrument if kind is not Instrument.MILK_METER)
NONE = bytes(32)
PEOPLE = ("alice", "bob", "carol", "mmu", "regulator", "treasury")
FARMS = ("farm-0", "farm-1", "farm-2")
OLD = [f"validator-{i}" for i in range(4)]
NAMES = (*PEOPLE, *FARMS, *(f"owner-{i}" for i in range(4)), *(f"attestor-{i}" for i in range(4)))
ADDRESS = {name: address_of(key(name).public) for name in NAMES}
ACCOUNT = {**ADDRESS, **MODULE_ACCOUNTS}
VOTERS = (*OLD, "vote-new")
METERS = tuple(f"meter-{i}" for i in range(3))
KEYS = {**{name: key(name).public for name in (*VOTERS, *METERS)}, **ADDRESS}
TANKS = {name: tank_id(ADDRESS["mmu"], PLANT, name) for name in (TANK, "silo")}
OTHER_LINE = tuple(sorted(key(f"other-{kind}").public for kind in LINE_KINDS))


class Town(Dairy):
    """A dairy whose people are licensed, with the instruments of another line."""

    def _devices(self):
        until = GENESIS_MS + 365 * DAY_MS
        others = (
            GenesisDevice(
                key(f"other-{kind}").public, kind, PLANT, ADDRESS["mmu"], until,
                self.flow_max_l_per_h if kind is Instrument.FLOW_METER else 0,
            )
            for kind in LINE_KINDS
        )  # fmt: skip
        return (*super()._devices(), *others)

    def _roles(self):
        more = {
            Role.MERCHANT: ["bob"], Role.ARBITER: ["carol"], Role.ORACLE: ["alice"],
            Role.TREASURY: ["treasury"], Role.FARMER: FARMS[:2], Role.COLLECTOR: ["alice"],
        }  # fmt: skip
        return (
            *super()._roles(),
            *(GenesisRole(role, ADDRESS[who]) for role, held in more.items() for who in held),
        )


def _rules():
    rules = default_parameters(development=True)
    short = replace(
        rules.staking, epoch_blocks=EPOCH, unbonding_epochs=UNBONDING,
        evidence_epochs=EVIDENCE, jail_epochs=JAIL,
    )  # fmt: skip
    shelf = {**rules.shelf_days, MilkKind.WHOLE: 2}
    return replace(
        rules, staking=short, mmu_bond_least_units=BOND_LEAST, shelf_days=shelf,
        bond_bp=BOND_BP, challenge_window_ms=CONTESTED_MS,
    )  # fmt: skip


DAIRY = Town(
    parameters=_rules(),
    bond=bill(60),
    balances={name: bill(300) for name in PEOPLE} | {"owner-0": bill(5), "owner-1": bill(5)},
)
people = st.sampled_from(PEOPLE)
payers = st.sampled_from([*PEOPLE, *FARMS, "owner-0"])
extremes = st.sampled_from([2**53, 2**62, UNITS_MAX - 1, UNITS_MAX])
amounts = st.one_of(
    st.integers(0, 3), st.integers(1, bill(40)), st.integers(1, bill(400)), extremes
)
BLOCK_MAX = 3
"""Small blocks, so that a program has many of them, and epochs."""
DEVICE_BODIES = (RegisterDevice, CalibrateDevice, RevokeDevice)
PROPOSERS = ("owner-0", "alice")
picks = st.integers(0, 30)
mostly = st.sampled_from([True] * 7 + [False])
baskets = st.lists(st.tuples(picks, st.integers(1, bill(3)) | amounts), max_size=REDEMPTIONS_MAX)
"""Which lots, by their place in the model, and how much of each."""
