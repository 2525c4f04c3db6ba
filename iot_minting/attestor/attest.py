"""The attestor: recomputes a run from its raw envelopes and signs only what it finds itself.

Pure, and written apart from `policy` and `claims` on purpose: it starts from the signed bytes,
looks at every sample of every envelope, and shares with the claimant only the ledger's own law.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import floor

from iot_minting.errors import Disagreement
from ledger.params import BATCH_HOLD_MS, DAY_MS, HOUR_MS, WATCH_GAP_MS, Parameters
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import SigningKey, verify
from ledger.primitives.merkle import merkle_root
from ledger.rules.heat import stands_behind_vat
from ledger.rules.measure import exact_volume
from ledger.types.evidence import DeviceEvidence, HeatProcess, RunClaim
from ledger.types.milk import Attestation, RecordCollection
from ledger.types.reading import Envelope, Reading, Stream, Unit, reading_bytes


@dataclass(frozen=True, slots=True)
class SealedMilk:
    """What the chain sealed for a run, and all envelopes of the collections that it came from."""

    units: int
    collections: Sequence[tuple[RecordCollection, Sequence[Envelope]]]


def attest(
    claim: RunClaim,
    envelopes: Sequence[Envelope],
    law: Parameters,
    chain_id: Hash,
    flow_max_l_per_h: int,
    key: SigningKey,
    sealed: SealedMilk | None = None,
) -> Attestation:
    """Recompute the run and sign its claim; raise `Disagreement` if it comes out otherwise.

    - `claim`: what is to be minted, as its MMU will submit it.
    - `envelopes`: all that the run's devices signed: of each collection, of the flow, of each
      instrument, in the order of the claim's Merkle root.
    - `law`, `chain_id`: the chain's parameters now, and which chain the readings are for.
    - `flow_max_l_per_h`: what the registry says that the line may carry; 0 behind a vat.
    - `key`: the attestor's own.
    - `sealed`: for a claim without collections, what the chain sealed for the run.

    A fault's text says what came out; keep the run for people, since to ask again changes nothing:

        try:
            given = attest(claim, envelopes, genesis.parameters, genesis.chain_id, 12_000, key)
        except Disagreement as fault:
            log.error("run held", why=str(fault))
    """
    recompute(claim, envelopes, law, chain_id, flow_max_l_per_h, sealed)
    return Attestation(key.public, key.sign(claim.signing_bytes(chain_id)))


def recompute(
    claim: RunClaim,
    envelopes: Sequence[Envelope],
    law: Parameters,
    chain_id: Hash,
    flow_max_l_per_h: int,
    sealed: SealedMilk | None = None,
) -> None:
    """Raise `Disagreement` unless all envelopes together say what the claim says."""
    digests = [envelope.digest() for envelope in envelopes]
    if len(digests) != claim.readings_count or merkle_root(digests) != claim.readings_root:
        raise Disagreement(f"{len(digests)} envelopes do not make the claimed root")
    if (claim.process is HeatProcess.BATCH) != stands_behind_vat(flow_max_l_per_h):
        raise Disagreement(
            f"a line with the flow limit {flow_max_l_per_h} L/h is not {claim.process}"
        )
    readings = [_read(envelope, chain_id) for envelope in envelopes]
    ranges = _Ranges(list(zip(readings, envelopes, strict=True)))
    brought = [_total(ranges.take(collection.meter), law) for collection in claim.collections]
    limits = [sum(brought, Fraction(0)) if brought else _sealed_units(sealed, law, chain_id)]
    line = [ranges.take(evidence) for evidence in claim.instruments]
    for instrument in line:
        limits += _check_instrument(instrument, claim, law)
    ranges.check_empty()
    _check_times(claim, line, law)
    _check_flow(claim, line, law, flow_max_l_per_h)
    if claim.units != floor(min(limits)):
        raise Disagreement(f"{claim.units} units are claimed, {floor(min(limits))} are shown")


def recompute_collection(
    body: RecordCollection, envelopes: Sequence[Envelope], law: Parameters, chain_id: Hash
) -> None:
    """Raise `Disagreement` unless a meter's envelopes together count what was collected."""
    ranges = _Ranges([(_read(envelope, chain_id), envelope) for envelope in envelopes])
    counted = floor(_total(ranges.take(body.meter), law))
    ranges.check_empty()
    if body.units > counted:
        raise Disagreement(f"{body.units} units are collected, {counted} are shown")


