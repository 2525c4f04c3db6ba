"""What stands in the state: one record type a table. Amounts are never negative.

Records are encoded canonically and hashed into the state root: their shape is consensus.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.hashing import WireHash
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.types.evidence import Instrument, MilkKind, Millis
from ledger.types.transaction import Height, Nonce

ATTESTORS_MAX = 64
"""The most attestors that may be registered; also the most that may sign one mint."""

RANGES_MAX = 32
"""The most separate ranges remembered of one device's boot; older gaps count as used."""

Seq = Annotated[int, Meta(ge=0, le=2**53)]


class Role(StrEnum):
    """What an account, or an attestor's key, is licensed to do."""

    REGULATOR = "regulator"
    MMU = "mmu"
    ATTESTOR = "attestor"
    FARMER = "farmer"
    COLLECTOR = "collector"
    LAB = "lab"
    MERCHANT = "merchant"
    ORACLE = "oracle"
    ARBITER = "arbiter"
    TREASURY = "treasury"


class Account(Struct, frozen=True, array_like=True):
    """An account: what it holds, and how many transactions it has sent."""

    units: WireUnits
    nonce: Nonce


class Supply(Struct, frozen=True, array_like=True):
    """The books of all milk: minted - redeemed = remaining in lots = held by accounts."""

    minted: WireUnits
    redeemed: WireUnits
    remaining: WireUnits

    @property
    def units(self) -> int:
        """Give the tokens in being."""
        return self.minted - self.redeemed


class Device(Struct, frozen=True, array_like=True):
    """A registered measuring device: `operator` is a meter's farm, an instrument's MMU."""

    instrument: Instrument
    plant: str
    operator: WireAddress
    calibrated_until_ms: Millis


class Lot(Struct, frozen=True, array_like=True):
    """A lot of pasteurised milk: `remaining` backs the tokens that are not redeemed yet."""

    kind: MilkKind
    plant: str
    line: str
    run: WireHash
    mmu: WireAddress
    units: WireUnits
    remaining: WireUnits
    expires_ms: Millis
    height: Height
    readings_root: WireHash


class Consumed(Struct, frozen=True, array_like=True):
    """The readings of one device's boot that mints have used: ascending, disjoint ranges."""

    ranges: tuple[tuple[Seq, Seq], ...]


class Attestors(Struct, frozen=True, array_like=True):
    """The registered attestors' keys, ascending."""

    keys: Annotated[tuple[WirePublicKey, ...], Meta(max_length=ATTESTORS_MAX)]
