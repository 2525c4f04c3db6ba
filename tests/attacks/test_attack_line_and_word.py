"""Lines, attestors and stakes: whose probe, whose word, and what it costs to lie."""

import pytest
from msgspec.structs import replace

from ledger.evidence import evidence_root
from ledger.params import DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.keys import verify
from ledger.rules import body_claims
from ledger.state.lines import FOR_EVER_MS
from ledger.state.records import Role
from ledger.state.tables import DEVICES, MMUS, PROVEN, grant_role
from ledger.types.doubt import AskEvidence, ShowEvidence, VoidUnanswered
from ledger.types.line import AmendLine, ReportTamper
from ledger.types.milk import ChallengeLot, ReleaseBond
from ledger.types.window import MintWindow, ReleaseShare, WindowAttestation
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.cheating import FLOW, GAUGE, HOLD, Cheat, good_samples, showing
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.ledger.town import PURSES, parameters
from tests.support.ledger.window import PLACES, START_MS


def good_town(kinds=PLACES, **parts):
    town = Cheat(kinds, **parts)
    town.run(120)
    return town


# Lines.


def test_a_probe_of_another_line_is_no_witness():
    town = good_town()
    claim, hold = town.claim(), town.line.of(HOLD)
    other = DeviceRig(key("elsewhere"), HOLD, chain_id=town.dairy.chain_id, start_ms=START_MS)
    other.measure(good_samples(HOLD, 0, 120))
    shown = next(each for each in claim.devices if each.device == hold.public)
    foreign = replace(
        shown, device=other.public, last=other.envelopes[9], end=other.envelopes[10], worst=None
    )
    devices = tuple(
        sorted((*(d for d in claim.devices if d is not shown), foreign), key=lambda d: d.device)
    )
    assert town.mint(replace(claim, devices=devices)) == "wrong_devices"
    under = showing(claim, hold.public, worst=other.envelopes[5])
    assert town.judged(under) == "claim_differs"
    with pytest.raises(AssertionError):  # Its signature is not the line's probe's.
        town.mint(under)


@pytest.mark.parametrize("kind", [*PLACES, GAUGE])
def test_no_instrument_of_the_line_is_left_out(kind):
    town = good_town((*PLACES, GAUGE))
    claim, device = town.claim(), town.line.of(kind)
    fewer = tuple(each for each in claim.devices if each.device != device.public)
    assert town.mint(replace(claim, devices=fewer)) == "wrong_devices"
    assert town.judged(replace(claim, devices=fewer)) == "claim_differs"


def test_tampering_is_told_before_anything_is_claimed_and_stops_the_device():
    town = Cheat()
    hold = town.line.of(HOLD)
    town.good(*(each for each in town.line.devices if each is not hold), begin=0, end=120)
    hold.measure(good_samples(HOLD, 0, 59))
    opened = hold.sign([(60_000, 75_000)], tamper=True)
    hold.measure(good_samples(HOLD, 61, 120))
    with pytest.raises(Exception, match="tamper"):
        town.claim()
    assert town.do("bob", ReportTamper(opened)) == ""
    claim = town.signed(town.claim())
    assert claim.counted_steps == 58_000
    assert all(each.to_ms <= START_MS + 59_000 for each in claim.intervals)
    assert town.mint(claim) == ""
    assert DEVICES.get(town.state, hold.public).stopped_ms < FOR_EVER_MS
    # Bounded only by trust in nobody: any word of it refutes what would be counted after.
    assert PROVEN.get(town.state, claim.lot_id()).intervals[-1].to_ms < opened.reading().last_ms


def test_only_a_watcher_of_several_leaves_by_the_plants_own_word():
    town = good_town((*PLACES, HOLD))
    one, other = sorted(each.public for each in town.line.devices if each.instrument is HOLD)
    assert town.do("mmu", AmendLine(town.line.line_id, (), (one,))) == ""
    assert town.do("mmu", AmendLine(town.line.line_id, (), (other,))) == "wrong_places"
    # It is judged for its time all the same.
    claim = town.claim()
    assert one in {each.device for each in claim.devices}
    assert town.mint(town.signed(claim)) == ""


def test_a_flow_meter_that_changes_its_unit_counts_nothing_from_there():
    town = Cheat()
    flow = town.line.of(FLOW)
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=120)
    flow.measure(good_samples(FLOW, 0, 60))
    for begin in range(61, 121, 10):
        samples = good_samples(FLOW, begin, begin + 9)
        town.odd(flow, [(START, v * 1_000) for START, v in samples], unit="uL")
    town.time_ms = START_MS + 120_000
    claim = town.claim(60)
    assert town.signed(claim).counted_steps == 60_000
    assert town.mint(claim) == ""


# Attestors.


def test_an_attestation_of_another_claim_is_no_signature():
    town = good_town()
    claim = town.claim()
    body = town.line.mint(town.state, claim)
    more = MintWindow(replace(claim, units=Units(claim.units - 1)), body.attestations)
    good = [verify(*each) for each in body_claims(body, town.line.mmu, town.dairy.chain_id)]
    bad = [verify(*each) for each in body_claims(more, town.line.mmu, town.dairy.chain_id)]
    assert all(good)
    assert bad.count(False) == len(body.attestations)