def _sealed_units(sealed: SealedMilk | None, law: Parameters, chain_id: Hash) -> Fraction:
    """Give what was sealed, once all collections behind it have been recomputed."""
    if sealed is None:
        raise Disagreement("nothing is shown of where the milk came from")
    for body, envelopes in sealed.collections:
        recompute_collection(body, envelopes, law, chain_id)
    collected = sum(body.units for body, _ in sealed.collections)
    if sealed.units > collected:
        raise Disagreement(f"{sealed.units} units are sealed, {collected} are shown")
    return Fraction(sealed.units)


def _check_times(claim: RunClaim, line: Sequence[list[Reading]], law: Parameters) -> None:
    """Check that the run was when its instruments saw it, and its milk keeps as long as it may."""
    seen = [reading for readings in line for reading in readings]
    started_ms, ended_ms = min(r.t0_ms for r in seen), max(r.last_ms for r in seen)
    if (claim.started_ms, claim.ended_ms) != (started_ms, ended_ms):
        raise Disagreement(f"the run was from {started_ms} to {ended_ms} ms")
    shelf_ms = law.shelf_days[claim.kind] * DAY_MS
    if not shelf_ms // 2 <= claim.expires_ms - ended_ms <= shelf_ms:
        raise Disagreement(f"it expires {claim.expires_ms - ended_ms} ms after the run")


def _read(envelope: Envelope, chain_id: Hash) -> Reading:
    try:
        reading = envelope.reading()
    except CodecFault as fault:
        raise Disagreement(f"an envelope does not decode: {fault}") from fault
    message = reading_bytes(chain_id, envelope.body)
    if not verify(reading.device, message, envelope.signature):
        raise Disagreement(f"envelope {reading.seq} is not signed by {reading.device.hex()}")
    if reading.tamper:
        raise Disagreement(f"device {reading.device.hex()} reports tampering at {reading.seq}")
    return reading


class _Ranges:
    """The envelopes in their order, taken range by range."""

    def __init__(self, pairs: list[tuple[Reading, Envelope]]) -> None:
        self._pairs = pairs

    def take(self, evidence: DeviceEvidence) -> list[Reading]:
        """Take the next range off; raise unless it is the shown one, linked from end to end."""
        count = evidence.last_seq - evidence.first_seq + 1
        taken, self._pairs = self._pairs[:count], self._pairs[count:]
        numbers = [(r.device, r.boot, r.seq) for r, _ in taken]
        wanted = range(evidence.first_seq, evidence.last_seq + 1)
        if numbers != [(evidence.device, evidence.boot, seq) for seq in wanted]:
            raise Disagreement(f"the range of device {evidence.device.hex()} is not all there")
        for (_, before), (after, _) in pairwise(taken):
            if after.previous != before.digest():
                raise Disagreement(f"envelope {after.seq} does not follow the one before it")
        shown = {envelope for _, envelope in taken}
        if taken[0][1] != evidence.first or taken[-1][1] != evidence.last:
            raise Disagreement(f"device {evidence.device.hex()} is shown by other endpoints")
        if evidence.worst not in shown:
            raise Disagreement(f"device {evidence.device.hex()} is shown by a foreign envelope")
        return [reading for reading, _ in taken]

    def check_empty(self) -> None:
        """Raise if envelopes are left that no range claims."""
        if self._pairs:
            raise Disagreement(f"{len(self._pairs)} envelopes belong to no range")


def _total(readings: list[Reading], law: Parameters) -> Fraction:
    values = [value for reading in readings for _, value in reading.samples]
    if values != sorted(values):
        raise Disagreement(f"the total of device {readings[0].device.hex()} falls")
    return _volume(readings, values[-1] - values[0], law)


