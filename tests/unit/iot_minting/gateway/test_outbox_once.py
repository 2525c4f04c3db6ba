"""A run is minted once, whatever the node answers and whenever the gateway dies."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from iot_minting.attestor.attest import attest
from iot_minting.gateway.claims import build_claim
from iot_minting.gateway.outbox import MintOutbox
from iot_minting.gateway.policy import CutRun
from iot_minting.gateway.store import OutboxRun, OutboxState, Store
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.state.tables import supply
from ledger.types.milk import MintLot
from ledger.types.transaction import decode_transaction
from node.client.errors import NodeUnavailable
from tests.support.ledger.dairy import FLOW_MAX_L_PER_H
from tests.support.minting.ledger_chain import LedgerChain
from tests.support.minting.milk_line import MilkLine


@pytest.fixture
def line():
    return MilkLine()


@pytest.fixture
def chain(line):
    return LedgerChain(line.dairy, lambda: line.now_ms)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "mint.sqlite")
    yield store
    store.close()


@pytest.fixture
def outbox(store, chain, line):
    dairy = line.dairy
    return MintOutbox(store, chain, dairy.chain_id, dairy.mmu, dairy.genesis.parameters, 20)


def keep(line, store, units=5_000_000):
    line.milk(0, units // 1_000)
    line.pasteurize(units)
    (run,) = [d for d in line.step() if isinstance(d, CutRun)]
    claim = build_claim(run, line.rules)
    (key,) = line.dairy.attestor_keys
    envelopes = [piece.envelope for piece in run.pieces()]
    attestation = attest(
        claim, envelopes, line.rules.law, line.dairy.chain_id, FLOW_MAX_L_PER_H, key
    )
    mint = encode(MintLot(claim, (attestation,)))
    run = OutboxRun(
        claim.run, "p", "l", OutboxState.CUT, claim.units, mint, b"", b"", 0, 0, "", line.now_ms
    )
    store.keep_run(run, [])
    return run


def advance(outbox):
    return asyncio.run(outbox.advance())


def minted(chain):
    genesis = supply(chain.dairy.state()).minted_units
    return supply(chain.overlay).minted_units - genesis


def test_a_run_becomes_final(line, store, chain, outbox):
    keep(line, store)
    assert advance(outbox)
    assert store.runs(1)[0].state is OutboxState.FINAL
    assert minted(chain) == 5_000_000
    assert not advance(outbox)


def test_the_same_bytes_are_sent_until_they_are_final(line, store, chain, outbox):
    keep(line, store)
    chain.deaf = True
    advance(outbox)
    first = store.runs(1)[0]
    assert first.state is OutboxState.SUBMITTED
    advance(outbox)
    assert store.runs(1)[0] == first
    chain.deaf = False
    advance(outbox)
    assert store.runs(1)[0].raw == first.raw
    assert minted(chain) == 5_000_000


def test_a_gateway_killed_after_sending_does_not_mint_again(line, store, chain, outbox):
    kept = keep(line, store)
    advance(outbox)
    signed = store.runs(1)[0]
    # The kill: the chain has it, the outbox still says submitted.
    store.update_run(replace(signed, state=OutboxState.SUBMITTED, height=0))
    advance(outbox)
    assert store.runs(1)[0].state is OutboxState.FINAL
    # A worse one: even the signed bytes are gone.
    store.update_run(replace(kept, state=OutboxState.CUT))
    while advance(outbox):
        pass
    assert store.runs(1)[0].state is OutboxState.FINAL
    assert minted(chain) == 5_000_000


def test_a_nonce_that_went_elsewhere_makes_a_fresh_signature(line, store, chain, outbox):
    keep(line, store)
    chain.deaf = True
    advance(outbox)
    stale = store.runs(1)[0].raw
    pay = line.dairy.pay(address_of(line.dairy.regulator.public), 1)
    chain.include(line.dairy.transaction(pay, line.dairy.mmu, 0))
    chain.deaf = False
    advance(outbox)
    advance(outbox)
    run = store.runs(1)[0]
    assert run.state is OutboxState.FINAL
    assert run.raw != stale
    assert minted(chain) == 5_000_000


def test_bytes_whose_height_has_passed_are_signed_anew(line, store, chain, outbox):
    keep(line, store)
    chain.deaf = True
    advance(outbox)
    chain.height, chain.deaf = 50, False
    while advance(outbox):
        pass
    assert store.runs(1)[0].state is OutboxState.FINAL
    assert minted(chain) == 5_000_000


def test_a_node_that_is_away_loses_nothing(line, store, chain, outbox):
    keep(line, store)
    chain.away = True
    with pytest.raises(NodeUnavailable):
        advance(outbox)
    chain.away = False
    advance(outbox)
    assert minted(chain) == 5_000_000


def test_a_run_that_the_chain_refuses_is_recorded_as_failed(line, store, chain, outbox):
    kept = keep(line, store)
    line.now_ms += 20 * 86_400_000  # The lot is past its shelf life when it reaches the chain.
    advance(outbox)
    run = store.runs(1)[0]
    assert (run.state, run.detail) == (OutboxState.FAILED, "bad_shelf_life")
    assert run.run == kept.run
    assert minted(chain) == 0


def test_a_run_dated_ahead_of_a_creeping_chain_pays_nothing_and_is_minted_in_time(
    line, store, chain, outbox
):
    """A clock went an hour ahead and came back: chain time creeps until real time is there."""
    ended_ms = keep(line, store).cut_ms
    line.now_ms -= 3_600_000
    for _ in range(3):
        line.now_ms += 1
        assert not advance(outbox)
    assert chain.final == [], "the chain takes a fee for each that it refuses"
    line.now_ms = ended_ms
    assert advance(outbox)
    assert store.runs(1)[0].state is OutboxState.FINAL
    assert minted(chain) == 5_000_000


def test_a_run_that_the_chain_finds_too_far_ahead_is_tried_again(line, store, chain):
    """Its skew was voted lower than the genesis says."""
    law = msgspec.structs.replace(line.rules.law, clock_skew_ms_max=600_000)
    outbox = MintOutbox(store, chain, line.dairy.chain_id, line.dairy.mmu, law, 20)
    keep(line, store)
    now_ms, line.now_ms = line.now_ms, line.now_ms - 500_000
    advance(outbox)
    assert (store.runs(1)[0].state, store.runs(1)[0].detail) == (OutboxState.CUT, "future_run")
    line.now_ms = now_ms
    advance(outbox)
    assert minted(chain) == 5_000_000


def test_runs_are_minted_in_order_with_consecutive_nonces(line, store, chain, outbox):
    for units in (5_000_000, 6_000_000, 7_000_000):
        keep(line, store, units)
    while advance(outbox):
        pass
    nonces = [decode_transaction(run.raw).intent.nonce for run in store.runs(3)]
    assert nonces == [2, 1, 0]
    assert minted(chain) == 18_000_000
