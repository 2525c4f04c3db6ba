"""Letters to the chain: each final once, in order, whatever a node says or forgets."""

import asyncio
from dataclasses import replace

import pytest

from iot_minting.gateway.letters import Draft, Letters, LetterState, What
from iot_minting.gateway.posting import WAVE_MAX, Post, read_body
from ledger.primitives.codec import encode
from ledger.state.tables import account
from ledger.types.evidence import Instrument
from ledger.types.line import ReportTamper
from ledger.types.transaction import decode_transaction
from node.client.errors import NodeUnavailable
from node.client.views import Submission
from tests.support.evidence.rig import DeviceRig
from tests.support.ledger.dairy import NOW_MS, Dairy, address_of
from tests.support.minting.ledger_chain import LedgerChain


class Desk:
    """A post over letters on disk, onto a ledger in this process."""

    def __init__(self, path):
        self.dairy = Dairy()
        self.chain = LedgerChain(self.dairy, lambda: NOW_MS)
        self.path = path
        self.letters = Letters(path)
        self.may_bring = lambda letter: True
        self.post = self._post()

    def _post(self):
        chain_id = self.dairy.chain_id
        return Post(
            self.letters, self.chain, chain_id, self.dairy.mmu, 100, lambda who: self.may_bring(who)
        )

    def restart(self):
        self.letters.close()
        self.letters = Letters(self.path)
        self.post = self._post()

    def write(self, number):
        """Write a letter that the law takes in and fails: its fee and its nonce tell of it."""
        meter = DeviceRig(
            self.dairy.meter_keys[0],
            Instrument.MILK_METER,
            seq=number,
            chain_id=self.dairy.chain_id,
            start_ms=NOW_MS - 5_000,
        )
        envelope = meter.sign([(0, 1), (100, 2)])
        self.letters.write(
            Draft(bytes([number]), What.TAMPERING, encode(ReportTamper(envelope)), 0, 7)
        )

    def advance(self):
        return asyncio.run(self.post.advance(self.dairy.genesis.parameters))

    @property
    def nonce(self):
        return account(self.chain.overlay, address_of(self.dairy.mmu.public)).nonce

    def states(self):
        return [each.state for each in reversed(self.letters.latest(What.TAMPERING, 100))]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A desk whose chain takes in whatever it is handed."""
    desk = Desk(tmp_path / "mint.sqlite")
    monkeypatch.setattr("tests.support.minting.ledger_chain.check_transaction", lambda *_: None)
    yield desk
    desk.letters.close()


def test_a_wave_is_final_in_the_order_of_its_letters(desk):
    for number in range(3):
        desk.write(number)
    done = desk.advance()
    assert [each.subject for each in done] == [b"\0", b"\1", b"\2"]
    nonces = [decode_transaction(each.raw).intent.nonce for each in done]
    assert nonces == [0, 1, 2]
    assert desk.letters.open() == []
    assert desk.nonce == 3


def test_a_wave_is_bounded_and_the_rest_follows(desk):
    for number in range(WAVE_MAX + 1):
        desk.write(number)
    assert len(desk.advance()) == WAVE_MAX
    assert len(desk.advance()) == 1
    assert desk.advance() == []


def test_a_subject_has_one_open_letter(desk):
    desk.write(1)
    with pytest.raises(Exception, match="UNIQUE"):
        desk.write(1)
    desk.advance()
    desk.write(1)


def test_the_same_bytes_are_sent_until_they_are_final(desk):
    desk.write(1)
    desk.chain.deaf = True
    assert desk.advance() == []
    (sent,) = desk.letters.open()
    desk.restart()
    assert desk.advance() == []
    desk.chain.deaf = False
    (done,) = desk.advance()
    assert (done.raw, done.txid) == (sent.raw, sent.txid)


def test_an_unreachable_node_loses_nothing(desk):
    desk.write(1)
    desk.chain.away = True
    with pytest.raises(NodeUnavailable):
        desk.advance()
    desk.chain.away = False
    assert len(desk.advance()) == 1
    assert desk.nonce == 1


def test_a_letter_that_was_final_before_the_kill_is_found_final(desk):
    desk.write(1)
    desk.chain.deaf = True
    desk.advance()
    (letter,) = desk.letters.open()
    desk.chain.include(decode_transaction(letter.raw))
    desk.restart()
    assert [each.subject for each in desk.advance()] == [b"\1"]
    assert desk.nonce == 1


def refuse(desk, answers):
    """Let the node answer so to the n-th bytes that it is handed, and to others as ever."""
    usual, seen = desk.chain.submit, []

    async def submit(raw):
        seen.append(raw)
        code = answers.get(len(seen))
        return Submission(None, code, "no") if code else await usual(raw)

    desk.chain.submit = submit


def test_a_refused_letter_ends_and_those_behind_it_are_signed_anew(desk):
    for number in range(3):
        desk.write(number)
    refuse(desk, {2: "short_tank"})
    assert [(each.subject, each.detail) for each in desk.advance()][1] == (b"\1", "short_tank")
    assert [each.state for each in desk.letters.open()] == [LetterState.WRITTEN]
    assert [each.subject for each in desk.advance()] == [b"\2"]
    assert desk.nonce == 2


@pytest.mark.parametrize("code", ["bad_nonce", "transaction_expired"])
def test_bytes_that_can_never_be_final_are_signed_anew(desk, code):
    desk.write(1)
    refuse(desk, {1: code})
    assert desk.advance() == []
    assert desk.states() == [LetterState.WRITTEN]
    assert len(desk.advance()) == 1


def test_bytes_that_were_taken_in_once_are_not_given_up_for_another_refusal(desk):
    desk.write(1)
    desk.chain.deaf = True
    desk.advance()
    refuse(desk, {1: "pool_full"})
    assert desk.advance() == []
    assert desk.states() == [LetterState.SENT]
    desk.chain.deaf = False
    assert len(desk.advance()) == 1


def test_a_letter_knows_its_body(desk):
    desk.write(3)
    (letter,) = desk.letters.open()
    assert isinstance(read_body(letter), ReportTamper)
    desk.letters.update(replace(letter, state=LetterState.FAILED, detail="why"))
    assert desk.letters.totals() == {("tampering", "failed"): (1, 0)}


def test_letters_of_a_plant_that_another_gateway_holds_are_given_up_unless_they_were_seen(desk):
    lost = set()
    desk.may_bring = lambda letter: letter.subject not in lost
    desk.chain.deaf = True
    desk.write(0)
    assert desk.advance() == []  # Handed in, and nobody keeps it.
    desk.write(1)
    lost |= {bytes([0]), bytes([1])}
    (gone,) = desk.advance()
    assert (gone.subject, gone.state, gone.detail) == (bytes([1]), LetterState.FAILED, "lease_lost")
    desk.chain.deaf = False
    (final,) = desk.advance()
    assert (final.subject, final.state) == (bytes([0]), LetterState.FAILED)
    assert desk.nonce == 1


def test_what_was_signed_is_not_handed_in_once_another_gateway_holds_the_plant(desk):
    lost = set()
    desk.may_bring = lambda letter: letter.subject not in lost
    desk.write(0)
    desk.write(1)

    async def away(raw):
        raise NodeUnavailable("test")

    usual, desk.chain.submit = desk.chain.submit, away
    with pytest.raises(NodeUnavailable):
        desk.advance()
    desk.chain.submit = usual
    lost.add(bytes([0]))
    assert [each.detail for each in desk.advance()] == []
    assert desk.nonce == 0
    gone, brought = desk.advance()
    assert (gone.subject, gone.detail) == (bytes([0]), "lease_lost")
    assert brought.subject == bytes([1])
    assert desk.nonce == 1
