"""Stakes that move: committees change, liars are slashed, light clients are not fooled."""

import pytest
from msgspec.structs import replace

from ledger.primitives.committee import Member
from ledger.types.block import Receipt
from ledger.types.transaction import decode_transaction
from ledger.types.window import MintWindow
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.stakes import StakeBook
from simulator.virtual.scenarios import SCENARIOS
from simulator.virtual.simulation import Simulation


def run(name: str, seed: int, *, recording: bool = False) -> Simulation:
    simulation = Simulation(SCENARIOS[name], seed, recording=recording)
    assert simulation.run().breach == ""
    return simulation


def test_a_newcomer_is_seated_and_somebody_leaves() -> None:
    simulation = run("committees", 1)
    committees = simulation.oracle.committees
    seated = [set(committees.of(epoch).places) for epoch in range(committees.latest + 1)]
    newcomers = set(map(Member, simulation.topology.newcomers))
    assert any(newcomers & places for places in seated)
    assert any(not set(seated[0]) <= places for places in seated)


def test_members_are_numbered_anew_when_a_committee_changes() -> None:
    committees = run("committees", 1).oracle.committees
    assert any(
        committees.seat(epoch, Member(member)) not in (None, member)
        for epoch in range(committees.latest + 1)
        for member in committees.of(epoch).places
    )


@pytest.mark.parametrize("seed", [1, 4])
def test_who_lies_in_votes_is_slashed_jailed_unseated_and_comes_back(seed: int) -> None:
    simulation = run("slashing", seed)
    committees = simulation.oracle.committees
    punished = {key for key, one in committees.book.standing.items() if one.faults}
    assert punished
    assert punished <= {simulation.topology.keys[m].public for m in simulation.roles.liars}
    assert 0 < committees.book.reporters < committees.book.slashed
    for key in punished:
        member = simulation.topology.place(key)
        seats = [committees.seat(epoch, member) for epoch in range(committees.latest + 1)]
        assert None in seats


def test_blocks_hold_mints_and_mandates() -> None:
    simulation = run("milk", 1)
    store = simulation.processes[0].disk.open_store()
    head = store.head()
    assert head is not None
    blocks = [store.block(height) for height in range(1, head.height + 1)]
    pairs = [
        (decode_transaction(raw).intent.body, receipt.code)
        for block in blocks
        if block is not None
        for raw, receipt in zip(block.block.transactions, block.receipts, strict=True)
    ]
    assert any(isinstance(body, MintWindow) and not code for body, code in pairs)
    assert len({type(body) for body, code in pairs if not code}) >= 4


def test_a_fork_raises_the_alarm_of_a_light_client() -> None:
    simulation = run("coalition", 1, recording=True)
    told = [entry.text for entry in simulation.trace.entries if entry.kind == "proofs"]
    assert told == ["1 verified"]


def test_who_lost_a_journal_speaks_again_though_a_liar_answers() -> None:
    simulation = run("lost-and-misled", 1, recording=True)
    assert "false-report" in simulation.roles.liars.values()
    told = [entry.text for entry in simulation.trace.entries if entry.kind == "voting"]
    assert told
    assert told[-1].startswith("allowed")


def test_the_book_of_stakes_does_not_forgive_a_second_punishment() -> None:
    simulation = run("slashing", 1)
    store = max(
        (process.disk.open_store() for process in simulation.processes if process.trusted),
        key=lambda each: each.head().height,
    )
    book = StakeBook(simulation.topology.genesis, frozenset())
    for height in range(1, store.head().height + 1):
        block = store.block(height)
        transactions = [decode_transaction(raw) for raw in block.block.transactions]
        again = [r for r in block.receipts if r.code == "known_offence"]
        if again:
            forgiven: list[Receipt] = [replace(r, code="") for r in block.receipts]
            with pytest.raises(Breach, match="punished twice"):
                book.read(height, transactions, forgiven)
            return
        book.read(height, transactions, block.receipts)
    raise AssertionError("nobody was reported twice")
