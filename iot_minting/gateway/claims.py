"""From a run to the claim that is signed, submitted and re-checked by every validator.

Pure: the same run gives the same claim, bytes for bytes, so a restart can't mint it twice: the
run's id names the flow meter's range, and a chain takes each run and each range once.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import floor

from iot_minting.gateway.policy import CutRules, CutRun
from iot_minting.gateway.types import Stored
from ledger.params import DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.merkle import merkle_root
from ledger.types.evidence import Collection, DeviceEvidence, HeatProcess, Instrument, RunClaim


def build_claim(run: CutRun, rules: CutRules) -> RunClaim:
    """Claim floor(min(flow, milk, tank drop)) units; the run is one that may be minted."""
    assert run.collections, "a run without milk is held, not claimed"
    brought = [rules.volume(pieces) for pieces in run.collections]
    pieces = list(run.pieces())
    instruments = (run.flow, *run.instruments)
    started_ms = min(p.reading.t0_ms for part in instruments for p in part)
    ended_ms = max(p.last_ms for part in instruments for p in part)
    limits = [rules.volume(run.flow), sum(brought, Fraction(0))]
    limits += [
        -rules.volume(part) for part in run.instruments if part[0].kind is Instrument.TANK_GAUGE
    ]
    return RunClaim(
        run=run_id(run),
        plant=run.plant,
        line=run.line,
        kind=run.milk_kind,
        process=HeatProcess.CONTINUOUS,
        units=Units(floor(min(limits))),
        started_ms=started_ms,
        ended_ms=ended_ms,
        expires_ms=ended_ms + rules.law.shelf_days[run.milk_kind] * DAY_MS,
        collections=tuple(
            Collection(part[0].operator, Units(floor(volume)), show(part))
            for part, volume in zip(run.collections, brought, strict=True)
        ),
        instruments=tuple(show(part) for part in instruments),
        readings_root=readings_root([p.digest for p in pieces]),
        readings_count=len(pieces),
    )


def run_id(run: CutRun) -> Hash:
    """Name a run by what can be in one run only: the range of its flow meter."""
    first, last = run.flow[0], run.flow[-1]
    name = [run.plant, run.line, first.device, first.boot, first.seq, last.seq]
    return digest(Domain.RUN, encode(name))


def readings_root(digests: Sequence[Hash]) -> Hash:
    """Commit to every envelope of a run by its digest, in the run's order."""
    return merkle_root(digests)


def show(pieces: Sequence[Stored]) -> DeviceEvidence:
    """Show an unbroken range by its first, last and worst envelope."""
    first, last = pieces[0], pieces[-1]
    worst = max(pieces, key=_WORST[first.kind]) if first.kind in _WORST else last
    return DeviceEvidence(
        device=first.device,
        boot=first.boot,
        first_seq=first.seq,
        last_seq=last.seq,
        first=first.envelope,
        last=last.envelope,
        worst=worst.envelope,
    )


def _coldest(piece: Stored) -> int:
    return -min(value for _, value in piece.reading.samples)


def _fastest(piece: Stored) -> Fraction:
    span_ms = piece.last_ms - piece.first_ms
    return Fraction(piece.last_value - piece.first_value, max(1, span_ms))


def _warmest(piece: Stored) -> int:
    return max(value for _, value in piece.reading.samples)


_WORST: dict[Instrument, Callable[[Stored], int | Fraction]] = {
    Instrument.FLOW_METER: _fastest,
    Instrument.HOLD_THERMOMETER: _coldest,
    Instrument.OUTLET_THERMOMETER: _warmest,
    Instrument.DIVERSION_VALVE: _coldest,
}
"""How bad an envelope is for the claim; what only counts shows its last."""
