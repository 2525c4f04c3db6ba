"""The signer guard: the only place that holds the key, and the last that may say no (spec §2.3).

It keeps its own memory of what this validator signed, filled from the journal at start, and
judges each new vote by that alone. The engine never asks for a forbidden vote; if it does, that
is a bug, and the process must die before the signature exists.
"""

from typing import Final

from consensus.errors import GuardBreach
from consensus.messages import Subject, Vote
from consensus.types import GENESIS_VIEW
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import SigningKey
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind

_OF_CURRENT_VIEW: Final = (VoteKind.NOTARIZE, VoteKind.NULLIFY)


class Guard:
    """Signs votes, each at most once, and none beside one that excludes it."""

    __slots__ = ("_chain_id", "_floor", "_highest", "_key", "_signed", "me")

    def __init__(self, key: SigningKey, me: Member, chain_id: Hash) -> None:
        self._key = key
        self.me = me
        self._chain_id = chain_id
        self._signed: dict[View, dict[VoteKind, Subject]] = {}
        self._highest: View = GENESIS_VIEW
        self._floor: View = GENESIS_VIEW

    @property
    def signed_views(self) -> int:
        """Count the views of which own votes are remembered."""
        return len(self._signed)

    def remember(self, vote: Vote) -> None:
        """Take in a vote that the journal says was signed here."""
        self._note(vote.subject)

    def raise_floor(self, view: View) -> None:
        """Sign nothing at or below a finalized view any more, and forget what was."""
        self._floor = max(self._floor, view)
        for old in [v for v in self._signed if v <= self._floor]:
            del self._signed[old]

    def sign(self, subject: Subject) -> Vote:
        """Sign the subject, or raise `GuardBreach`."""
        self._judge(subject)
        self._note(subject)
        return Vote(subject, self.me, self._key.sign(subject.signing_bytes(self._chain_id)))

    def _note(self, subject: Subject) -> None:
        self._signed.setdefault(subject.view, {})[subject.kind] = subject
        if subject.kind in _OF_CURRENT_VIEW:
            self._highest = max(self._highest, subject.view)

    def _judge(self, subject: Subject) -> None:
        """Hold the exclusions of R3 to R5, written apart from the rules that ask (spec §2.3)."""
        kind, signed = subject.kind, self._signed.get(subject.view, {})
        notarized, finalized = signed.get(VoteKind.NOTARIZE), signed.get(VoteKind.FINALIZE)
        nullified = VoteKind.NULLIFY in signed
        self._require(subject.view > self._floor, subject, "the view is below the floor")
        self._require(kind not in signed, subject, "signed once already: resend, never re-sign")
        if kind in _OF_CURRENT_VIEW:
            self._require(subject.view >= self._highest, subject, "the view has been left")
            self._require(finalized is None, subject, "a finalize of the view is signed")
        if kind in (VoteKind.NOTARIZE, VoteKind.FINALIZE):
            self._require(not nullified, subject, "a nullify of the view is signed")
        if kind is VoteKind.FINALIZE and notarized is not None:
            same = notarized.block_hash == subject.block_hash
            same = same and notarized.parent_view == subject.parent_view
            self._require(same, subject, "another block of the view is notarized")

    @staticmethod
    def _require(holds: bool, subject: Subject, why: str) -> None:
        if not holds:
            raise GuardBreach(f"refused to sign {subject.kind.name} of {subject.view}: {why}")
