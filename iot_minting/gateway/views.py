"""Views: what a node shows of lines, meters and tanks, as the minter's cores take it.

Pure. Records come in their canonical bytes; one that can't be read is a node's fault, and raises.
"""

from collections.abc import Callable, Sequence
from typing import Final

from iot_minting.gateway.collecting import FarmMeter, Stretch, consent_spans
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.pieces import BEGINNING
from ledger.evidence.windows import force_spans
from ledger.params import DAY_MS
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.codec import decode
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Address, PublicKey
from ledger.rules.collecting import day_left
from ledger.state.lines import Permit, PermitTerms
from ledger.state.records import Device
from ledger.state.tanks import MeterUse
from node.client.line_views import DeviceView, MilkTankView, PermitView

RECORD_BYTES_MAX: Final = 1024 * 1024


def read_device(view: DeviceView) -> Device:
    """Read a device's record."""
    return decode(view.record, Device, RECORD_BYTES_MAX)


def read_meter(
    view: DeviceView, permits: Sequence[PermitView], mmu: Address, tank: str, time_ms: int
) -> FarmMeter:
    """Read a farm's meter, and what its farm permits an MMU."""
    device = read_device(view)
    held = {each.meter: decode(each.record, Permit, RECORD_BYTES_MAX) for each in permits}
    own, shared = held.get(view.key), held.get(PublicKey(ZERO_HASH))
    in_force = own or shared
    return FarmMeter(
        key=view.key,
        farm=Address(device.operator),
        plant=device.plant,
        tank=tank,
        limit_l_per_h=device.flow_max_l_per_h,
        force=force_spans(device),
        consent=_consent(own, shared, mmu),
        day_full=_full_days(in_force, time_ms) if in_force else frozenset(),
        open=_open(decode(view.use, MeterUse, RECORD_BYTES_MAX) if view.use else None),
    )


def read_tank(
    view: MilkTankView, is_void: Callable[[PublicKey, int], bool]
) -> tuple[TankMilk, ...]:
    """Read what a tank may give; `is_void` tells whether a device was stopped at a time."""
    return tuple(
        TankMilk(each.first_ms, each.last_ms, each.units)
        for each in view.portions
        if not is_void(each.device, each.last_ms)
    )


def _consent(own: Permit | None, shared: Permit | None, mmu: Address) -> list[tuple[int, int]]:
    """Give when a meter's milk may go to an MMU: by its own permit since the farm wrote one."""
    owned = _terms(own) if own else ()
    since_ms = owned[0].from_ms if owned else 2**53
    before = [each for each in (_terms(shared) if shared else ()) if each.from_ms < since_ms]
    terms = [(each, min(each.until_ms, since_ms)) for each in before]
    terms += [(each, each.until_ms) for each in owned]
    return consent_spans([(each.from_ms, until, each.mmu == mmu) for each, until in terms])


def _terms(permit: Permit) -> tuple[PermitTerms, ...]:
    return (*permit.before, permit.terms)


def _full_days(permit: Permit, time_ms: int) -> frozenset[int]:
    """Name the days of which a permit has no litres left."""
    used, today = dict(permit.days), time_ms // DAY_MS
    most = permit.terms.litres_a_day * UNITS_PER_BILL
    days = {*used, today - 1, today, today + 1}
    return frozenset(day for day in days if day_left(used, day, most) <= 0)


def _open(use: MeterUse | None) -> tuple[Stretch, ...]:
    """Give what is not collected yet: the gaps, then all after the furthest collection."""
    if use is None:
        return (Stretch(BEGINNING, None),)
    gaps = [
        Stretch(
            (gap.since.boot, gap.since.seq) if gap.since else BEGINNING,
            (gap.until.boot, gap.until.seq),
        )
        for gap in use.gaps
    ]
    return (*gaps, Stretch((use.through.boot, use.through.seq), None))
