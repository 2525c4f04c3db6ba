"""A claim that the gateway builds is one that every validator takes; a bent one is not attested."""

import dataclasses
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from iot_minting.attestor.attest import SealedMilk, attest, recompute
from iot_minting.errors import Disagreement
from iot_minting.gateway.claims import build_claim, readings_root, show
from iot_minting.gateway.policy import WATCHES, CutRun, MintingPolicy
from ledger.params import DAY_MS
from ledger.primitives.merkle import merkle_root
from ledger.rules.measure import exact_volume
from ledger.state.tables import supply
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.milk import MintLot, RecordCollection, SealRun, tank_id
from ledger.types.reading import Unit
from tests.support.ledger.dairy import FLOW_MAX_L_PER_H, Dairy
from tests.support.minting.milk_line import START_MS, MilkLine
from tests.support.minting.minted import LITRE, apply, envelopes_of, mint, one_run


def test_the_ledger_mints_a_claim_to_the_unit_and_once():
    line = MilkLine()
    body = mint(line, one_run(line))
    overlay = line.dairy.state()
    before = supply(overlay).minted_units
    assert apply(line, overlay, body) == ""
    assert supply(overlay).minted_units - before == 30 * LITRE
    assert apply(line, overlay, body, 1) == "known_run"
    assert supply(overlay).minted_units - before == 30 * LITRE


def test_readings_that_were_used_do_not_mint_under_another_run():
    line = MilkLine()
    run = one_run(line)
    body = mint(line, run)
    overlay = line.dairy.state()
    assert apply(line, overlay, body) == ""
    other = replace(body.claim, run=bytes(32))
    (key,) = line.dairy.attestor_keys
    signature = key.sign(other.signing_bytes(line.dairy.chain_id))
    again = MintLot(other, (replace(body.attestations[0], signature=signature),))
    assert apply(line, overlay, again, 1) == "used_readings"


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9_000)), min_size=1, max_size=12),
    st.sampled_from([Unit.CENTIPOUND, Unit.GRAM, Unit.MILLIGRAM, Unit.MILLILITRE]),
)
def test_the_ledger_takes_the_floor_of_the_exact_sum_of_any_milkings(amounts, unit):
    line = MilkLine(dairy=Dairy(attestors=1), meter_unit=unit)
    density = line.rules.law.density_mg_per_l
    exact = sum((exact_volume(unit, a, density) for _, a in amounts), Fraction(0))
    by_farm = {farm: sum(a for f, a in amounts if f == farm) for farm, _ in amounts}
    if any(exact_volume(unit, total, density) < 1 for total in by_farm.values()):
        return
    run = one_run(line, amounts, floor(exact))
    overlay = line.dairy.state()
    before = supply(overlay).minted_units
    assert apply(line, overlay, mint(line, run)) == ""
    assert supply(overlay).minted_units - before == floor(exact)


def disagreement(line, claim, envelopes):
    with pytest.raises(Disagreement) as caught:
        recompute(claim, envelopes, line.rules.law, line.dairy.chain_id, FLOW_MAX_L_PER_H)
    return str(caught.value)


def test_the_attestor_refuses_a_claim_of_another_amount():
    line = MilkLine()
    run = one_run(line)
    claim = build_claim(run, line.rules)
    for units in (claim.units + 1, claim.units - 1):
        told = disagreement(line, replace(claim, units=units), envelopes_of(run))
        assert "are shown" in told


def test_the_attestor_refuses_milk_that_flowed_faster_than_its_line_may_carry():
    line = MilkLine()
    run = one_run(line)
    claim, envelopes = build_claim(run, line.rules), envelopes_of(run)
    # Thirty litres in three seconds, in envelopes that rest between their last and first sample.
    recompute(claim, envelopes, line.rules.law, line.dairy.chain_id, 44_000)
    with pytest.raises(Disagreement, match="faster than 36000 L/h"):
        recompute(claim, envelopes, line.rules.law, line.dairy.chain_id, 36_000)


