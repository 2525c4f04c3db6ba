"""Envelopes of simulated meters over MQTT, as fast as the gateway stores and receipts them.

Everything is signed ahead; each meter's envelopes are a chain, so they are published in order. An
envelope counts when the gateway's receipt covers it: then it is durable. A meter keeps so few
envelopes ahead of its receipts as a gateway lets wait.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.types.reading import (
    FIRST_OF_CHAIN,
    READING_VERSION,
    Reading,
    Stream,
    Unit,
    sign_reading,
)
from loadtest.wallets import derive

PLANT: Final = "load"
LINE: Final = "meters"
SAMPLES: Final = 10
STEP_MS: Final = 1
AHEAD_MAX: Final = 200
PATIENCE_S: Final = 30.0


@dataclass(slots=True)
class LoadMeter:
    """One meter: what it will say, and how far that is settled."""

    topic: str
    receipts: str
    boot: int
    payloads: deque[bytes]
    sent: int = 0
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one round gave."""

    seconds: float
    envelopes: int
    settled: int

    @property
    def per_s(self) -> float:
        """Give the rate of envelopes that were receipted."""
        return self.settled / self.seconds


def make_meters(seed: bytes, chain: Hash, count: int, each: int, boot: int) -> list[LoadMeter]:
    """Sign so many envelopes a meter, from now on, in a boot of its own."""
    return [_make_meter(seed, chain, number, each, boot) for number in range(count)]


def _make_meter(seed: bytes, chain: Hash, number: int, each: int, boot: int) -> LoadMeter:
    key = derive(seed, b"load-meter", number)
    name = key.public.hex()
    meter = LoadMeter(f"bc/v1/{PLANT}/{LINE}/{name}/r", f"bc/v1/receipt/{name}", boot, deque())
    previous, total_ml = FIRST_OF_CHAIN, 0
    t0_ms = time.time_ns() // 1_000_000 - 60_000
    for seq in range(each):
        # The first is the sample that ended the envelope before.
        samples = tuple((STEP_MS * i, total_ml + i) for i in range(SAMPLES + 1))
        total_ml += SAMPLES
        reading = Reading(
            version=READING_VERSION,
            device=key.public,
            boot=boot,
            seq=seq,
            t0_ms=t0_ms + seq * SAMPLES * STEP_MS,
            stream=Stream.VOLUME_TOTAL.value,
            unit=Unit.MILLILITRE.value,
            samples=samples,
            calibration="load",
            firmware="load",
            tamper=False,
            previous=previous,
        )
        envelope = sign_reading(reading, chain, key)
        previous = envelope.digest()
        meter.payloads.append(encode(envelope))
    return meter


class IngestLoad:
    """One MQTT connection that speaks for all meters."""

    def __init__(self, port: int) -> None:
        self._meters: dict[str, LoadMeter] = {}
        self._moved = threading.Condition()
        self._connected = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="load-meters", protocol=paho.MQTTv5
        )
        self._client.max_inflight_messages_set(1_000)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, 60)
        self._client.loop_start()
        self._connected.wait(10)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def run(self, meters: Sequence[LoadMeter]) -> Ingested:
        """Publish all, keeping a little ahead of the receipts; wait for the last of these."""
        self._meters = {meter.receipts: meter for meter in meters}
        count = sum(len(meter.payloads) for meter in meters)
        began_s = last_s = time.monotonic()
        settled = 0
        while settled < count and time.monotonic() - last_s < PATIENCE_S:
            moved = self._publish(meters)
            with self._moved:
                if not moved:
                    self._moved.wait(0.05)
                now_settled = sum(meter.settled for meter in meters)
            if now_settled > settled:
                settled, last_s = now_settled, time.monotonic()
        return Ingested(last_s - began_s, count, settled)

    def _publish(self, meters: Sequence[LoadMeter]) -> bool:
        """Publish what may go now; tell whether anything did."""
        moved = False
        for meter in meters:
            while meter.payloads and meter.sent - meter.settled < AHEAD_MAX:
                self._client.publish(meter.topic, meter.payloads.popleft(), qos=1)
                meter.sent += 1
                moved = True
        return moved

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe("bc/v1/receipt/+", qos=0)
        self._connected.set()

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        meter = self._meters.get(message.topic)
        if meter is None:
            return
        _, boot, seq, *_ = msgspec.msgpack.decode(message.payload)
        if boot == meter.boot:
            with self._moved:
                meter.settled = max(meter.settled, seq + 1)
                self._moved.notify()
