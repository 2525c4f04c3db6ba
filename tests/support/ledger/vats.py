"""A batch line on a state: a vat's day is measured, and its windows are claimed, judged, minted."""

from collections.abc import Sequence

from msgspec.structs import replace

from ledger.state.lines import FOR_EVER_MS, Line
from ledger.state.tables import LINES
from ledger.types.vat import VatState
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import DeviceRig
from tests.support.evidence.vats import DAY_S, FLOW, KINDS, VAT_ML, VatDay, VatStory
from tests.support.ledger.cheating import Cheat
from tests.support.ledger.window import START_MS


class VatTown(Cheat):
    """A town whose line stands behind a vat, and what its instruments say of a day."""

    def __init__(
        self,
        story: VatStory,
        *,
        vat_ml: int = VAT_ML,
        litres: Sequence[int] = (500, 500, 500),
    ) -> None:
        kinds = KINDS if story.spare is None else (*KINDS, story.spare)
        super().__init__(kinds, litres=litres, vat_units=vat_ml * 1_000)
        self.day = VatDay(story).pass_by()
        self.day.measured(self.line.devices)
        for spare in self.line.devices[len(KINDS) :]:
            self.stand(spare, START_MS + story.joins_s * 1_000, FOR_EVER_MS)
        self.time_ms = START_MS + DAY_S * 1_000

    def registered(self) -> Line:
        """Give the line as the chain has it."""
        line = LINES.get(self.state, self.line.line_id)
        assert line is not None
        return line

    def stand(self, device: DeviceRig, from_ms: int, until_ms: int) -> None:
        """Let a device stand on the line from a time until another."""
        self.amend(
            devices=tuple(
                replace(each, from_ms=from_ms, until_ms=until_ms)
                if each.device == device.public
                else each
                for each in self.registered().devices
            )
        )

    def until(self, second: float, **changes: object) -> WindowClaim:
        """Claim up to the flow meter's last sample by a second."""
        at_ms = max(at for at, _ in self.day.samples(FLOW) if at <= second * 1_000)
        return self.claim(at_ms / 1_000, **changes)  # type: ignore[arg-type]

    def windows(self, *seconds: float) -> int:
        """Claim window after window, and all that is left; give what counted in all of them."""
        counted = 0
        for second in seconds:
            claim = self.signed(self.until(second))
            assert self.mint(claim) == ""
            counted += claim.counted_steps
        claim = self.signed(self.claim())
        assert self.mint(claim) == ""
        assert self.registered().vat == claim.vat
        return counted + claim.counted_steps

    def lying(self, claim: WindowClaim, **fields: object) -> str:
        """Say something else of the vat, by attestors that lie; give the chain's code."""
        vat = claim.vat
        assert isinstance(vat, VatState)
        return self.mint(replace(claim, vat=replace(vat, **fields)))
