"""Lines, devices and permits as a node shows them: the records as they are, and what they say."""

from collections.abc import Iterator
from itertools import islice

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.state.names import epoch_name, tip_name
from ledger.state.overlay import Reader
from ledger.state.tables import (
    DEVICES,
    DOUBTS,
    LINES,
    METER_USE,
    MILK_TANKS,
    PARAMETERS,
    PERMITS,
    PROVEN,
    TANK_HOURS,
    TIPS,
    attestors,
    chain_id,
)
from ledger.state.tanks import MilkTank
from ledger.store.chain import ChainStore
from node.client.line_views import (
    DeviceView,
    LineSummary,
    LineView,
    MilkTankView,
    PermitView,
    PortionView,
    ProvenView,
)


class LineAnswers:
    """What a node answers of lines, devices, permits, tanks and proofs, from its store."""

    def __init__(self, store: ChainStore) -> None:
        self._store = store

    def line(self, line: Hash) -> LineView | None:
        """Show a line with what judges its next window; None if there is none."""
        return line_view(self._store, line)

    def lines(self, after: Hash, limit: int) -> list[LineSummary]:
        """List lines by ascending id, after an id."""
        return line_summaries(self._store, after, limit)

    def proven(self, lot: Hash) -> ProvenView | None:
        """Show what proved a lot; None if no window did."""
        return proven_view(self._store, lot)

    def device(self, device: PublicKey) -> DeviceView | None:
        """Show a device; None if there is none."""
        return device_view(self._store, device)

    def permits(self, farm: Address, limit: int) -> list[PermitView]:
        """List a farm's permits by ascending meter."""
        return permit_views(self._store, farm, limit)

    def milk_tank(self, tank: Hash, limit: int) -> MilkTankView | None:
        """Show a tank with its oldest portions; None if there is none."""
        return milk_tank_view(self._store, tank, limit)


def device_view(reader: Reader, key: PublicKey, line: Hash | None = None) -> DeviceView | None:
    """Show a device; None if there is none.

    Its tip is that of `line`, else of the line that it watches: a gauge's is told with a line only.
    """
    device = DEVICES.get(reader, key)
    if device is None:
        return None
    return DeviceView(
        key=key,
        instrument=device.instrument,
        plant=device.plant,
        operator=device.operator,
        calibrated_from_ms=device.calibrated_from_ms,
        calibrated_until_ms=device.calibrated_until_ms,
        stopped_ms=device.stopped_ms,
        line=device.line,
        tank=device.tank,
        record=reader.get(DEVICES.prefix + key) or b"",
        tip=reader.get(TIPS.prefix + tip_name(Hash(line or device.line), key)) or b"",
        use=reader.get(METER_USE.prefix + key) or b"",
    )


def line_view(store: ChainStore, line_id: Hash) -> LineView | None:
    """Show a line as of the last final block; None if there is none."""
    line, head = LINES.get(store, line_id), store.head()
    if line is None or head is None:
        return None
    devices = (device_view(store, entry.device, line_id) for entry in line.devices)
    return LineView(
        id=line_id,
        plant=line.plant,
        name=line.name,
        mmu=line.mmu,
        through_ms=line.through_ms,
        as_of_height=head.height,
        as_of_ms=head.time_ms,
        chain_id=chain_id(store),
        record=store.get(LINES.prefix + line_id) or b"",
        rules=store.get(PARAMETERS.prefix) or b"",
        attestors=attestors(store),
        devices=tuple(device for device in devices if device is not None),
    )


def proven_view(store: ChainStore, lot: Hash) -> ProvenView | None:
    """Show what proved a lot as of the last final block; None if no window did."""
    proven, head = PROVEN.get(store, lot), store.head()
    if proven is None or head is None:
        return None
    return ProvenView(
        lot=lot,
        line=proven.line,
        mmu=proven.mmu,
        from_ms=proven.from_ms,
        to_ms=proven.to_ms,
        readings_root=proven.readings_root,
        readings_count=proven.readings_count,
        attestors=proven.attestors,
        contestable_until_ms=proven.contestable_until_ms,
        doubted=DOUBTS.get(store, lot) is not None,
        as_of_ms=head.time_ms,
        record=store.get(PROVEN.prefix + lot) or b"",
    )


def line_summaries(store: ChainStore, after: Hash, limit: int) -> list[LineSummary]:
    """List lines by ascending id, after an id."""
    cells = store.records(LINES.prefix, after, limit)
    found = ((Hash(key[1:]), LINES.decode(raw)) for key, raw in cells)
    return [
        LineSummary(
            id=name,
            plant=line.plant,
            name=line.name,
            mmu=line.mmu,
            process=line.process,
            tank=line.tank,
            through_ms=line.through_ms,
            height=line.height,
        )
        for name, line in found
    ]


def permit_views(store: ChainStore, farm: Address, limit: int) -> list[PermitView]:
    """List a farm's permits by ascending meter, that for all meters first."""
    prefix = PERMITS.prefix + farm
    found = [
        (PublicKey(key.removeprefix(prefix)), raw, PERMITS.decode(raw).terms)
        for key, raw in store.records(prefix, b"", limit)
    ]
    return [
        PermitView(
            meter=meter,
            mmu=terms.mmu,
            collector=terms.collector,
            litres_a_day=terms.litres_a_day,
            from_ms=terms.from_ms,
            until_ms=terms.until_ms,
            record=raw,
        )
        for meter, raw, terms in found
    ]


def milk_tank_view(store: ChainStore, name: Hash, limit: int) -> MilkTankView | None:
    """Show a tank with its oldest portions, as of the last final block; None if there is none."""
    tank, head = MILK_TANKS.get(store, name), store.head()
    if tank is None or head is None:
        return None
    return MilkTankView(
        id=name,
        mmu=tank.mmu,
        plant=tank.plant,
        name=tank.name,
        held_units=Units(tank.held_units),
        as_of_height=head.height,
        as_of_ms=head.time_ms,
        record=store.get(MILK_TANKS.prefix + name) or b"",
        portions=tuple(islice(_portions(store, name, tank), limit)),
    )


def _portions(reader: Reader, name: Hash, tank: MilkTank) -> Iterator[PortionView]:
    """Give a tank's portions in order of metering; a tank may hold many, so as they are asked."""
    for hour in tank.hours:
        found = TANK_HOURS.get(reader, name + epoch_name(hour))
        for portion in found.portions if found else ():
            yield PortionView(
                farm=portion.farm,
                device=portion.device,
                first_ms=portion.first_ms,
                last_ms=portion.last_ms,
                units=portion.units,
            )
