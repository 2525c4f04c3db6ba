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
    GenesisRole,
    GenesisStock,
    GenesisValidator,
    genesis_block,
    genesis_state,
)
from ledger.params import DAY_MS, Parameters, default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash, digest
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
    Collection,
    DeviceEvidence,
    HeatProcess,
    Instrument,
    MilkKind,
    RunClaim,
)
from ledger.types.milk import Attestation, MintLot
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.transaction import Body, Intent, Transaction, sign
from ledger.types.transfer import Redemption, Transfer

GENESIS_MS = 1_700_000_000_000
PLANT = "plant-1"
LINE = "line-1"
FEE = Units(100)
FOREVER = 2**53
FLOW_MAX_L_PER_H = 400_000
RUN_STARTED_MS = GENESIS_MS + 3_600_000
RUN_ENDED_MS = RUN_STARTED_MS + 1_800_000
NOW_MS = RUN_ENDED_MS + 60_000
_RUN_SEQS, _SEQ_MS = 10, 200
_SEQ_STEPS = 10**9
"""What a total may rise by in one reading, so that every later one begins above it."""


def key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(seed_of(name))


def seed_of(name: str) -> Seed:
    """Make the secret seed that a name always gives."""
    return Seed(blake2b(name.encode(), digest_size=32, person=b"test-key").digest())


