"""A small dairy on the simulated chain: it mints, its farm spends and redeems, a payer is charged.

So blocks hold more than payments. Every run is proven by envelopes of its instruments and by the
one attestor of a development network, all signed with real keys. A run is a pure function of chain
and number, so it is signed once a process and used in every seed of the same genesis.
"""

from collections.abc import Callable
from functools import cache, partial
from random import Random
from typing import Final

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash, digest
from ledger.primitives.keys import Address, SigningKey, address_of
from ledger.rules import Call
from ledger.types.evidence import (
    Collection,
    DeviceEvidence,
    HeatProcess,
    Instrument,
    MilkKind,
    RunClaim,
)
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
from ledger.types.milk import Attestation, MintLot
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.transaction import Body
from ledger.types.transfer import REDEMPTIONS_MAX, Basket, Redemption, Transfer
from simulator.virtual.topology import (
    ATTESTOR,
    BEGIN_MS,
    FARM,
    INSTRUMENTS,
    MERCHANT,
    MMU,
    PAYER,
    PLANT,
)
from simulator.virtual.workload.payments import FEE_UNITS, Purse, Workload

RUNS_BEGIN_MS: Final = BEGIN_MS - DAY_MS
RUN_MS: Final = 16_000
"""Runs follow each other: a chain takes a device's readings in their order only."""
RUN_UNITS: Final = 40 * UNITS_PER_BILL
SEQUENCE_A_RUN: Final = 10
SPENT_MAX: Final = UNITS_PER_BILL
MINT_GAP_MS: Final = 1_500
MINT_FEE_UNITS: Final = Units(100_000)
"""More than a mint's many signatures cost."""
PERIOD_MS: Final = HOUR_MS
MILLILITRE: Final = UNITS_PER_BILL // 1_000


class MilkWorkload:
    """One plant, its farm, a merchant and a payer."""

    def __init__(self, workload: Workload, chance: Random) -> None:
        self._world = workload.env.world
        self._chain_id = workload.env.topology.chain_id
        self._clients = [address_of(k.public) for k in workload.env.topology.clients]
        self._chance = chance
        self._mmu, self._farm = Purse(workload, MMU), Purse(workload, FARM)
        self._merchant, self._payer = Purse(workload, MERCHANT), Purse(workload, PAYER)
        self._minted: list[Hash] = []
        self._granted = 0

    def begin(self) -> None:
        """Let all of them act."""
        self._later(self._mint)
        self._later(self._grant)

    def _later(self, act: Callable[[], None]) -> None:
        wait_ms = 1 + int(self._chance.expovariate(1 / MINT_GAP_MS))
        self._world.after(wait_ms, act)

    def _mint(self) -> None:
        mint = make_mint(self._chain_id, len(self._minted))
        self._mmu.spend(mint, partial(self._spend, mint.claim.lot_id()), MINT_FEE_UNITS)

    def _spend(self, lot: Hash) -> None:
        """Spend some of what the farm got for a lot, and redeem some milk; then mint again."""
        self._minted.append(lot)
        units = Units(self._chance.randrange(1, SPENT_MAX))
        to = self._chance.choice(self._clients)
        body = Transfer(to, units, bytes(32), self._basket(units))
        self._farm.spend(body, partial(self._later, self._mint))

    def _basket(self, units: int) -> Basket:
        """Redeem at most so many units, of some of the newest lots."""
        newest = self._minted[-REDEMPTIONS_MAX:]
        lots = sorted(self._chance.sample(newest, self._chance.randrange(len(newest) + 1)))
        most = units // max(len(lots), 1)
        if not most:
            return ()
        return tuple(Redemption(lot, Units(self._chance.randrange(1, most + 1))) for lot in lots)

    def _grant(self) -> None:
        price = self._chance.randrange(1, UNITS_PER_BILL)
        end_ms = BEGIN_MS + DAY_MS
        most = Units(UNITS_PER_BILL)
        body = GrantMandate(
            self._merchant.address,
            PERIOD_MS,
            most,
            PriceMode.TOKENS_A_LITRE,
            price,
            most,
            most,
            end_ms,
        )
        name = Call(self._payer.address, self._granted, FEE_UNITS).name(Domain.MANDATE)
        self._granted += 2  # Each is cancelled with the next nonce.
        self._payer.spend(body, partial(self._charge, name, price))

    def _charge(self, name: Hash, units: int) -> None:
        body: Body = ChargeMandate(name, bytes(32), self._basket(units))
        self._merchant.spend(body, partial(self._cancel, name))

    def _cancel(self, name: Hash) -> None:
        self._payer.spend(CancelMandate(name), partial(self._later, self._grant))


