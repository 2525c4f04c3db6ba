"""Keeping up: check blocks, apply finality, fetch what is missing (spec §1.7, §1.8).

Observers do all of this and nothing else.
"""

from collections.abc import Iterator

from consensus.effects import Behind, Check, Finalize, Misbehaviour
from consensus.events import Checked, Verdict
from consensus.fetching import Request, Want
from consensus.justify import Gap, choose_parent, find_gap, has_lawful_parent
from consensus.messages import Certificate, FetchCertificates, FetchProposal
from consensus.params import FETCH_TRIES_MAX, GAP_VIEWS_MAX
from consensus.state import State, SyncGoal
from consensus.tree import BlockStatus, ProposalNode, block_of, parent_of
from consensus.types import BlockRef
from consensus.view import certified_block
from ledger.primitives.committee import Member


def check_blocks(s: State) -> bool:
    """Ask for a verdict on every block that matters and whose parent is valid."""
    acted = False
    for block, node in s.tree.ready():
        certified = is_certified(s, block)
        if block.view >= s.view or node.durable or certified:
            node.standing = BlockStatus.CHECKING
            parent = parent_of(node.proposal)
            about = (block.view, parent.view, parent.hash, block.hash)
            s.effects.append(Check(*about, node.proposal.payload, certified))
            acted = True
    return acted


def is_certified(s: State, block: BlockRef) -> bool:
    """Tell whether a quorum stands behind the block, directly or through a descendant's need."""
    known = s.rounds.get(block.view)
    certified = known is not None and known.block == block
    return certified or s.fetcher.wants(FetchProposal(block.view, block.hash))


def take_checked(s: State, event: Checked) -> None:
    """Note the application's verdict."""
    block = BlockRef(event.view, event.block_hash)
    node = s.tree.get(block)
    if node is None or node.standing is not BlockStatus.CHECKING:
        return
    if event.verdict is Verdict.VALID:
        node.standing = BlockStatus.VALID
        s.touched.add(block.view)
        if is_certified(s, block):
            s.make_durable(node)
        return
    if event.verdict is Verdict.EARLY:
        _put_off(s, block, node)
    else:
        _refuse(s, block, node)


def _put_off(s: State, block: BlockRef, node: ProposalNode) -> None:
    """Give the view of an early block up, and blame nobody: a wrong clock is no offence.

    Once a quorum stands behind the block, it is judged again, and no clock is asked (spec §1.7).
    """
    if is_certified(s, block):
        node.standing = BlockStatus.HELD
    else:
        _refuse_vote(s, block)
        s.tree.drop(block)


def _refuse_vote(s: State, block: BlockRef) -> None:
    known = s.round(block.view)
    if known.proposal is not None and block_of(known.proposal) == block:
        known.refused = True  # spec §1.4 R3, so R4.


def _refuse(s: State, block: BlockRef, node: ProposalNode) -> None:
    """Never vote for an invalid body; if its hash is certified, it is not the block's body."""
    _refuse_vote(s, block)
    s.accuse(Misbehaviour(node.source, "it sent an invalid block", None))
    if is_certified(s, block):
        s.tree.drop(block)
        s.fetcher.spoil(FetchProposal(block.view, block.hash), node.source)
    else:
        node.standing = BlockStatus.INVALID


def apply_final(s: State) -> bool:
    """Move the floor to the highest finalization once its block is valid here."""
    final = s.finalization
    if final is None or final.subject.view <= s.floor.block.view:
        return False
    block = certified_block(final)
    if not s.tree.is_valid(block) or not s.tree.descends(block):
        return False
    node = s.tree.get(block)
    assert node is not None
    s.make_durable(node)
    s.effects.append(Finalize(final))
    s.move_floor(final)
    return True


def take_caught_up(s: State, finalization: Certificate) -> None:
    """Go on from a block that block sync has verified and applied."""
    view = finalization.subject.view
    if view <= s.floor.block.view:
        return
    s.note_highest(finalization)
    s.tip.rise(view, s.now_ms, None)
    s.move_floor(finalization)


def sync_due_ms(s: State) -> int | None:
    """Give when to ask for block sync again, while what it was asked for has not come."""
    return s.sync.ask_ms if s.is_behind else None