def test_a_copied_word_is_none_and_a_copied_root_is_seen_by_who_has_the_readings():
    """Bounded: the chain can't see that a root is another's; whoever has the readings can."""
    town = good_town()
    claim = town.claim()
    body = town.line.mint(town.state, claim)
    one, other = body.attestations[:2]
    lazy = next(k for k in town.dairy.attestor_keys if k.public == other.attestor)
    copied = replace(one, attestor=other.attestor)
    stolen = replace(body, attestations=(one, copied, *body.attestations[2:]))
    claims = body_claims(stolen, town.line.mmu, town.dairy.chain_id)
    assert not all(verify(*each) for each in claims)
    signed = lazy.sign(claim.signing_bytes(town.dairy.chain_id, one.evidence_root))
    blind = WindowAttestation(other.attestor, one.evidence_root, signed)
    envelopes = [
        each for part in claim.devices for each in town.line.bundle(town.state)[part.device]
    ]
    assert blind.evidence_root != evidence_root(other.attestor, envelopes)
    assert blind.evidence_root != other.evidence_root


def test_fewer_than_a_quorum_or_one_twice_or_a_stranger_are_none():
    town = good_town()
    claim = town.claim()
    body = town.line.mint(town.state, claim)
    one = body.attestations[0]
    assert town.mint(claim, signers=2) == "no_quorum"
    assert town.do("mmu", replace(body, attestations=(one, one, one))) != ""
    stranger = key("stranger")
    word = stranger.sign(claim.signing_bytes(town.dairy.chain_id, one.evidence_root))
    foreign = WindowAttestation(stranger.public, one.evidence_root, word)
    given = tuple(sorted((*body.attestations[:2], foreign), key=lambda each: each.attestor))
    assert town.do("mmu", replace(body, attestations=given)) != ""
    assert town.minted_units() == 0


# Stakes.


def staked(bond_units):
    rules = parameters(challenge_window_ms=14 * DAY_MS, mmu_bond_least_units=bill(1))
    dairy = Dairy(parameters=rules, balances=PURSES, bond=bond_units)
    return Cheat(litres=(1_000, 1_000, 1_000), dairy=dairy)


def test_stake_is_in_proportion_to_what_is_minted_in_the_window():
    """A twentieth of fourteen days' litres: a bond of 5 L lets 100 L be minted, and no more."""
    town = staked(bill(5))
    town.run(90)
    assert town.mint(town.signed(town.claim())) == ""
    town.run(90, begin=91)
    assert town.mint(town.signed(town.claim())) == "low_bond"


def test_neither_bond_nor_share_leaves_while_the_lot_may_be_refuted():
    town = staked(bill(50))
    town.run(120)
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    lot, mmu = claim.lot_id(), town.line.mmu
    held = MMUS.get(town.state, mmu).bond_units
    assert town.do("regulator", ReleaseBond(mmu, held)) == "bound_bond"
    assert town.do("mmu", ReleaseShare(lot)) == "share_locked"
    open_until_ms = PROVEN.get(town.state, lot).contestable_until_ms
    town.time_ms = open_until_ms
    assert town.do("alice", ChallengeLot(lot, bill(10), bytes(32))) == ""
    town.time_ms = open_until_ms + DAY_MS
    assert town.do("mmu", ReleaseShare(lot)) == "share_locked"


# Doubts as a weapon.


def test_a_question_costs_its_deposit_and_an_answer_closes_it():
    town = good_town()
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    hold, lot, alice = town.line.of(HOLD), claim.lot_id(), town.units("alice")
    for seq in range(5):
        assert town.do("alice", AskEvidence(lot, hold.public, 0, seq, bill(10))) == ""
    for seq in range(5):
        shown = ShowEvidence(lot, hold.public, 0, seq, (hold.envelopes[seq],))
        assert town.do("carol", shown) == ""
        assert town.do("alice", VoidUnanswered(lot, hold.public, 0, seq)) == "unknown_question"
    assert town.units("alice") < alice - bill(50)
    assert not any(each.void for each in PROVEN.get(town.state, lot).intervals)


@pytest.mark.parametrize(("boot", "seq"), [(0, 10**6), (7, 0), (2**32 - 1, 2**53)])
def test_nobody_asks_for_what_no_window_claimed(boot, seq):
    town = good_town()
    claim = town.claim()
    assert town.mint(claim) == ""
    body = AskEvidence(claim.lot_id(), town.line.of(HOLD).public, boot, seq, bill(10))
    assert town.do("alice", body) == "unclaimed_reading"


def test_numbers_that_a_restart_left_out_are_answered_by_the_link():
    town = Cheat()
    for device in town.line.devices:
        device.measure(good_samples(device.instrument, 0, 60))
        device.boot, device.seq = 5, 0
        device.measure(good_samples(device.instrument, 61, 120))
    town.time_ms = START_MS + 120_000
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    hold, lot = town.line.of(HOLD), claim.lot_id()
    asked = AskEvidence(lot, hold.public, 3, 9, bill(10))
    assert town.do("alice", asked) == ""
    first = next(n for n, each in enumerate(hold.envelopes) if each.reading().boot == 5)
    link = tuple(hold.envelopes[first - 1 : first + 1])
    assert town.do("carol", ShowEvidence(lot, hold.public, 3, 9, link)) == ""


def test_an_outsider_signs_no_envelope_of_a_device():
    town = good_town()
    hold, stranger = town.line.of(HOLD), key("stranger")
    forged = replace(hold.envelopes[5], signature=stranger.sign(b"anything"))
    with pytest.raises(AssertionError):
        town.do("bob", ReportTamper(forged))
    grant_role(town.state, Role.MMU, town.address("bob"))
    assert town.mint(town.claim(), who="bob") == "foreign_line"
