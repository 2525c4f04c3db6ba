"""A validator that may have forgotten votes of its own does not vote (spec §2.4).

It has lost its journal, or has met a vote of its key that it never cast. It asks the others where
they are. Each answer shows the certificate that let its sender enter its view, so nobody can claim
more than is true. Let m be the highest view that a quorum of others shows. Whatever this validator
signed before was for a view of at most m + 1: to enter a view takes the votes of a quorum on the
view before, and an honest one of these is among those who answer. So once a block of view m + 2 or
more is final and applied here, and its epoch goes on, no forgotten vote can matter any more.

A vote of its key for such a view, cast while it is silent, is not its own: another process has the
key. Before it votes again it asks a quorum once more for such votes; if there is one, it never
votes.
"""

from consensus.effects import Muted, Regained
from consensus.messages import Certificate, FetchView, Subject, ViewReport, Vote
from consensus.quorum import is_genuine, stake_of
from consensus.state import Silence, State
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View

UNKNOWN_VOTE = "a vote of this validator's key that it does not remember"
TWIN = "another process votes with this validator's key: stop one of them"


def ask_due_ms(s: State) -> int | None:
    """Give when to ask the others for their views, as long as this validator is silent."""
    return s.silence.ask_ms if s.silence is not None and s.me is not None else None


def ask(s: State) -> None:
    """Ask the others for their views."""
    if s.silence is not None and s.is_due(ask_due_ms(s)):
        s.silence.ask_ms = s.now_ms + s.params.retry_ms
        s.broadcast(FetchView(s.epoch))


def answer(s: State, sender: Member, request: FetchView) -> None:
    """Show one's view by the certificate that led to it, and the sender's newest vote here."""
    if request.epoch == s.epoch:
        s.send(sender, ViewReport(s.epoch, s.highest, _newest_vote(s, sender)))


def _newest_vote(s: State, member: Member) -> Vote | None:
    for view in sorted(s.rounds, reverse=True):
        for (_, signer), vote in s.rounds[view].tally.first.items():
            if signer == member:
                return vote
    return None


def take_report(s: State, sender: Member, report: ViewReport) -> None:
    """Count how far another has come; its certificate was verified, if it is above the floor."""
    silence = s.silence
    if silence is None:
        return
    entered = View(report.highest.subject.view + 1) if report.highest else View(1)
    silence.entered[sender] = max(entered, silence.entered.get(sender, View(0)))
    vote = report.vote
    if vote is not None and vote.signer == s.me and is_genuine(s.committee, s.chain_id, vote):
        note_own(s, vote.subject)
    if silence.bar is None:
        if stake_of(s.committee, silence.entered) >= s.committee.quorum:
            silence.bar = View(max(s.view, *silence.entered.values()) + 2)
    elif s.floor.block.view >= silence.bar:
        silence.checked.add(sender)


def note_certificate(s: State, certificate: Certificate) -> None:
    """Look for one's own vote in a certificate that was verified."""
    if s.me is not None and any(member == s.me for member, _ in certificate.votes):
        note_own(s, certificate.subject)


def note_own(s: State, subject: Subject) -> None:
    """Compare a genuine vote of one's own key with what is remembered."""
    if subject.epoch != s.epoch or subject.view <= s.floor.block.view:
        known = True  # What lies at or below the floor is not remembered, and need not be.
    else:
        own = s.round(subject.view).own.get(subject.kind)
        known = own is not None and own.subject == subject
    silence = s.silence
    if silence is None:
        if not known:
            s.silence = Silence(is_suspicious=True)
            s.effects.append(Muted(UNKNOWN_VOTE))
    elif silence.bar is not None and subject.view >= silence.bar and not silence.has_twin:
        silence.has_twin = True
        s.effects.append(Muted(TWIN))


def end(s: State) -> None:
    """Speak again if nothing forgotten can matter and nobody else speaks with this key.

    Asked at the beginning of a call: a block that ended the epoch has ended the engine by then.
    """
    silence = s.silence
    if silence is None or s.me is None or silence.bar is None or silence.has_twin:
        return
    if s.floor.block.view < silence.bar:
        return
    if stake_of(s.committee, silence.checked) >= s.committee.quorum:
        s.silence = None
        s.effects.append(Regained(s.floor.block.view))
    elif not silence.is_checking:
        silence.is_checking, silence.ask_ms = True, s.now_ms


def is_freed_by(s: State, boundary_view: View) -> bool:
    """Tell whether no vote of the next epoch can have been forgotten.

    Nobody enters it before this epoch's last block is final. Those who voted for that had entered a
    later view than the block's, and one of them is among those who have answered. So if no answer
    was beyond the view in which the block was first made, nobody had begun the next epoch. A
    validator that met a vote which it would not have forgotten listens for one epoch more: if
    another process has its key, that process votes there.
    """
    silence = s.silence
    if silence is None or silence.bar is None or silence.has_twin or silence.is_suspicious:
        return False
    return boundary_view >= silence.bar - 2