def test_the_attestor_refuses_a_process_that_the_line_was_not_admitted_for():
    line = MilkLine()
    run = one_run(line)
    claim, envelopes = build_claim(run, line.rules), envelopes_of(run)
    with pytest.raises(Disagreement, match="flow limit 0 L/h is not continuous"):
        recompute(claim, envelopes, line.rules.law, line.dairy.chain_id, 0)
    batch = replace(claim, process=HeatProcess.BATCH)
    assert "is not batch" in disagreement(line, batch, envelopes)


def test_the_attestor_refuses_a_claim_without_a_flow():
    line = MilkLine()
    run = one_run(line)
    claim, flow = build_claim(run, line.rules), {piece.envelope for piece in run.flow}
    left = [envelope for envelope in envelopes_of(run) if envelope not in flow]
    seen = [piece for pieces in run.instruments for piece in pieces]
    dry = replace(
        claim,
        instruments=claim.instruments[1:],
        readings_root=merkle_root([each.digest() for each in left]),
        readings_count=len(left),
        started_ms=min(piece.reading.t0_ms for piece in seen),
        ended_ms=max(piece.last_ms for piece in seen),
    )
    assert disagreement(line, dry, left) == "no flow is shown"


@pytest.mark.parametrize("kind", WATCHES)
def test_the_attestor_refuses_a_run_that_an_instrument_did_not_see_whole(kind):
    line = MilkLine()
    run = one_run(line)
    short = tuple(pieces[:1] if pieces[0].kind is kind else pieces for pieces in run.instruments)
    seen = dataclasses.replace(run, instruments=short)
    assert "not watched" in disagreement(line, build_claim(seen, line.rules), envelopes_of(seen))


def test_a_flow_meter_is_shown_by_its_fastest_reading():
    line = MilkLine()
    line.milk(0, 30_000)
    for units, duration_ms in ((15 * LITRE, 2_000), (10 * LITRE, 500), (5 * LITRE, 500)):
        ticks = line.ticks(units, duration_ms)
        for tick in ticks:
            del tick.readings[Instrument.TANK_GAUGE]  # It would fill again between them.
        line.play(ticks, close=False)
    (run,) = [d for d in line.step(30_000) if isinstance(d, CutRun)]
    assert build_claim(run, line.rules).instruments[0].worst == run.flow[-2].envelope
    assert len(run.flow) == 6


def test_the_attestor_refuses_envelopes_that_are_missing_or_more():
    line = MilkLine()
    run = one_run(line)
    claim, envelopes = build_claim(run, line.rules), envelopes_of(run)
    assert "root" in disagreement(line, claim, envelopes[:-1])
    assert "root" in disagreement(line, claim, [*envelopes, envelopes[0]])


def test_the_attestor_refuses_an_envelope_that_its_device_did_not_sign():
    line = MilkLine()
    run = one_run(line)
    claim, envelopes = build_claim(run, line.rules), envelopes_of(run)
    envelopes[2] = replace(envelopes[2], signature=envelopes[3].signature)
    claim = replace(claim, readings_root=readings_root([e.digest() for e in envelopes]))
    assert "not signed" in disagreement(line, claim, envelopes)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Instrument.HOLD_THERMOMETER, 73_299),
        (Instrument.OUTLET_THERMOMETER, 4_001),
        (Instrument.DIVERSION_VALVE, 0),
    ],
)
def test_the_attestor_looks_at_every_sample_not_only_at_what_is_shown(kind, value):
    line = MilkLine()
    honest = line.rules

    class Blind(type(honest)):
        def allows(self, kind, value):
            return True

    blind = Blind(*(getattr(honest, name) for name in honest.__slots__))
    line.policy = MintingPolicy(blind, START_MS)
    line.milk(0, 30_000)
    ticks = line.ticks(30 * LITRE, 3_000)
    at, _ = ticks[2].readings[kind][3]
    ticks[2].readings[kind][3] = (at, value)
    line.play(ticks)
    (run,) = [d for d in line.step(30_000) if isinstance(d, CutRun)]
    claim = build_claim(run, honest)
    assert "as a run must have it" in disagreement(line, claim, envelopes_of(run))
    hidden = replace(
        claim,
        instruments=tuple(replace(each, worst=each.last) for each in claim.instruments),
    )
    assert "as a run must have it" in disagreement(line, hidden, envelopes_of(run))


