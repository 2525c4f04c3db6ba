"""A small dairy on a ledger: keys, a genesis, claims that hold, and blocks.

`Dairy` has everything a test needs to mint, pay and redeem; builders take what a test wants to
break. All keys come from fixed seeds, all times from the genesis: nothing here is random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from ledger.genesis import (
    Genesis,
    GenesisAccount,
    GenesisBond,
    GenesisDevice,
    GenesisLine,
    GenesisPermit,
    GenesisRole,
    GenesisStock,
    GenesisValidator,
    genesis_block,
    genesis_state,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy, Seed, SigningKey, address_of
from ledger.primitives.merkle import EMPTY_ROOT
from ledger.rules.fees import price_intent
from ledger.state import Overlay, Reader
from ledger.state.records import Role
from ledger.state.tables import account
from ledger.store import ChainStore, Finalized, Head
from ledger.transition import (
    BlockContext,
    BlockOutcome,
    apply_block,
    transactions_root,
)
from ledger.types.block import Block, Header
from ledger.types.evidence import (
    HeatProcess,
    Instrument,
    MilkKind,
)
from ledger.types.transaction import Body, Intent, Transaction, sign
from ledger.types.transfer import Redemption, Transfer

GENESIS_MS = 1_700_000_000_000
PLANT = "plant-1"
LINE = "line-1"
TANK = "tank-1"
FEE = Units(100)
FOREVER = 2**53
FLOW_MAX_L_PER_H = 400_000
RUN_STARTED_MS = GENESIS_MS + 3_600_000
RUN_ENDED_MS = RUN_STARTED_MS + 1_800_000
NOW_MS = RUN_ENDED_MS + 60_000


def key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(seed_of(name))


def seed_of(name: str) -> Seed:
    """Make the secret seed that a name always gives."""
    return Seed(blake2b(name.encode(), digest_size=32, person=b"test-key").digest())


def bill(whole: int) -> Units:
    """Give whole litres as units."""
    return Units(whole * UNITS_PER_BILL)


@dataclass
class Dairy:
    """A network of validators, an MMU with one line, farms with a meter each, and attestors."""

    validators: int = 4
    farms: int = 3
    attestors: int = 4
    development: bool = True
    parameters: Parameters | None = None
    proposer: Address | None = None
    bond: int = 1_000 * UNITS_PER_BILL
    flow_max_l_per_h: int = FLOW_MAX_L_PER_H
    lined: bool = True
    """Whether its line is registered, and its farms consented, from the start."""
    balances: Mapping[str, int] = field(
        default_factory=lambda: {
            "alice": bill(1_000),
            "bob": bill(50),
            "mmu": bill(10),
            "regulator": bill(10),
        }
    )

    @cached_property
    def mmu(self) -> SigningKey:
        return key("mmu")

    @cached_property
    def regulator(self) -> SigningKey:
        return key("regulator")

    @cached_property
    def farm_keys(self) -> list[SigningKey]:
        return [key(f"farm-{i}") for i in range(self.farms)]

    @cached_property
    def meter_keys(self) -> list[SigningKey]:
        return [key(f"meter-{i}") for i in range(self.farms)]

    @cached_property
    def attestor_keys(self) -> list[SigningKey]:
        return sorted((key(f"attestor-{i}") for i in range(self.attestors)), key=lambda k: k.public)

    @cached_property
    def line_keys(self) -> dict[Instrument, SigningKey]:
        return {kind: key(kind.value) for kind in Instrument if kind != Instrument.MILK_METER}

    @property
    def line_kinds(self) -> tuple[Instrument, ...]:
        """What stands on the line; its gauge is no part of it."""
        return (
            Instrument.FLOW_METER,
            Instrument.HOLD_THERMOMETER,
            Instrument.OUTLET_THERMOMETER,
            Instrument.DIVERSION_VALVE,
        )

    @cached_property
    def validator_keys(self) -> list[SigningKey]:
        return [key(f"validator-{i}") for i in range(self.validators)]

    @cached_property
    def genesis(self) -> Genesis:
        """The checked genesis of this dairy."""
        genesis = Genesis(
            "test",
            "dbill",
            GENESIS_MS,
            self.parameters or default_parameters(development=self.development),
            tuple(
                GenesisValidator(
                    k.public,
                    key(f"vrf-{i}").public,
                    bill(100),
                    address_of(key(f"owner-{i}").public),
                )
                for i, k in enumerate(self.validator_keys)
            ),
            tuple(
                GenesisAccount(address_of(key(name).public), Units(units))
                for name, units in self.balances.items()
            ),
            self._stock(),
            self._roles(),
            self._devices(),
            (GenesisBond(address_of(self.mmu.public), Units(self.bond)),) if self.bond else (),
            (self._line(),) if self.lined else (),
            self._permits() if self.lined else (),
        )
        genesis.check()
        return genesis

    def _stock(self) -> tuple[GenesisStock, ...]:
        units = sum(self.balances.values()) + self.validators * bill(100) + self.bond
        small = bill(20)
        expires_ms = GENESIS_MS + 10 * DAY_MS
        return (
            GenesisStock("stock-1", MilkKind.UHT, PLANT, Units(units - small), expires_ms),
            GenesisStock("stock-2", MilkKind.WHOLE, PLANT, small, GENESIS_MS + 10),
        )

    def _roles(self) -> tuple[GenesisRole, ...]:
        return (
            GenesisRole(Role.REGULATOR, address_of(self.regulator.public)),
            GenesisRole(Role.MMU, address_of(self.mmu.public)),
            *(GenesisRole(Role.ATTESTOR, k.public) for k in self.attestor_keys),
        )

    def _devices(self) -> tuple[GenesisDevice, ...]:
        until_ms = GENESIS_MS + 365 * DAY_MS
        meters = zip(self.meter_keys, self.farm_keys, strict=True)
        return (
            *(
                GenesisDevice(
                    meter.public, Instrument.MILK_METER, PLANT, address_of(farm.public), until_ms
                )
                for meter, farm in meters
            ),
            *(
                GenesisDevice(
                    k.public,
                    kind,
                    PLANT,
                    address_of(self.mmu.public),
                    until_ms,
                    self.flow_max_l_per_h if kind is Instrument.FLOW_METER else 0,
                )
                for kind, k in self.line_keys.items()
            ),
        )

    def _line(self) -> GenesisLine:
        devices = sorted(self.line_keys[kind].public for kind in self.line_kinds)
        return GenesisLine(
            PLANT,
            LINE,
            address_of(self.mmu.public),
            HeatProcess.CONTINUOUS,
            self.flow_max_l_per_h,
            Units(0),
            TANK,
            tuple(devices),
        )

    def _permits(self) -> tuple[GenesisPermit, ...]:
        """Each farm lets the MMU have what its meters count."""
        mmu, nobody = address_of(self.mmu.public), bytes(32)
        until_ms = GENESIS_MS + 300 * DAY_MS
        return tuple(
            GenesisPermit(address_of(farm.public), mmu, nobody, nobody, 10**6, until_ms)
            for farm in self.farm_keys
        )

    @property
    def chain_id(self) -> Hash:
        return self.genesis.chain_id

    def state(self) -> Overlay:
        """A fresh overlay over the genesis state."""
        return Overlay(genesis_state(self.genesis))

    def context(self, height: int = 1, time_ms: int = NOW_MS) -> BlockContext:
        """A block by the first validator."""
        proposer = self.proposer or address_of(key("owner-0").public)
        return BlockContext(self.chain_id, height, time_ms, proposer)

    # Transactions.

    def intent(
        self,
        body: Body,
        sender: SigningKey,
        nonce: int,
        fee: int | None = None,
        until: int = FOREVER,
    ) -> Intent:
        """What a sender wants; without a fee, for the least that is taken."""
        policy = Policy.single(sender.public)
        intent = Intent(self.chain_id, policy, nonce, Units(fee or 0), until, body)
        return intent if fee is not None else price_intent(intent, self.genesis.parameters)

    def transaction(
        self,
        body: Body,
        sender: SigningKey,
        nonce: int,
        fee: int | None = None,
        until: int = FOREVER,
    ) -> Transaction:
        """Sign a body as an ordinary account."""
        return sign(self.intent(body, sender, nonce, fee, until), sender)

    def next(self, reader: Reader, body: Body, sender: SigningKey) -> Transaction:
        """Sign a body with the nonce that the account has in a state."""
        nonce = account(reader, address_of(sender.public)).nonce
        return self.transaction(body, sender, nonce)

    def pay(self, to: Address, units: int, *redeem: tuple[Hash, int]) -> Transfer:
        """A transfer, with the lots and units that it redeems, in the order that is given."""
        basket = tuple(Redemption(lot, Units(burned)) for lot, burned in redeem)
        return Transfer(to, Units(units), bytes(32), basket)


@dataclass
class Chain:
    """Blocks on a store, one after another: what a lone validator would do."""

    dairy: Dairy
    store: ChainStore

    def __post_init__(self) -> None:
        self.store.init_genesis(self.dairy.genesis)

    def block(
        self, *transactions: Transaction, time_ms: int | None = None, finalization: bytes = b"f"
    ) -> BlockOutcome:
        """Execute, build and commit one block."""
        step, outcome = self.execute(self.store, self._head(), transactions, time_ms, finalization)
        self.store.commit([step])
        return outcome

    def _head(self) -> Head:
        head = self.store.head()
        assert head is not None
        return head

    def execute(
        self,
        parent: Reader,
        head: Head,
        transactions: Sequence[Transaction],
        time_ms: int | None = None,
        finalization: bytes = b"f",
    ) -> tuple[Finalized, BlockOutcome]:
        """Execute a block on a parent and give what a commit needs."""
        overlay = Overlay(parent)
        height = head.height + 1
        context = self.dairy.context(height, time_ms or NOW_MS + height * 100)
        outcome = apply_block(overlay, context, transactions)
        raws = tuple(encode(transaction) for transaction in transactions)
        committee = genesis_block(self.dairy.genesis).header.committee_hash
        header = Header(
            chain_id=self.dairy.chain_id,
            epoch=0,
            view=head.view + 1,
            height=height,
            parent_view=head.view,
            parent_hash=head.hash,
            time_ms=context.time_ms,
            proposer=context.proposer,
            transactions_root=transactions_root(raws),
            receipts_root=outcome.receipts_root,
            state_root=outcome.state_root,
            committee_hash=committee,
            next_committee_hash=committee,
            evidence_root=EMPTY_ROOT,
            vrf_proof=b"",
        )
        block = Block(header, raws)
        step = Finalized(
            block,
            encode(block),
            transactions,
            outcome.receipts,
            outcome.parties,
            overlay.changes,
            overlay.accumulator,
            finalization,
        )
        return step, outcome
