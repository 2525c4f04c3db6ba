"""Windows: what proves pasteurized milk. A line's claims tile its time, each window after the last.

A claim shows every envelope of every instrument of the line since the line's last claim, by three
of them and a root, and says what became of every step of the flow meter's total: counted (in listed
intervals, where every sample of every instrument is good), diverted, cleaning, or lost. Attestors
recompute it from all envelopes; validators re-check what is shown.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import WireAddress, WirePublicKey, WireSignature
from ledger.primitives.scalars import Counter, Millis
from ledger.types.evidence import CollectedUnits, MilkKind
from ledger.types.line import LINE_DEVICES_MAX, LineName
from ledger.types.reading import Envelope
from ledger.types.vat import VatState

INTERVALS_MAX: Final = 64
"""The most counted intervals of one claim."""

Steps = Counter
"""Steps of the flow meter's total, in its own unit."""
STEPS_MAX: Final = 2**53
"""What a claim can tell: a broken meter that rises and falls for ever flowed so much."""


class Interval(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """From one sample of the flow meter to a later one: every step between counts.

    `steps` is how far the total rose, or the less that is claimed.
    """

    from_ms: Millis
    to_ms: Millis
    steps: Steps


class DeviceWindow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One device's part in a window: `count` linked envelopes, shown by at most three.

    - `last`: the last that ends `MARGIN_MS` or more before the window does. The device's chain goes
      on after it. None if none is new.
    - `end`: the first that reaches the window's end, else the very last. None if nothing of it was
      heard in this window.
    - `worst`: the one least favourable to the claim (coldest hold, warmest outlet, valve, fastest
      flow), the same as `end` if there is none worse.
    - `broken`: the device lost its journal: the first envelope names none before it.
    - `silent`: it was not heard past the window's end.
    """

    device: WirePublicKey
    count: Counter
    last: Envelope | None
    end: Envelope | None
    worst: Envelope | None
    broken: bool
    silent: bool


class WindowClaim(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a line did from the end of its last claim (`from_ms`) up to `to_ms`.

    `to_ms` is the time of a sample of the flow meter, unless that is silent. The four fates, in
    steps of the flow meter, sum to what its total rose; `counted_steps` is the intervals' sum.
    `units` is what the counted steps are in microlitres at 20 degrees C, floored once, or less.
    `vat` is what the next window must know of a batch line's vat. `holds` says when the holds began
    that the intervals drained from, ascending: what was metered later had not come in.
    """

    line: WireHash
    kind: MilkKind
    from_ms: Millis
    to_ms: Millis
    intervals: Annotated[tuple[Interval, ...], Meta(max_length=INTERVALS_MAX)]
    counted_steps: Steps
    diverted_steps: Steps
    cleaning_steps: Steps
    lost_steps: Steps
    units: WireUnits
    expires_ms: Millis
    devices: Annotated[tuple[DeviceWindow, ...], Meta(min_length=1, max_length=LINE_DEVICES_MAX)]
    readings_root: WireHash
    readings_count: Counter
    vat: VatState | None
    holds: Annotated[tuple[Millis, ...], Meta(max_length=INTERVALS_MAX)]

    def lot_id(self) -> Hash:
        """Name the lot that the claim makes: the claim's digest."""
        return digest(Domain.WINDOW, encode(self))

    def signing_bytes(self, chain_id: Hash, evidence_root: Hash) -> bytes:
        """Give what an attestor signs: domain, chain, claim, and its own evidence root.

        The evidence root is over digests of the attestor's key and each envelope, so that nobody
        can sign who has not seen them all.
        """
        return Domain.WINDOW.value + chain_id + self.lot_id() + evidence_root


class WindowAttestation(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An attestor's word that it recomputed a window from all its envelopes, and agrees."""

    attestor: WirePublicKey
    evidence_root: WireHash
    signature: WireSignature


class MintWindow(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="mint_window"
):
    """Claim a line's window; what counted becomes a lot and its tokens. The sender is its MMU.

    A window in which nothing counted moves the line on, and makes no lot.
    """

    claim: WindowClaim
    attestations: Annotated[tuple[WindowAttestation, ...], Meta(min_length=1, max_length=64)]


class RollWindow(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="roll_window"
):
    """Back an expired lot's tokens with the milk of a line's window. The sender is the lot's MMU.

    The window is proven as for a mint. Tokens are issued only for what the old lot does not need;
    the MMU pays the farmers for the rest out of its own account.
    """

    lot: WireHash
    mint: MintWindow


class ReleaseShare(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="release_share"
):
    """Pay a lot's processor its share, once the lot is past doubt. Anyone may send it."""

    lot: WireHash


class CollectMilk(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="collect_milk"
):
    """Bring what a farm's meter counted between two readings into a tank.

    The sender is the tank's MMU, or the collector that the farm permits. What counts is the last
    sample of `last` less the first of `first`, at most an hour apart.
    """

    mmu: WireAddress
    plant: LineName
    tank: LineName
    meter: WirePublicKey
    units: CollectedUnits
    first: Envelope
    last: Envelope


WindowBody = MintWindow | RollWindow | ReleaseShare
"""What a transaction of this family carries; `types.tank` has `CollectMilk`."""
