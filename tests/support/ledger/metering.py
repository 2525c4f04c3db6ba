"""A farm's meter that writes envelopes, and a town whose farms consented to their collection."""

import pytest

from ledger.errors.milk import ShortTank
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.rules.portions import draw
from ledger.state import Overlay
from ledger.state.lines import Permit, PermitTerms
from ledger.state.names import epoch_name
from ledger.state.tables import MILK_TANKS, PERMITS, TANK_HOURS
from ledger.types.milk import tank_id
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.window import CollectMilk
from tests.support.ledger.dairy import PLANT, key
from tests.support.ledger.town import Town

MINUTE_MS = 60_000
LITRE = 1_000
"""Steps of a total in mL."""


def available(state, name: bytes, before_ms: int, not_before_ms: int) -> int:
    """Tell how much could be drawn, by what a draw of too much says."""
    with pytest.raises(ShortTank) as short:
        draw(Overlay(state), name, 10**18, before_ms, not_before_ms)
    return short.value.numbers["held"]


class MeteredTown(Town):
    """A town whose meters write envelopes, for collections into tanks of portions."""

    def raw(self, tank: str = "raw") -> bytes:
        """Name a tank of the MMU's."""
        return tank_id(self.address("mmu"), PLANT, tank)

    def envelope(
        self,
        meter: str,
        seq: int,
        t0_ms: int,
        values: list[int],
        *,
        boot: int = 1,
        step_ms: int = MINUTE_MS,
        **changes: object,
    ) -> Envelope:
        """One envelope of a meter, a sample each `step_ms`."""
        signer = key(meter)
        fields: dict[str, object] = {
            "version": READING_VERSION,
            "device": signer.public,
            "boot": boot,
            "seq": seq,
            "t0_ms": t0_ms,
            "stream": Stream.VOLUME_TOTAL,
            "unit": Unit.MILLILITRE,
            "samples": tuple((place * step_ms, value) for place, value in enumerate(values)),
            "calibration": "cal-1",
            "firmware": "fw-1",
            "tamper": False,
            "previous": ZERO_HASH,
        }
        reading = Reading(**(fields | changes))  # type: ignore[arg-type]  # Fields by name.
        return sign_reading(reading, self.dairy.chain_id, signer)

    def collection(
        self,
        meter: str = "meter-0",
        litres: int = 100,
        *,
        first: Envelope | None = None,
        last: Envelope | None = None,
        seq: int = 10,
        start: int = 5_000,
        ago_ms: int = 30 * MINUTE_MS,
        span_ms: int = 10 * MINUTE_MS,
        tank: str = "raw",
        mmu: str = "mmu",
        units: int | None = None,
        **changes: object,
    ) -> CollectMilk:
        """A collection of two envelopes, which begins so long ago; whole litres."""
        t0_ms, half = self.time_ms - ago_ms, start + litres * LITRE // 2
        step_ms = span_ms // 2
        first = first or self.envelope(meter, seq, t0_ms, [start, half], step_ms=step_ms, **changes)
        end = [half, start + litres * LITRE]
        last = last or self.envelope(
            meter, seq + 1, t0_ms + step_ms, end, step_ms=step_ms, **changes
        )
        return CollectMilk(
            self.address(mmu),
            PLANT,
            tank,
            PublicKey(key(meter).public),
            Units(litres * 10**6 if units is None else units),
            first,
            last,
        )

    def portions(self, tank: str = "raw") -> list[tuple[str, int]]:
        """What stands in a tank, oldest first: farms and whole litres."""
        name = self.raw(tank)
        record = MILK_TANKS.get(self.state, name)
        farms = {self.address(f"farm-{i}"): f"farm-{i}" for i in range(3)}
        return [
            (farms[portion.farm], portion.units // 10**6)
            for hour in (record.hours if record else ())
            for portion in TANK_HOURS.get(self.state, name + epoch_name(hour)).portions
        ]


class CollectingTown(MeteredTown):
    """A town whose farms permit the MMU everything, unless told otherwise."""

    def __init__(self, *, litres_a_day: int = 10**6, **parts: object) -> None:
        super().__init__(**parts)
        self.mmu, self.tank = self.address("mmu"), self.raw()
        for number in range(len(self.dairy.farm_keys)):
            self.permit(f"farm-{number}", litres_a_day=litres_a_day)

    def permit(
        self,
        farm: str,
        *,
        mmu: str = "mmu",
        collector: str = "carol",
        litres_a_day: int = 10**6,
        from_ms: int = 0,
        until_ms: int = 2**53,
        meter: bytes = ZERO_HASH,
    ) -> None:
        """Write a farm's consent as the law of permits would."""
        terms = PermitTerms(
            self.address(mmu), self.address(collector), litres_a_day, from_ms, until_ms
        )
        PERMITS.put(self.state, Permit(terms), self.address(farm) + meter)
