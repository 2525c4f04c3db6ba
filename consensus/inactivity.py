"""Who has been silent for too long to be waited for (rule R9, spec §1.4).

It costs an inactive member time, never safety, and in doubt it is waited for.
"""

from consensus.params import SKIP_VIEWS
from consensus.state import State
from ledger.primitives.scalars import View


def is_inactive(s: State, last_ms: int, last_view: View) -> bool:
    """Tell whether a last sign of a member is long past, in time and in views (R9)."""
    return s.now_ms - last_ms >= s.params.skip_ms and s.view - last_view >= SKIP_VIEWS


def is_inactive_leader(s: State) -> bool:
    """Tell whether the leader is silent while a quorum is not. Fails open."""
    leader = s.schedule.leader(s.view)
    if leader == s.me or not is_inactive(s, s.peers[leader].spoke_ms, s.peers[leader].spoke_view):
        return False
    awake = [m for m, p in s.peers.items() if s.now_ms - p.spoke_ms < s.params.skip_ms]
    stake = sum(s.committee.stake(m) for m in awake)
    own = s.committee.stake(s.me) if s.me is not None else 0
    return stake + own >= s.committee.quorum
