"""Stake arithmetic and certificates (spec §1.1, §1.2).

Stake is summed, never heads counted. A certificate is minimal: without its smallest vote it
would fall short. `verify_certificate` is the one judge of certificates that others formed; block
sync and light clients use it too. Nothing here knows which view the machine is in.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from consensus.errors import BadCertificate, PeerFault
from consensus.messages import Certificate, Subject, Vote
from consensus.types import GENESIS_VIEW
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Signature, verify
from ledger.primitives.votes import VoteKind


def stake_of(committee: Committee, members: Iterable[Member]) -> int:
    """Sum the stake of distinct members."""
    return sum(committee.stake(member) for member in members)


def is_over_third(committee: Committee, stake: int) -> bool:
    """Tell whether the stake is above a third of all, so that an honest part is in it."""
    return 3 * stake > committee.total


def check_subject(subject: Subject) -> None:
    """Raise a `PeerFault` if no honest member could mean the subject."""
    if subject.view == GENESIS_VIEW:
        raise PeerFault("nobody votes on the genesis view")
    if subject.kind is VoteKind.NULLIFY:
        if subject.parent_view or subject.block_hash != ZERO_HASH:
            raise PeerFault("a nullify names no block")
    elif subject.parent_view >= subject.view:
        raise PeerFault("a block's parent is of an earlier view")


def is_genuine(committee: Committee, chain_id: Hash, vote: Vote) -> bool:
    """Tell whether the vote bears its signer's signature."""
    key = committee.seats[vote.signer].key
    return verify(key, vote.subject.signing_bytes(chain_id), vote.signature)


def assemble(
    committee: Committee, subject: Subject, signatures: Mapping[Member, Signature]
) -> Certificate | None:
    """Make the smallest certificate that these verified signatures allow, or None."""
    stake, chosen = 0, []
    # The largest stakes first: then leaving out even the last and smallest would break the quorum.
    for member in sorted(signatures, key=lambda m: (-committee.stake(m), m)):
        stake += committee.stake(member)
        chosen.append(member)
        if stake >= committee.quorum:
            votes = tuple((member, signatures[member]) for member in sorted(chosen))
            return Certificate(subject, votes)
    return None


def verify_certificate(committee: Committee, chain_id: Hash, certificate: Certificate) -> None:
    """Raise `BadCertificate` unless a minimal quorum of this committee signed the subject.

    The committee must be that of the subject's epoch; which one that is, the caller knows.
    """
    subject, votes = certificate.subject, certificate.votes
    try:
        check_subject(subject)
    except PeerFault as fault:
        raise BadCertificate(str(fault)) from fault
    members = [member for member, _ in votes]
    if any(a >= b for a, b in pairwise(members)):
        raise BadCertificate("its members don't ascend")
    if members[-1] >= len(committee.seats):
        raise BadCertificate(f"the committee has no member {members[-1]}")
    stakes = [committee.stake(member) for member in members]
    if sum(stakes) < committee.quorum:
        raise BadCertificate(f"stake {sum(stakes)} is below the quorum {committee.quorum}")
    if sum(stakes) - min(stakes) >= committee.quorum:
        raise BadCertificate("it holds more votes than it needs")
    text = subject.signing_bytes(chain_id)
    for member, signature in votes:
        if not verify(committee.seats[member].key, text, signature):
            raise BadCertificate(f"the signature of member {member} is wrong")