def test_the_attestor_refuses_times_that_are_not_the_runs():
    line = MilkLine()
    run = one_run(line)
    claim, envelopes = build_claim(run, line.rules), envelopes_of(run)
    for change in ({"ended_ms": claim.ended_ms + 1}, {"started_ms": claim.started_ms - 1}):
        assert "the run was from" in disagreement(line, replace(claim, **change), envelopes)
    soon = replace(claim, expires_ms=claim.ended_ms + 5 * DAY_MS - 1)
    assert "expires" in disagreement(line, soon, envelopes)
    late = replace(claim, expires_ms=claim.ended_ms + 10 * DAY_MS + 1)
    assert "expires" in disagreement(line, late, envelopes)


def sealed_run(line, units=30 * LITRE):
    """A run whose milk went through a tank: its claim, its envelopes, and what was collected."""
    run = one_run(line)
    mmu = run.flow[0].operator
    collected = [
        (
            RecordCollection(
                mmu, run.plant, "t", part[0].operator, floor(line.rules.volume(part)), show(part)
            ),
            [piece.envelope for piece in part],
        )
        for part in run.collections
    ]
    pieces = [piece for part in (run.flow, *run.instruments) for piece in part]
    claim = replace(
        build_claim(run, line.rules),
        units=units,
        collections=(),
        readings_root=readings_root([piece.digest for piece in pieces]),
        readings_count=len(pieces),
    )
    return claim, [piece.envelope for piece in pieces], SealedMilk(units, collected)


def test_milk_that_went_through_a_tank_is_attested_and_minted():
    line = MilkLine()
    claim, envelopes, sealed = sealed_run(line)
    (key,) = line.dairy.attestor_keys
    law, chain_id = line.rules.law, line.dairy.chain_id
    given = attest(claim, envelopes, law, chain_id, FLOW_MAX_L_PER_H, key, sealed)
    overlay, bodies = line.dairy.state(), [body for body, _ in sealed.collections]
    tank = tank_id(bodies[0].mmu, claim.plant, "t")
    bodies += [SealRun(claim.run, tank, sealed.units), MintLot(claim, (given,))]
    codes = [apply(line, overlay, body, nonce) for nonce, body in enumerate(bodies)]
    assert codes == [""] * 4


def test_the_attestor_looks_at_all_that_was_collected_for_a_sealed_run():
    line = MilkLine()
    claim, envelopes, sealed = sealed_run(line)
    law, chain_id = line.rules.law, line.dairy.chain_id

    def told(sealed, claim=claim):
        with pytest.raises(Disagreement) as caught:
            recompute(claim, envelopes, law, chain_id, FLOW_MAX_L_PER_H, sealed)
        return str(caught.value)

    (body, shown), *others = sealed.collections
    assert "where the milk came from" in told(None)
    assert "are shown" in told(SealedMilk(sealed.units, others))
    more = (replace(body, units=body.units + 1), shown)
    assert "are shown" in told(SealedMilk(sealed.units, [more, *others]))
    assert "not all there" in told(SealedMilk(sealed.units, [(body, shown[1:]), *others]))
    assert "belong to no range" in told(
        SealedMilk(sealed.units, [(body, [*shown, *others[0][1]]), *others])
    )
    less = SealedMilk(sealed.units - 1, sealed.collections)
    assert "are claimed" in told(less)
    recompute(replace(claim, units=less.units), envelopes, law, chain_id, FLOW_MAX_L_PER_H, less)