def span_of(first_seq: int, last_seq: int) -> tuple[int, int]:
    """Give the time of a range of numbers: the first run's, or a short one after all before it."""
    if first_seq < _RUN_SEQS:
        return RUN_STARTED_MS, RUN_ENDED_MS
    after = (first_seq - _RUN_SEQS, last_seq + 1 - _RUN_SEQS)
    return RUN_ENDED_MS + after[0] * _SEQ_MS, RUN_ENDED_MS + after[1] * _SEQ_MS


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

    # Evidence.

    def envelope(
        self,
        device: SigningKey,
        seq: int,
        t0_ms: int,
        stream: str,
        unit: str,
        values: Sequence[int],
        *,
        boot: int = 1,
        tamper: bool = False,
        step_ms: int = 1_000,
    ) -> Envelope:
        """A signed reading with a sample a second, or as often as is said."""
        samples = tuple((i * step_ms, value) for i, value in enumerate(values))
        reading = Reading(
            READING_VERSION,
            device.public,
            boot,
            seq,
            t0_ms,
            stream,
            unit,
            samples,
            "cal-1",
            "fw-1",
            tamper,
            ZERO_HASH,
        )
        return sign_reading(reading, self.chain_id, device)

    def evidence(
        self,
        device: SigningKey,
        stream: str,
        unit: str,
        points: tuple[int, int, int],
        *,
        first_seq: int = 0,
        last_seq: int = 9,
        boot: int = 1,
        started_ms: int | None = None,
        ended_ms: int | None = None,
        samples: int = 2,
        tamper: bool = False,
    ) -> DeviceEvidence:
        """First, worst and last of a range; each envelope repeats its point `samples` times."""
        span = span_of(first_seq, last_seq)
        started_ms = span[0] if started_ms is None else started_ms
        ended_ms = span[1] if ended_ms is None else ended_ms
        middle_ms = (started_ms + ended_ms) // 2
        step_ms = min(1_000, (ended_ms - started_ms) // (2 * samples + 2))
        last_ms = ended_ms - (samples - 1) * step_ms
        extra = {"boot": boot, "tamper": tamper, "step_ms": step_ms}
        first, worst, last = (
            self.envelope(device, seq, t0_ms, stream, unit, [value] * samples, **extra)
            for seq, t0_ms, value in (
                (first_seq, started_ms, points[0]),
                ((first_seq + last_seq) // 2, middle_ms, points[1]),
                (last_seq, last_ms, points[2]),
            )
        )
        return DeviceEvidence(device.public, boot, first_seq, last_seq, first, last, worst)

    def total(
        self,
        device: SigningKey,
        rise: int,
        unit: str = Unit.MILLILITRE,
        start: int | None = None,
        **extra: int,
    ) -> DeviceEvidence:
        """A totalizer that rises; its stream follows from its unit, its start from its numbers."""
        start = 5_000 + extra.get("first_seq", 0) * _SEQ_STEPS if start is None else start
        volume = unit in {Unit.MILLILITRE, Unit.MICROLITRE}
        stream = Stream.VOLUME_TOTAL if volume else Stream.MASS_TOTAL
        return self.evidence(
            device, stream, unit, (start, start + rise // 2, start + rise), **extra
        )

    def collections(self, units: Sequence[int], **extra: int) -> tuple[Collection, ...]:
        """One collection a farm, each of whole millilitres."""
        pairs = zip(self.farm_keys, self.meter_keys, units, strict=False)
        return tuple(
            Collection(
                address_of(farm.public), Units(part), self.total(meter, part // 1_000, **extra)
            )
            for farm, meter, part in pairs
        )

    def instruments(
        self,
        units: int,
        *,
        hold_mdegc: int = 74_000,
        outlet_mdegc: int = 3_900,
        forward: int = 1,
        drained_units: int | None = None,
        **extra: int,
    ) -> tuple[DeviceEvidence, ...]:
        """The whole line, for a run of so many units (whole millilitres)."""
        keys, rise = self.line_keys, units // 1_000
        drain = (units if drained_units is None else drained_units) // 1_000
        full = 10_000_000
        return (
            self.total(keys[Instrument.FLOW_METER], rise, **extra),
            self.evidence(
                keys[Instrument.HOLD_THERMOMETER],
                Stream.HOLD_TEMPERATURE,
                Unit.MILLIDEGREE,
                (75_000, hold_mdegc, 75_000),
                **extra,
            ),
            self.evidence(
                keys[Instrument.OUTLET_THERMOMETER],
                Stream.OUTLET_TEMPERATURE,
                Unit.MILLIDEGREE,
                (3_000, outlet_mdegc, 3_000),
                **extra,
            ),
            self.evidence(
                keys[Instrument.DIVERSION_VALVE],
                Stream.VALVE_FORWARD,
                Unit.FLAG,
                (1, forward, 1),
                **extra,
            ),
            self.evidence(
                keys[Instrument.TANK_GAUGE],
                Stream.TANK_VOLUME,
                Unit.MILLILITRE,
                (full, full - drain // 2, full - drain),
                **extra,
            ),
        )

    def claim(
        self,
        number: int = 0,
        units: Sequence[int] = (bill(40), bill(35), bill(25)),
        **changes: object,
    ) -> RunClaim:
        """A claim that holds; `number` makes run and ranges new, `changes` replace fields."""
        first, total = number * 10, sum(units)
        extra = {"first_seq": first, "last_seq": first + 9}
        started_ms, ended_ms = span_of(first, first + 9)
        fields: dict[str, object] = {
            "run": digest(Domain.RUN, b"run", number.to_bytes(4, "big")),
            "plant": PLANT,
            "line": LINE,
            "kind": MilkKind.WHOLE,
            "process": HeatProcess.CONTINUOUS,
            "units": Units(total),
            "started_ms": started_ms,
            "ended_ms": ended_ms,
            "expires_ms": RUN_ENDED_MS + 10 * DAY_MS,
            "collections": self.collections(units, **extra),
            "instruments": self.instruments(total, **extra),
            "readings_root": digest(Domain.MERKLE_NODE, b"root"),
            "readings_count": 80,
        }
        return RunClaim(**{**fields, **changes})  # type: ignore[arg-type]  # Fields by name.

    def mint(self, claim: RunClaim, signers: int | None = None) -> MintLot:
        """Attest a claim, by all attestors or the first few."""
        keys = self.attestor_keys[: self.attestors if signers is None else signers]
        message = claim.signing_bytes(self.chain_id)
        return MintLot(claim, tuple(Attestation(k.public, k.sign(message)) for k in keys))


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
