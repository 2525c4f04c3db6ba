"""Windows for whoever carries them: real signed envelopes under a claim of their root.

What the envelopes say is no milk; who only carries and keeps them does not look.
"""

from dataclasses import dataclass

from ledger.primitives.hashing import Hash
from ledger.primitives.merkle import merkle_root
from ledger.types.evidence import MilkKind
from ledger.types.line import line_id
from ledger.types.reading import Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.window import DeviceWindow, WindowClaim
from tests.support.ledger.dairy import key

CHAIN = Hash(b"\x09" * 32)
LINE = line_id("ampang", "htst-1")
NAMES = ("window-flow", "window-hold")
KEYS = tuple(sorted((key(name) for name in NAMES), key=lambda each: each.public))
MINUTE_MS = 60_000


@dataclass(frozen=True)
class Window:
    claim: WindowClaim
    bundle: dict

    @property
    def envelopes(self):
        return [envelope for device in sorted(self.bundle) for envelope in self.bundle[device]]


def envelopes_of(signer, first, count, *, boot=0, samples=1, chain_id=CHAIN, value=7):
    """Sign a device's minutes `first`, `first + 1`, ...; each names none before it."""
    return tuple(
        sign_reading(
            Reading(
                version=1,
                device=signer.public,
                boot=boot,
                seq=seq,
                t0_ms=seq * MINUTE_MS,
                stream=Stream.VOLUME_TOTAL,
                unit=Unit.MILLILITRE,
                samples=tuple((at, value) for at in range(samples)),
                calibration="c",
                firmware="f",
                tamper=False,
                previous=Hash(bytes(32)),
            ),
            chain_id,
            signer,
        )
        for seq in range(first, first + count)
    )


def make_window(from_ms=0, to_ms=4 * MINUTE_MS, *, bundle=None, line=LINE, **changes):
    """Claim a window over some minutes of two devices."""
    first, count = from_ms // MINUTE_MS, (to_ms - from_ms) // MINUTE_MS
    if bundle is None:
        bundle = {each.public: envelopes_of(each, first, count) for each in KEYS}
    shown = [envelope for device in sorted(bundle) for envelope in bundle[device]]
    fields = {
        "line": line,
        "kind": MilkKind.WHOLE,
        "from_ms": from_ms,
        "to_ms": to_ms,
        "intervals": (),
        "counted_steps": 0,
        "diverted_steps": 0,
        "cleaning_steps": 0,
        "lost_steps": 0,
        "units": 0,
        "expires_ms": to_ms,
        "devices": tuple(_device(device, bundle[device]) for device in sorted(bundle)),
        "readings_root": merkle_root([envelope.digest() for envelope in shown]),
        "readings_count": len(shown),
        **changes,
    }
    return Window(WindowClaim(**fields), bundle)


def _device(device, envelopes: tuple[Envelope, ...]):
    last = envelopes[-1] if envelopes else None
    return DeviceWindow(device, len(envelopes), None, last, last, False, not envelopes)