def fall_behind(s: State) -> None:
    """Ask for block sync when proposals can't close the gap to what is final."""
    final = s.finalization
    if final is None or s.finalized_view <= s.floor.block.view:
        return
    if not s.is_behind and _is_out_of_reach(s, certified_block(final)):
        s.sync = SyncGoal(s.finalized_view, s.now_ms)
    if s.is_due(sync_due_ms(s)):
        s.sync.ask_ms = s.now_ms + s.params.standstill_ms
        s.effects.append(Behind(final, _source(s, final)))


def _is_out_of_reach(s: State, block: BlockRef) -> bool:
    """Tell whether a final block's ancestry is too far or too long to be fetched by proposals."""
    missing, depth = s.tree.missing(block)
    if missing is None:
        return False
    far = block.view - s.floor.block.view > GAP_VIEWS_MAX
    tries = s.fetcher.tries(FetchProposal(missing.view, missing.hash))
    return far or s.tree.is_too_deep(depth) or tries >= FETCH_TRIES_MAX


def _source(s: State, final: Certificate) -> Member:
    """Name a member that surely knows the finalized block: it told of it, or voted for it."""
    voters = [member for member, _ in final.votes if member != s.me]
    told = s.finalization_source
    return told if told is not None and told != s.me else voters[0]


def wanted(s: State) -> dict[Request, Want]:
    """List what is missing now: at most three bodies and two ranges of certificates."""
    wants: dict[Request, Want] = {}
    for request, want in (*_wanted_to_lead(s), *_wanted_bodies(s), *_wanted_to_judge(s)):
        wants.setdefault(request, want)  # The first that needs it says whom to ask.
    return wants


def _wanted_to_lead(s: State) -> Iterator[tuple[Request, Want]]:
    """Want the certificates that a leader lacks to find its parent (R2)."""
    if s.is_behind or s.schedule.leader(s.view) != s.me:
        return
    if isinstance(gap := choose_parent(s), Gap):
        yield FetchCertificates(gap.first, gap.last), Want(None)


def _wanted_to_judge(s: State) -> Iterator[tuple[Request, Want]]:
    """Want the certificates without which the view's proposal can't be voted for (R3)."""
    proposal = s.round(s.view).proposal
    if proposal is not None and (gap := find_gap(s, proposal)) is not None:
        leader = s.schedule.leader(s.view)
        yield FetchCertificates(gap.first, gap.last), Want(leader)


def _wanted_bodies(s: State) -> Iterator[tuple[Request, Want]]:
    """Want what leads to the final block, to the parent to build on, and to the proposal's."""
    if s.is_behind:
        return  # Block sync brings them.
    if s.finalization is not None and s.finalized_view > s.floor.block.view:
        yield from _wanted_below(s, certified_block(s.finalization))
    if isinstance(parent := choose_parent(s), BlockRef):
        yield from _wanted_below(s, parent)
    proposal = s.round(s.view).proposal
    if proposal is not None and has_lawful_parent(s, proposal):
        yield from _wanted_below(s, parent_of(proposal))


def _wanted_below(s: State, block: BlockRef) -> Iterator[tuple[Request, Want]]:
    """Want the first missing body on the way from a block down to the floor.

    A long way is left to block sync, where there is something final for it to bring.
    """
    missing, depth = s.tree.missing(block)
    is_synced = s.finalized_view > s.floor.block.view
    if missing is None or (is_synced and s.tree.is_too_deep(depth)):
        return
    # The newest block's body is most likely on its way from the leader: ask a little later.
    fresh = depth == 0 and block.view + 1 >= s.view
    delay_ms = s.params.delta_ms // 2 if fresh else 0
    want = Want(s.schedule.leader(missing.view), delay_ms, _voters(s, missing))
    yield FetchProposal(missing.view, missing.hash), want


def _voters(s: State, block: BlockRef) -> tuple[Member, ...]:
    """List who signed for a block, as far as a certificate of it is held."""
    proof = s.notarized_at(block.view)
    if proof is None or certified_block(proof) != block:
        return ()
    return tuple([member for member, _ in proof.votes])


def fetch_due_ms(s: State) -> int | None:
    """Give when the next attempt to fetch something is due."""
    return s.fetcher.due_ms()


def fetch(s: State) -> None:
    """Ask for what is missing, as far as an attempt is due."""
    for member, request in s.fetcher.update(wanted(s), s.now_ms):
        s.send(member, request)
