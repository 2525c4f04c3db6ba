"""What validators say to each other (spec §1).

Votes are signed over a fixed-length text, never over MessagePack. A certificate is a quorum of
votes on one subject, trimmed. A proposal carries its block as opaque bytes, and the
justification of its parent.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.committee import COMMITTEE_MAX, WireMember
from ledger.primitives.hashing import Hash, WireHash
from ledger.primitives.keys import WireSignature
from ledger.primitives.scalars import Epoch, WireEpoch, WireView
from ledger.primitives.votes import VoteKind, vote_text

PAYLOAD_BYTES_MAX: Final = 2_000_000
MESSAGE_BYTES_MAX: Final = PAYLOAD_BYTES_MAX + 1_000_000
NULLIFICATIONS_INLINE_MAX: Final = 32


class Subject(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a vote is about. For a nullify `parent_view` is 0 and `block_hash` is zeros."""

    kind: VoteKind
    epoch: WireEpoch
    view: WireView
    parent_view: WireView
    block_hash: WireHash

    def signing_bytes(self, chain_id: Hash) -> bytes:
        """Give the bytes that are signed: domain, chain, kind, epoch, view, parent, hash."""
        return vote_text(
            chain_id, self.kind, self.epoch, self.view, self.parent_view, self.block_hash
        )


class Vote(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="vote"):
    """One member's signature over one subject."""

    subject: Subject
    signer: WireMember
    signature: WireSignature


class Certificate(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="cert"):
    """A quorum's signatures over one subject, by ascending member; trimmed to what is needed."""

    subject: Subject
    votes: Annotated[
        tuple[tuple[WireMember, WireSignature], ...], Meta(min_length=1, max_length=COMMITTEE_MAX)
    ]


class Proposal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="proposal"):
    """A leader's block for a view. Its own notarize vote is the proposal's signature.

    `parent` is the parent's notarization or finalization (None: the epoch's first block), and
    `nullifications` hold every view between the parent's and this one.
    """

    vote: Vote
    parent_hash: WireHash
    payload: Annotated[bytes, Meta(max_length=PAYLOAD_BYTES_MAX)]
    parent: Certificate | None
    nullifications: Annotated[tuple[Certificate, ...], Meta(max_length=NULLIFICATIONS_INLINE_MAX)]


class FetchProposal(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="fetch_proposal"
):
    """Ask for the proposal of a block that is notarized or wanted as a parent."""

    view: WireView
    block_hash: WireHash


class FetchCertificates(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="fetch_certificates"
):
    """Ask for the certificates of views from..to (at most 64): a notarization or nullification."""

    first: WireView
    last: WireView


class FetchView(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="fetch_view"):
    """Ask the others how far they are: the asker may have forgotten votes of its own."""

    epoch: WireEpoch


class ViewReport(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="view"):
    """What let the sender enter its view (None: it is in the first); the asker's newest vote."""

    epoch: WireEpoch
    highest: Certificate | None
    vote: Vote | None


Message = Vote | Certificate | Proposal | FetchProposal | FetchCertificates | FetchView | ViewReport


def epoch_of(message: Message) -> Epoch | None:
    """Say of which epoch a message is; None for a request, which only its receiver can place."""
    match message:
        case Vote(subject=subject) | Certificate(subject=subject):
            return subject.epoch
        case Proposal(vote=vote):
            return vote.subject.epoch
        case FetchView(epoch=epoch) | ViewReport(epoch=epoch):
            return epoch
        case _:
            return None
