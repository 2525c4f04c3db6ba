"""Real devices for the simulated ones: keys from the home's seed, journals in the home.

A journal belongs to one chain: envelopes are signed for it. So each chain has its own folder.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from iot_minting.device.live import LiveDevice
from iot_minting.device.signer import DeviceSettings
from iot_minting.wire.login import read_device_login
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.types.evidence import Instrument
from ledger.types.reading import Stream, Unit
from node.home.lock import owned
from simulator.dairy.setup import DairyConfig, DeviceIdentity, device_key

MEASURES: Final = {
    Instrument.MILK_METER: (Stream.VOLUME_TOTAL, Unit.MILLILITRE),
    Instrument.FLOW_METER: (Stream.VOLUME_TOTAL, Unit.MICROLITRE),
    Instrument.HOLD_THERMOMETER: (Stream.HOLD_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.OUTLET_THERMOMETER: (Stream.OUTLET_TEMPERATURE, Unit.MILLIDEGREE),
    Instrument.DIVERSION_VALVE: (Stream.VALVE_FORWARD, Unit.FLAG),
}


@contextmanager
def run_devices(
    home: Path,
    config: DairyConfig,
    chain_id: Hash,
    seed: bytes,
    identities: list[DeviceIdentity],
    meter_unit: Unit = Unit.MILLILITRE,
) -> Iterator[dict[str, LiveDevice]]:
    """Start every device, by name; stop all of them at the end.

    A plant's journals have one owner: raise `HomeTaken` before any device counts a boot up. Plants
    of one home may run beside each other, as a recording does beside the dairy.
    """
    devices: dict[str, LiveDevice] = {}
    with ExitStack() as locks:
        for folder in sorted({_folder(home, chain_id, identity) for identity in identities}):
            folder.mkdir(parents=True, exist_ok=True)
            locks.enter_context(owned(folder))
        try:
            for identity in identities:
                device = _device(home, config, chain_id, seed, identity, meter_unit)
                devices[identity.name] = device
                device.start()
            yield devices
        finally:
            for device in devices.values():
                device.begin_stop()
            for device in devices.values():
                device.stop()


def _folder(home: Path, chain_id: Hash, identity: DeviceIdentity) -> Path:
    return home / "devices" / chain_id.hex()[:16] / identity.plant


def _device(
    home: Path,
    config: DairyConfig,
    chain_id: Hash,
    seed: bytes,
    identity: DeviceIdentity,
    meter_unit: Unit,
) -> LiveDevice:
    stream, unit = MEASURES[identity.kind]
    if identity.kind is Instrument.MILK_METER:
        unit = meter_unit
        volume = unit in (Unit.MILLILITRE, Unit.MICROLITRE)
        stream = Stream.VOLUME_TOTAL if volume else Stream.MASS_TOTAL
    settings = DeviceSettings(
        name=identity.name,
        plant=identity.plant,
        line=identity.line,
        stream=stream,
        unit=unit,
        chain_id=chain_id,
        ingest_keys=tuple(
            PublicKey(bytes.fromhex(each)) for each in (config.ingest_key, *config.standby_keys)
        ),
        broker_host=config.broker_host,
        broker_port=config.broker_port,
        login=read_device_login(home, config, identity.key),
    )
    path = _folder(home, chain_id, identity) / f"{identity.name}.sqlite"
    return LiveDevice(settings, device_key(seed, identity), path)
