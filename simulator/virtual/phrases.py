"""Words for consensus messages, for traces and pictures that people read."""

from typing import Final, assert_never

from consensus.journal import Record
from consensus.messages import (
    Certificate,
    FetchCertificates,
    FetchProposal,
    FetchView,
    Message,
    Proposal,
    ViewReport,
    Vote,
)
from ledger.primitives.votes import VoteKind
from simulator.virtual.trace import spot

CERTIFICATE_NAMES: Final = {
    VoteKind.NOTARIZE: "notarization",
    VoteKind.NULLIFY: "nullification",
    VoteKind.FINALIZE: "finalization",
}


def short(block_hash: bytes) -> str:
    """Write the beginning of a hash."""
    return block_hash.hex()[:8]


def name_message(message: Message) -> tuple[int, str]:
    """Give the view that a message is about, and what it is."""
    match message:
        case FetchView(epoch=epoch):
            return spot(epoch, 0), "asks for the view"
        case ViewReport(epoch=epoch, highest=highest):
            return spot(epoch, highest.subject.view if highest else 0), "reports its view"
        case Vote(subject=subject):
            block = "" if subject.kind is VoteKind.NULLIFY else f" {short(subject.block_hash)}"
            return spot(subject.epoch, subject.view), subject.kind.name.lower() + block
        case Certificate(subject=subject, votes=votes):
            block = "" if subject.kind is VoteKind.NULLIFY else f" {short(subject.block_hash)}"
            signers = ",".join(str(member) for member, _ in votes)
            at = spot(subject.epoch, subject.view)
            return at, f"{CERTIFICATE_NAMES[subject.kind]}{block} by {signers}"
        case Proposal(vote=vote):
            about = vote.subject
            at = spot(about.epoch, about.view)
            return at, f"block {short(about.block_hash)} on view {about.parent_view}"
        case FetchProposal(view=view, block_hash=block_hash):
            return view, f"asks for block {short(block_hash)}"
        case FetchCertificates(first=first, last=last):
            return first, f"asks for certificates {first}..{last}"
        case _:
            assert_never(message)


def name_record(record: Record) -> tuple[str, int, str]:
    """Give the kind of event that a record stands for, its view, and words."""
    view, text = name_message(record)
    match record:
        case Vote(subject=subject):
            return subject.kind.name.lower(), view, text
        case Certificate():
            return "holds", view, text
        case Proposal():
            return "body", view, text