def _volume(readings: list[Reading], difference: int, law: Parameters) -> Fraction:
    unit = readings[0].unit
    if any(reading.unit != unit for reading in readings):
        raise Disagreement(f"device {readings[0].device.hex()} changes its unit")
    return exact_volume(Unit(unit), difference, law.density_mg_per_l)


def _check_instrument(readings: list[Reading], claim: RunClaim, law: Parameters) -> list[Fraction]:
    """Check one instrument's every sample; give the volume that it allows, if it counts one."""
    values = [value for reading in readings for _, value in reading.samples]
    match readings[0].stream:
        case Stream.VOLUME_TOTAL | Stream.MASS_TOTAL:
            return [_total(readings, law)]
        case Stream.TANK_VOLUME:
            return [_volume(readings, values[0] - values[-1], law)]
        case Stream.HOLD_TEMPERATURE:
            wrong = min(values) < law.hold_mdegc(claim.kind, claim.process)
            if claim.process is HeatProcess.BATCH:
                wrong = wrong or max(values) > law.vat_most_mdegc
        case Stream.OUTLET_TEMPERATURE:
            wrong = max(values) > law.cooling_mdegc
        case Stream.VALVE_FORWARD:
            wrong = set(values) != {1}
        case other:
            raise Disagreement(f"{other} says nothing of a run")
    if wrong:
        raise Disagreement(f"{readings[0].stream} was not as a run must have it")
    return []


def _times(readings: Sequence[Reading]) -> list[int]:
    return [reading.t0_ms + offset for reading in readings for offset, _ in reading.samples]


def _check_flow(
    claim: RunClaim, line: Sequence[list[Reading]], law: Parameters, flow_max_l_per_h: int
) -> None:
    """Check that milk was held long enough, and that nothing looked away while it flowed."""
    totals = (Stream.VOLUME_TOTAL, Stream.MASS_TOTAL)
    flow = [reading for readings in line for reading in readings if reading.stream in totals]
    if not flow:
        raise Disagreement("no flow is shown")
    begin_ms, end_ms = min(_times(flow)), max(_times(flow))
    watches = [Stream.OUTLET_TEMPERATURE, Stream.VALVE_FORWARD]
    if claim.process is HeatProcess.BATCH:
        for readings in line:
            if readings[0].stream == Stream.HOLD_TEMPERATURE:
                _check_vat(readings, begin_ms)
    else:
        watches.append(Stream.HOLD_TEMPERATURE)
        for reading in flow:
            _check_rate(reading, law, flow_max_l_per_h)
    for stream in watches:
        watching = [r for readings in line for r in readings if r.stream == stream]
        if _longest_silence(watching, begin_ms, end_ms) > WATCH_GAP_MS:
            raise Disagreement(f"{stream} was not watched while the milk flowed")


def _longest_silence(readings: Sequence[Reading], begin_ms: int, end_ms: int) -> int:
    inside = sorted(at for at in _times(readings) if begin_ms <= at <= end_ms)
    return max(b - a for a, b in pairwise([begin_ms, *inside, end_ms]))


def _check_vat(readings: list[Reading], drains_ms: int) -> None:
    until_ms = readings[0].t0_ms + BATCH_HOLD_MS
    if until_ms > drains_ms:
        raise Disagreement(f"the vat drained {until_ms - drains_ms} ms too early")
    if _longest_silence(readings, readings[0].t0_ms, until_ms) > WATCH_GAP_MS:
        raise Disagreement("the vat was not watched while it was held")


def _check_rate(reading: Reading, law: Parameters, flow_max_l_per_h: int) -> None:
    (since_ms, first), (until_ms, last) = reading.samples[0], reading.samples[-1]
    units = exact_volume(Unit(reading.unit), last - first, law.density_mg_per_l)
    if units * HOUR_MS > flow_max_l_per_h * UNITS_PER_BILL * (until_ms - since_ms):
        raise Disagreement(f"envelope {reading.seq}: faster than {flow_max_l_per_h} L/h")
