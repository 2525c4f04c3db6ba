"""The replay of an audit: every chain is executed again once, whoever holds its bodies.

Nodes of one chain are replayed together, along the tallest of them: a body is taken from any node
that has it under the same header, so one that pruned is checked as far as another is whole. What
could not be executed again is said, with the reason and with the laws that only this checks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final, Protocol

from ledger.errors.base import InvariantBroken
from ledger.genesis import Genesis
from ledger.primitives.keys import verify_many
from ledger.replay import Seen, replay
from ledger.store.chain import ChainStore
from ledger.transition import BlockOutcome
from ledger.types.block import Block
from ledger.types.transaction import Transaction
from node.tools.audit_histories import HistoryWalk
from node.tools.audit_records import drawn, tell_records
from node.tools.findings import Findings

REPLAY_LAWS: Final = (9, 12)
"""The invariants (spec, §9) that only executing the blocks again can check."""


class Told(Protocol):
    """The part of a node's report that a replay fills."""

    height: int
    kept_from: int
    replayed: bool
    not_checked: list[int]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Member:
    """A node whose store was walked: `is_sound` if its blocks are, `is_right` if its state is."""

    name: str
    store: ChainStore
    genesis: Genesis | None
    report: Told
    findings: Findings
    is_sound: bool
    is_right: bool


Watch = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Begins to show how far so many blocks of a node's chain are; gives what counts one more."""


def replay_members(members: Sequence[Member], watch: Watch | None = None) -> None:
    """Execute the chains of all members again, each chain once."""
    able = []
    for member in members:
        if member.genesis is None:
            _skip(member, "there is no genesis file that fits")
        elif not member.is_sound:
            _skip(member, "what is wrong with its blocks comes first")
        else:
            able.append(member)
    able.sort(key=lambda member: -member.report.height)
    while able:
        tallest = able[0]
        chain = [member for member in able if _shares(tallest, member)]
        able = [member for member in able if member not in chain]
        _replay_chain(chain, watch)


def skip_members(members: Sequence[Member], why: str) -> None:
    """Say of all members that they were not replayed."""
    for member in members:
        _skip(member, why)


def _skip(member: Member, why: str) -> None:
    member.report.not_checked = list(REPLAY_LAWS)
    member.report.notes.append(f"not replayed: {why}")


def _shares(tall: Member, member: Member) -> bool:
    """Tell whether a chain is the beginning of a taller one: a hash commits to all before."""
    height = member.report.height
    return member is tall or tall.store.header(height) == member.store.header(height)


def _replay_chain(chain: Sequence[Member], watch: Watch | None) -> None:
    tallest = chain[0]
    height, genesis = tallest.report.height, tallest.genesis
    assert genesis is not None, "without one nothing is replayed"
    missing = [at for at in range(1, height + 1) if _holder(chain, at) is None]
    if missing:
        # What is pruned are the oldest bodies, and without them there is no state to go on from.
        told = f"the bodies of blocks {missing[0]} to {missing[-1]} are pruned"
        skip_members(chain, f"{told}, and no other node here has them")
        return
    histories = [HistoryWalk(m.store, m.report.height, m.findings) for m in chain]

    def seen(block: Block, transactions: Sequence[Transaction], outcome: BlockOutcome) -> None:
        for history in histories:
            history.block(block, transactions, outcome)

    reached, found = _execute(chain, genesis, height, seen, watch)
    for member, history in zip(chain, histories, strict=True):
        member.report.replayed = True
        if member.report.kept_from > 1:
            others = [
                each.name for each in chain if each.report.kept_from < member.report.kept_from
            ]
            member.report.notes.append(f"replayed with the older bodies of {', '.join(others)}")
        if reached <= member.report.height:
            for each in found:
                member.findings.tell("replay", each)
        if not found:
            history.end()
        if not found and not member.is_right:
            blocks = _blocks(chain, member.report.height)
            tell_records(member.store, genesis, blocks, member.findings)


def _execute(
    chain: Sequence[Member], genesis: Genesis, height: int, seen: Seen, watch: Watch | None
) -> tuple[int, list[str]]:
    """Execute blocks up to a height; give the last that was begun, and what it says wrongly."""
    reached = 0

    def counted(step: Callable[[], None] | None) -> Iterator[Block]:
        nonlocal reached
        for block in _blocks(chain, height):
            reached = block.header.height
            yield block
            if step is not None:
                step()

    try:
        with nullcontext() if watch is None else watch(chain[0].name, height) as step:
            found = replay(genesis, counted(step), verify_many, drawn, seen)
    except InvariantBroken as error:
        found = [f"an invariant breaks: {error}"]
    return reached, found


def _holder(chain: Sequence[Member], height: int) -> Member | None:
    """Find a node that keeps the body of a height."""
    for member in chain:
        if member.report.kept_from <= height <= member.report.height:
            return member
    return None


def _blocks(chain: Sequence[Member], height: int) -> Iterator[Block]:
    for at in range(1, height + 1):
        holder = _holder(chain, at)
        assert holder is not None, "what is missing was told of"
        found = holder.store.block(at)
        assert found is not None, "the walk found it"
        yield found.block