@cache
def make_mint(chain_id: Hash, number: int) -> MintLot:
    """Make a run that holds, attested: number after number of the same plant."""
    line = partial(_evidence, chain_id, number)
    millilitres = RUN_UNITS // MILLILITRE
    before, ended_ms = number * millilitres, RUNS_BEGIN_MS + (number + 1) * RUN_MS
    counted = (before, before + millilitres // 2, before + millilitres)
    meter = line(Instrument.MILK_METER, Stream.VOLUME_TOTAL, Unit.MILLILITRE, counted)
    claim = RunClaim(
        run=digest(Domain.RUN, b"simulated", number.to_bytes(4, "big")),
        plant=PLANT,
        line="line-1",
        kind=MilkKind.WHOLE,
        process=HeatProcess.CONTINUOUS,
        units=Units(RUN_UNITS),
        started_ms=ended_ms - RUN_MS,
        ended_ms=ended_ms,
        expires_ms=ended_ms + 9 * DAY_MS,
        collections=(Collection(_address(FARM), Units(RUN_UNITS), meter),),
        instruments=(
            line(Instrument.FLOW_METER, Stream.VOLUME_TOTAL, Unit.MILLILITRE, counted),
            line(
                Instrument.HOLD_THERMOMETER,
                Stream.HOLD_TEMPERATURE,
                Unit.MILLIDEGREE,
                (75_000, 74_000, 75_000),
            ),
            line(
                Instrument.OUTLET_THERMOMETER,
                Stream.OUTLET_TEMPERATURE,
                Unit.MILLIDEGREE,
                (3_000, 3_500, 3_000),
            ),
            line(Instrument.DIVERSION_VALVE, Stream.VALVE_FORWARD, Unit.FLAG, (1, 1, 1)),
        ),
        readings_root=digest(Domain.MERKLE_NODE, b"simulated"),
        readings_count=SEQUENCE_A_RUN,
    )
    signature = ATTESTOR.sign(claim.signing_bytes(chain_id))
    return MintLot(claim, (Attestation(ATTESTOR.public, signature),))


def _address(key: SigningKey) -> Address:
    return address_of(key.public)


def _evidence(
    chain_id: Hash,
    number: int,
    kind: Instrument,
    stream: Stream,
    unit: Unit,
    points: tuple[int, int, int],
) -> DeviceEvidence:
    """Show the first, the worst and the last reading of an instrument's run."""
    device, first = INSTRUMENTS[kind], number * SEQUENCE_A_RUN
    last = first + SEQUENCE_A_RUN - 1
    started_ms = RUNS_BEGIN_MS + number * RUN_MS
    times = (started_ms, started_ms + RUN_MS // 2, started_ms + RUN_MS - 1_000)
    sequences = (first, (first + last) // 2, last)
    begins, worst, ends = (
        _envelope(chain_id, device, seq, time_ms, stream, unit, value)
        for seq, time_ms, value in zip(sequences, times, points, strict=True)
    )
    return DeviceEvidence(device.public, 1, first, last, begins, ends, worst)


def _envelope(
    chain_id: Hash,
    device: SigningKey,
    seq: int,
    time_ms: int,
    stream: Stream,
    unit: Unit,
    value: int,
) -> Envelope:
    samples = ((0, value), (1_000, value))
    reading = Reading(
        READING_VERSION,
        device.public,
        1,
        seq,
        time_ms,
        stream,
        unit,
        samples,
        "cal-1",
        "fw-1",
        False,
        ZERO_HASH,
    )
    return sign_reading(reading, chain_id, device)
