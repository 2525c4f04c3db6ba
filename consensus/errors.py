"""Faults and bugs of consensus.

PeerFault             a member broke the protocol; becomes a `Misbehaviour`
+-- WrongSender       a vote not from its signer, a proposal not from its leader
+-- BadVoteSignature  a vote whose signature is not its signer's
+-- BadCertificate    a certificate that proves nothing
+-- BadProposal       a proposal that contradicts itself
UntrustedJournal      the disk gave back something else than was written
+-- CorruptJournal    a damaged frame before the tail: own votes may be missing
GuardBreach           a bug: this process was about to sign what must not be signed
"""


class PeerFault(ValueError):
    """A member broke the protocol. The text says how, for logs and for `Misbehaviour`."""


class WrongSender(PeerFault):
    """A vote that comes from another than its signer, or a proposal from another than its leader.

    Fetched proposals are the exception: anyone who holds one may hand it on.
    """


class BadVoteSignature(PeerFault):
    """A vote whose signature is not its signer's."""


class BadCertificate(PeerFault):
    """A certificate that proves nothing: too little stake, or votes that don't verify."""


class BadProposal(PeerFault):
    """A proposal whose parts contradict each other."""


class UntrustedJournal(Exception):
    """The journal can't be trusted. Whoever holds it must not vote (spec §2.4)."""


class CorruptJournal(UntrustedJournal):
    """A frame is damaged though an intact one follows it, so it was synced once."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"the journal is damaged at byte {offset}: {why}")
        self.offset = offset


class GuardBreach(AssertionError):
    """A bug: the engine asked for a signature that would make its owner slashable."""
