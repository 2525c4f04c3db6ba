"""What is asked of an attestor, and how it answers: canonical MessagePack both ways.

A request brings a window's claim and all envelopes behind it, signed by the line's MMU, so that
nobody else uses up what an attestor does for it. The answer is an attestation, or a refusal that
bears the attestor's signature too: whoever reads it can show who said what.
"""

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, WireHash
from ledger.primitives.keys import SigningKey, WirePublicKey, WireSignature
from ledger.primitives.scalars import Height
from ledger.state.proven import Boot, Seq
from ledger.types.line import LINE_DEVICES_MAX
from ledger.types.reading import Envelope
from ledger.types.window import WindowAttestation, WindowClaim

REQUEST_BYTES_MAX: Final = 32 * 1024 * 1024
"""The largest request: a window of more envelopes is cut shorter."""
ENVELOPES_MAX: Final = 65_536
"""The most envelopes of one window."""
WINDOW_SAMPLES_MAX: Final = 1_500_000
"""The most samples of one window: a day of sixteen instruments that measure once a second."""
KEPT_RANGES_MAX: Final = 64
"""The most ranges that a request names of one device's envelopes in place of sending them."""
REFUSAL_DETAIL_MAX: Final = 2_000


class KeptRange(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Envelopes of one boot, from one number up to another, that the attestor has already."""

    boot: Boot
    first: Seq
    last: Seq


class DeviceBundle(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One device's envelopes of a window, in order: first those that are only named, then more."""

    device: WirePublicKey
    kept: Annotated[tuple[KeptRange, ...], Meta(max_length=KEPT_RANGES_MAX)]
    envelopes: Annotated[tuple[Envelope, ...], Meta(max_length=ENVELOPES_MAX)]


class WindowRequest(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Ask for a window's attestation. `devices` stand in ascending order.

    `height` is the final block by which the claim was built: an attestor whose node is not there
    yet waits for it, and never refuses for what it has not heard of. `asker` is the MMU's key.
    """

    height: Height
    claim: WindowClaim
    asker: WirePublicKey
    signature: WireSignature
    devices: Annotated[tuple[DeviceBundle, ...], Meta(max_length=LINE_DEVICES_MAX)]


class WindowHead(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A request whose envelopes are not looked at yet: enough to tell who asks for what."""

    height: Height
    claim: WindowClaim
    asker: WirePublicKey
    signature: WireSignature
    devices: Raw

    def signing_bytes(self, chain_id: Hash) -> bytes:
        """Give the bytes that its asker signs."""
        return asking_bytes(chain_id, self.claim.lot_id(), self.height)


class WindowRefusal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An attestor's word that a claim is not what its own envelopes say, by the blocks to `height`.

    `code` is stable and the law's, `detail` is for people.
    """

    attestor: WirePublicKey
    lot: WireHash
    height: Height
    code: Annotated[str, Meta(min_length=1, max_length=64)]
    detail: Annotated[str, Meta(max_length=REFUSAL_DETAIL_MAX)]
    signature: WireSignature

    def signing_bytes(self, chain_id: Hash) -> bytes:
        """Give the bytes that its attestor signs."""
        return refusal_bytes(chain_id, self.lot, self.height, self.code, self.detail)


class WindowAnswer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One of the two."""

    attestation: WindowAttestation | None
    refusal: WindowRefusal | None


def asking_bytes(chain_id: Hash, lot: Hash, height: int) -> bytes:
    """Give what a request's signature is over. The lot's id is the digest of all of its claim."""
    return Domain.ASKING.value + chain_id + encode((lot, height))


def sign_request(
    key: SigningKey,
    chain_id: Hash,
    height: int,
    claim: WindowClaim,
    devices: tuple[DeviceBundle, ...],
) -> WindowRequest:
    """Ask for a window in the name of its MMU."""
    signature = key.sign(asking_bytes(chain_id, claim.lot_id(), height))
    return WindowRequest(height, claim, key.public, signature, devices)


def refusal_bytes(chain_id: Hash, lot: Hash, height: int, code: str, detail: str) -> bytes:
    """Give what a refusal's signature is over: domain, chain, and every word of it."""
    return Domain.REFUSAL.value + chain_id + encode((lot, height, code, detail))


def sign_refusal(
    key: SigningKey, chain_id: Hash, lot: Hash, height: int, code: str, detail: str
) -> WindowRefusal:
    """Sign a refusal; what is too long of its detail is left out."""
    shown = detail[:REFUSAL_DETAIL_MAX]
    signature = key.sign(refusal_bytes(chain_id, lot, height, code, shown))
    return WindowRefusal(key.public, lot, height, code, shown, signature)
