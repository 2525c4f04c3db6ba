"""Draining: how far a vat's level falls for what flows out of it."""

from dataclasses import dataclass
from math import floor

from ledger.evidence.flowing import Totals
from ledger.evidence.terms import WindowTerms
from ledger.evidence.watching import Watch
from ledger.params import BASIS_POINTS, CLOCKS_MS
from ledger.rules.measure import exact_volume, level_units


@dataclass(frozen=True, slots=True)
class Draining:
    """A vat's flow and levels, in units, and how far they may differ."""

    terms: WindowTerms
    flow: Watch
    totals: Totals

    def fits(self, steps: int) -> bool:
        """Tell whether so much may have stood in the vat."""
        unit = self.flow.track.unit
        assert unit is not None, "a total that rose has a unit"
        volume = exact_volume(unit, steps, self.terms.rules.density_mg_per_l)
        return volume <= self.terms.line.vat_units

    def level(self, gauge: Watch, value: int) -> int:
        """Give a level in units."""
        assert gauge.track.unit is not None, "a sample that is judged has a unit"
        return level_units(gauge.track.unit, value, self.terms.rules.density_mg_per_l)

    def unrest(self, gauge: Watch) -> int:
        """Give how far a level may rise without a rise: each of two may be a step off."""
        return 2 * self.level(gauge, 1)

    def left_by(self, base: int, at_ms: int) -> int:
        """Give by how much a level that is read at a time has fallen at least, since `base`."""
        return self._fall(self.totals.by(at_ms - CLOCKS_MS) - base)

    def left_beyond(self, base: int, at_ms: int) -> int:
        """Give by how much it has fallen at most."""
        return self._fall(self.totals.beyond(at_ms + CLOCKS_MS) - base)

    def _fall(self, steps: int) -> int:
        """Give how far a level falls for so many steps: less what meter and gauge may differ by."""
        unit, rules = self.flow.track.unit, self.terms.rules
        if unit is None or steps <= 0:
            return 0
        volume = exact_volume(unit, steps, rules.density_mg_per_l)
        return floor(volume * BASIS_POINTS / (BASIS_POINTS + rules.agreement_bp))
