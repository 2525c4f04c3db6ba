"""When something is due: proposals, patience, retries, standstill (spec §1.5, §1.10).

An idle network is silent: a view's timers run only from the moment when its leader ought to have
proposed. Each function reads the state and the time; none waits.
"""

from consensus.messages import Message
from consensus.params import RESENT_MAX
from consensus.quorum import is_over_third, stake_of
from consensus.state import State
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def proposal_due_ms(s: State, patience_ms: int) -> int:
    """Give the time from which the view's leader ought to propose.

    Work makes it due after `patience_ms`; so does a notarized tip that stays without finality,
    since only a further block can then bring it; else the heartbeat. The pace holds in any case.
    """
    due_ms = s.tip.block_ms + s.params.heartbeat_ms
    if s.work_since_ms is not None:
        due_ms = min(due_ms, s.work_since_ms + patience_ms)
    if s.awaits_finality:
        due_ms = min(due_ms, s.tip.seen_ms + s.params.advance_ms)
    return max(due_ms, s.tip.block_ms + s.params.pace_ms)


def arm(s: State) -> bool:
    """Start the view's timers once a proposal is due, in hand, or others are at it.

    They stop again if none of this holds any more, and with them every repetition: what was due
    came with a late block of an earlier view, and an idle network would be woken for nothing. A
    nullify that was signed meanwhile is said again once something is due, or others are at it.
    """
    if not s.may_vote:
        return False
    known = s.round(s.view)
    wanted = (
        known.proposal is not None
        or s.now_ms >= proposal_due_ms(s, s.params.delta_ms)
        or is_over_third(s.committee, stake_of(s.committee, known.tally.active() - {s.me}))
    )
    if wanted == (s.timers.armed_ms is not None):
        return False
    s.timers.armed_ms = s.now_ms if wanted else None
    return True


def patience_ends_ms(s: State, base_ms: int) -> int | None:
    """Give when the view's patience ends, which is `base_ms` before it grows (spec §1.5)."""
    if s.timers.armed_ms is None:
        return None
    barren_views = s.view - s.finalized_view - 1
    return s.timers.armed_ms + s.params.stretched_ms(base_ms, barren_views)


def view_times_ms(s: State) -> list[int | None]:
    """List when the current view's proposal, its timers and the ends of patience fall due."""
    if not s.may_vote:
        return []
    bases_ms = (s.params.leader_ms, s.params.advance_ms)
    return [
        proposal_due_ms(s, 0) if s.schedule.leader(s.view) == s.me else None,
        proposal_due_ms(s, s.params.delta_ms) if s.timers.armed_ms is None else None,
        *(patience_ends_ms(s, base_ms) for base_ms in bases_ms),
    ]


def retry_due_ms(s: State) -> int | None:
    """Give when to send the current view's nullify again."""
    return s.timers.retry_ms if s.may_vote else None


def retry(s: State) -> None:
    """Send the stored nullify of the current view again, and what led into the view."""
    own = s.round(s.view).own.get(VoteKind.NULLIFY) if s.may_vote else None
    if own is None or s.timers.armed_ms is None or not s.is_due(retry_due_ms(s)):
        return
    s.timers.retry_ms = s.now_ms + s.params.retry_ms
    s.broadcast(own)
    if s.highest is not None:
        s.broadcast(s.highest)


def is_pending(s: State) -> bool:
    """Tell whether finality is owed: a tip, or a view whose timers run, waits for it."""
    return s.may_vote and (s.awaits_finality or s.timers.armed_ms is not None)


def stand_up_due_ms(s: State) -> int | None:
    """Give when what is stored is to be sent again."""
    return s.timers.standstill_ms if s.may_vote else None


def stand_up(s: State) -> None:
    """Resend what is stored while finality is owed and does not come (R10)."""
    timers = s.timers
    if not is_pending(s):
        timers.standstill_ms = None
        return
    if timers.standstill_ms is None:
        timers.standstill_wait_ms = s.params.standstill_ms
        timers.standstill_ms = s.now_ms + timers.standstill_wait_ms
        return
    if not s.is_due(stand_up_due_ms(s)):
        return
    longer_ms = min(timers.standstill_wait_ms * 2, s.params.standstill_max_ms)
    timers.standstill_wait_ms = longer_ms
    timers.standstill_ms = s.now_ms + longer_ms
    resend(s)


def resend(s: State) -> None:
    """Send the highest finalization, the newest certificates above it, and one's own votes.

    The votes are the stored ones, byte for byte: deriving them anew is how a validator that has
    forgotten something signs against itself.
    """
    left = RESENT_MAX
    if s.finalization is not None:
        s.broadcast(s.finalization)
        left -= 1
    for view in sorted((v for v in s.rounds if v > s.finalized_view), reverse=True):
        known = s.rounds[View(view)]
        messages: list[Message] = [*known.certificates.values(), *known.own.values()]
        for message in messages:
            if left == 0:
                return
            s.broadcast(message)
            left -= 1
