"""Showing: a lot's readings as an attestor serves them, held against what the chain says of it.

Whoever doubts a lot, or eats of it, needs no attestor's word: the chain has the root over all
readings and how far each device's go, every reading bears its device's signature, and what speaks
against an interval is in the readings themselves. Nothing that is fetched here is believed.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from iot_minting.errors import MintFault
from iot_minting.wire.windows import ENVELOPES_MAX
from ledger.primitives.codec import decode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, verify
from ledger.primitives.merkle import merkle_root
from ledger.state.proven import Proven
from ledger.types.reading import ENVELOPE_BYTES_MAX, Envelope, Reading, reading_bytes
from node.client.errors import ClientFault, Rejected
from node.client.http import NodeClient
from node.client.line_views import ProvenView

EVIDENCE_BYTES_MAX: Final = ENVELOPES_MAX * ENVELOPE_BYTES_MAX // 4
"""The most that is read of what an attestor sends: windows are a quarter of it at most."""
PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class DeviceReadings:
    """What one device said within a window: how many envelopes and samples, and their extremes.

    `least` and `most` are the values of its samples within counted intervals, None without any.
    """

    device: PublicKey
    stream: str
    unit: str
    envelopes: int
    samples: int
    first_ms: int
    last_ms: int
    least: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class LotEvidence:
    """A lot's proof on the chain, and all its readings, which make the proof's root."""

    view: ProvenView
    proven: Proven
    envelopes: tuple[Envelope, ...]

    def devices(self) -> Iterator[DeviceReadings]:
        """Tell what each device said, in the order of the root."""
        by_device: defaultdict[bytes, list[Reading]] = defaultdict(list)
        for envelope in self.envelopes:
            reading = envelope.reading()
            by_device[reading.device].append(reading)
        for device, readings in by_device.items():
            samples = [
                (reading.t0_ms + offset, value)
                for reading in readings
                for offset, value in reading.samples
            ]
            inside = [value for at, value in samples if self._counts(at)]
            yield DeviceReadings(
                PublicKey(device),
                readings[0].stream,
                readings[0].unit,
                len(readings),
                len(samples),
                samples[0][0],
                samples[-1][0],
                min(inside, default=None),
                max(inside, default=None),
            )

    def _counts(self, at_ms: int) -> bool:
        return any(each.from_ms <= at_ms <= each.to_ms for each in self.proven.intervals)


async def fetch_evidence(node: str, attestor: str, lot: Hash) -> LotEvidence:
    """Fetch a lot's readings from an attestor; raise `MintFault` unless they are what was proven.

    - `node`: a node's HTTP address, which is believed as far as its user believes it.
    - `attestor`: an attestor's HTTP address; any that signed the window keeps its readings.
    - `lot`: the lot's id.
    """
    try:
        async with NodeClient(node) as client:
            view, chain_id = await client.proven(lot), (await client.status()).chain_id
    except Rejected as fault:
        raise MintFault(f"no window proved lot {lot.hex()}: {fault}") from fault
    except ClientFault as fault:
        raise MintFault(f"the node does not answer: {fault}") from fault
    proven = decode(view.record, Proven, len(view.record))
    envelopes = await _fetch(attestor, Hash(proven.readings_root))
    check_evidence(proven, envelopes, chain_id)
    return LotEvidence(view, proven, envelopes)


async def _fetch(attestor: str, root: Hash) -> tuple[Envelope, ...]:
    url = f"{attestor.rstrip('/')}/v1/evidence/{root.hex()}"
    raw = bytearray()
    try:
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http,
            http.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise MintFault(
                    f"{attestor} has no readings under {root.hex()} (status"
                    f" {response.status_code}): ask another of the lot's attestors"
                )
            async for part in response.aiter_bytes():
                raw += part
                if len(raw) > EVIDENCE_BYTES_MAX:
                    raise MintFault(f"{attestor} sends more than {EVIDENCE_BYTES_MAX} bytes")
        return decode(bytes(raw), tuple[Envelope, ...], EVIDENCE_BYTES_MAX)
    except httpx.HTTPError as error:
        raise MintFault(f"{attestor} does not answer: {error!r}") from error
    except CodecFault as fault:
        raise MintFault(f"{attestor} sends what are no envelopes: {fault}") from fault


def check_evidence(proven: Proven, envelopes: Sequence[Envelope], chain_id: Hash) -> None:
    """Raise `MintFault` unless envelopes make a proof's root, each signed by its device."""
    root = merkle_root([envelope.digest() for envelope in envelopes])
    if len(envelopes) != proven.readings_count or root != proven.readings_root:
        raise MintFault(
            f"{len(envelopes)} envelopes with root {root.hex()} are not the"
            f" {proven.readings_count} that were proven: ask another attestor"
        )
    for index, envelope in enumerate(envelopes):
        try:
            reading = envelope.reading()
        except CodecFault as fault:
            raise MintFault(f"envelope {index} can't be read: {fault}") from fault
        if not verify(reading.device, reading_bytes(chain_id, envelope.body), envelope.signature):
            raise MintFault(f"envelope {index} is not signed by device {reading.device.hex()}")
