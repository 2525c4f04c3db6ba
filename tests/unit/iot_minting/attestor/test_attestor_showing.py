"""What is fetched of a lot is believed only as far as it makes the proof that the chain has."""

from random import Random

import pytest
from msgspec.structs import replace

from iot_minting.attestor.showing import LotEvidence, check_evidence
from iot_minting.errors import MintFault
from ledger.evidence import claimed_envelopes
from ledger.primitives.amounts import Units
from ledger.primitives.merkle import merkle_root
from ledger.state.proven import Proven, ProvenInterval
from ledger.types.evidence import Instrument
from tests.support.encoding.values import value_of
from tests.support.evidence.rig import CHAIN, START_MS, LineRig
from tests.support.minting.windows import make_window


@pytest.fixture(scope="module")
def lot():
    rig = LineRig()
    claim, bundle = (window := make_window(rig)).claim, window.bundle
    envelopes = claimed_envelopes(claim, bundle)
    intervals = tuple(
        ProvenInterval(each.from_ms, each.to_ms, each.steps, Units(each.steps))
        for each in claim.intervals
    )
    proven = replace(
        value_of(Proven, Random(1)),
        intervals=intervals,
        readings_root=claim.readings_root,
        readings_count=claim.readings_count,
    )
    return rig, proven, tuple(envelopes)


def test_all_readings_of_a_lot_make_its_root(lot):
    rig, proven, envelopes = lot
    check_evidence(proven, envelopes, CHAIN)
    told = {each.device: each for each in LotEvidence(None, proven, envelopes).devices()}
    assert set(told) == {device.public for device in rig.devices}
    hold = told[rig.of(Instrument.HOLD_THERMOMETER).public]
    assert (hold.stream, hold.unit, hold.least, hold.most) == (
        "hold_temperature", "mdegC", 74_500, 74_500,
    )  # fmt: skip
    assert hold.first_ms == START_MS


def test_what_is_left_out_or_altered_is_told(lot):
    _, proven, envelopes = lot
    with pytest.raises(MintFault, match="are not the"):
        check_evidence(proven, envelopes[:-1], CHAIN)
    with pytest.raises(MintFault, match="are not the"):
        check_evidence(proven, (envelopes[1], envelopes[0], *envelopes[2:]), CHAIN)
    forged = (replace(envelopes[0], signature=bytes(64)), *envelopes[1:])
    root = merkle_root([envelope.digest() for envelope in forged])
    with pytest.raises(MintFault, match="envelope 0 is not signed"):
        check_evidence(replace(proven, readings_root=root), forged, CHAIN)
    with pytest.raises(MintFault, match="is not signed"):
        check_evidence(proven, envelopes, bytes(32))
