"""Authenticity: that a registered device signed an envelope, for this chain and on its own topic.

Pure. Nothing here says what a reading is worth: that is judged by what comes after.
"""

from dataclasses import dataclass

from iot_minting.errors import MalformedEnvelope, UnregisteredDevice, WrongSignature, WrongTopic
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.types import RegisteredDevice, Stored
from iot_minting.gateway.verdicts import Arrival
from iot_minting.wire.topics import DevicePlace, parse_topic
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify
from ledger.types.reading import Envelope, Reading, decode_envelope, reading_bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """An envelope that was read; nobody has looked at its signature yet."""

    arrival: Arrival
    place: DevicePlace
    envelope: Envelope
    reading: Reading

    @property
    def number(self) -> tuple[int, int]:
        """Give the envelope's place in its device's order: boot and number."""
        return self.reading.boot, self.reading.seq

    def stored(self, digest: Hash) -> Stored:
        """Make the record of the envelope, once it is accepted."""
        return Stored(
            self.reading.device, self.envelope, self.reading, digest, self.arrival.arrival_ms
        )


def open_envelope(arrival: Arrival, version: int) -> Opened:
    """Read an envelope; raise unless its topic is one of readings, and it is of this version."""
    place = parse_topic(arrival.topic)
    try:
        envelope = decode_envelope(arrival.raw)
        reading = envelope.reading()
    except CodecFault as fault:
        raise MalformedEnvelope(str(fault)) from fault
    if reading.version != version:
        raise MalformedEnvelope(f"version {reading.version}, this is {version}")
    return Opened(arrival, place, envelope, reading)


def check_sender(chain_id: Hash, registry: Registry, opened: Opened) -> RegisteredDevice:
    """Give the device; raise unless it is registered, belongs to the topic, and has signed."""
    reading = opened.reading
    device = registry.find(reading.device)
    if device is None:
        raise UnregisteredDevice(reading.device)
    if opened.place.device != reading.device or opened.place.plant != device.plant:
        raise WrongTopic(
            f"device {reading.device.hex()} of plant {device.plant} on {opened.arrival.topic}"
        )
    message = reading_bytes(chain_id, opened.envelope.body)
    if not verify(reading.device, message, opened.envelope.signature):
        raise WrongSignature(reading.device, reading.seq)
    return device
