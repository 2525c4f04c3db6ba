"""What stands in the state: one record type a table. Amounts are never negative.

Records are encoded canonically and hashed into the state root: their shape is consensus.
"""

from enum import IntEnum, StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.hashing import ZERO_HASH, WireHash
from ledger.primitives.keys import Address, WireAddress
from ledger.primitives.scalars import Height, Millis
from ledger.state.lines import FOR_EVER_MS
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.registry import FlowMax, LicensedRole
from ledger.types.transaction import Nonce

ATTESTORS_MAX = 64
"""The most attestors that may be registered; also the most that may sign one mint."""

ATTESTORS_LEAST = 4
"""The fewest attestors outside of a development network: one may be faulty."""

NOBODY = Address(bytes(32))
"""Stands for nobody: who minted the stock of a genesis, who proposed its block."""

Boot = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]


Role = LicensedRole
"""What an account, or an attestor's key, is licensed to do."""


class Account(Struct, frozen=True, array_like=True):
    """An account: what it holds, and how many transactions it has sent.

    Nothing leaves a frozen one.
    """

    units: WireUnits
    nonce: Nonce
    frozen: bool = False


class Reason(IntEnum):
    """Why milk left the books; the order is that of `Supply.by_reason_units`."""

    SOLD = 0
    EXPIRED = 1
    RECALLED = 2
    SPILLED = 3
    FRAUD = 4


class Supply(Struct, frozen=True, array_like=True):
    """The books of all milk: minted - redeemed = held by accounts = remaining + deficit.

    `deficit_units` counts tokens whose milk is gone and that nothing could pay for yet.
    """

    minted_units: WireUnits
    redeemed_units: WireUnits
    remaining_units: WireUnits
    deficit_units: WireUnits = Units(0)
    by_reason_units: tuple[WireUnits, WireUnits, WireUnits, WireUnits, WireUnits] = (Units(0),) * 5

    @property
    def units(self) -> int:
        """Give the tokens in being."""
        return self.minted_units - self.redeemed_units


class Device(Struct, frozen=True, array_like=True):
    """A registered measuring device: `operator` is a meter's farm, an instrument's MMU.

    - `flow_max_l_per_h`: the most that a flow meter's line, or a milk meter's pipe, may carry;
      0 for one behind a vat, for a milk meter without a limit of its own, and for any other.
    - `line`: what it watches; `tank`: what a gauge measures, which several lines may share. Zeros
      for none.
    - `stopped_ms`: nothing counts that it measured from then on.
    - `cleared`: the boot and number of the last reading whose tampering was looked into.
    - `earlier`: the calibration before this one, from when until when.
    """

    instrument: Instrument
    plant: str
    operator: WireAddress
    calibrated_until_ms: Millis
    calibrated_from_ms: Millis = 0
    revoked: bool = False
    flow_max_l_per_h: FlowMax = 0
    line: WireHash = ZERO_HASH
    tank: WireHash = ZERO_HASH
    stopped_ms: Millis = FOR_EVER_MS
    cleared: tuple[Boot, Seq] | None = None
    earlier: tuple[Millis, Millis] | None = None


def in_force(device: Device, from_ms: int, to_ms: int) -> bool:
    """Tell whether what a device measured from one time to another counts.

    One calibration must hold over all of it, and the device not be stopped before its end.
    """
    now = (device.calibrated_from_ms, device.calibrated_until_ms)
    spans = (now,) if device.earlier is None else (now, device.earlier)
    calibrated = any(since <= from_ms and to_ms < until for since, until in spans)
    return calibrated and to_ms < device.stopped_ms


class LotStatus(StrEnum):
    """Whether a lot may be sold, its date aside."""

    SOUND = "sound"
    FROZEN = "frozen"
    RECALLED = "recalled"


class Lot(Struct, frozen=True, array_like=True):
    """A lot of pasteurized milk: `remaining_units` backs the tokens that are not redeemed yet.

    `packed_units` were filled into packs (product lots), and `packed_unsold_units` are in those
    packs yet. `false_units` were ruled never to have been there.
    """

    kind: MilkKind
    plant: str
    line: str
    mmu: WireAddress
    units: WireUnits
    remaining_units: WireUnits
    expires_ms: Millis
    height: Height
    readings_root: WireHash
    packed_units: WireUnits = Units(0)
    packed_unsold_units: WireUnits = Units(0)
    status: LotStatus = LotStatus.SOUND
    false_units: WireUnits = Units(0)

    @property
    def vouched(self) -> bool:
        """Tell whether an MMU answers for the milk; for stock of the genesis none does."""
        return self.mmu != NOBODY


class Holders(Struct, frozen=True, array_like=True):
    """Who holds a role that is counted: attestors' keys or feeders' addresses, ascending."""

    keys: Annotated[tuple[WireAddress, ...], Meta(max_length=ATTESTORS_MAX)]
