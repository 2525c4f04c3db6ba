"""Quorum: how many of the registered attestors must have recomputed a window."""

import itertools
from collections.abc import Sequence

from ledger.errors.evidence import TooFewAttestors, UnknownAttestor, UnorderedAttestors
from ledger.primitives.keys import PublicKey
from ledger.state.overlay import Reader
from ledger.state.tables import attestors


def attestor_quorum(registered: int) -> int:
    """Give how many of the registered attestors must agree: floor(2n/3) + 1."""
    return 2 * registered // 3 + 1


def check_quorum(reader: Reader, signers: Sequence[PublicKey]) -> None:
    """Raise unless signers stand in order, are registered, and enough."""
    registered = attestors(reader)
    if any(a >= b for a, b in itertools.pairwise(signers)):
        raise UnorderedAttestors
    for signer in signers:
        if signer not in registered:
            raise UnknownAttestor(attestor=signer.hex())
    needed = attestor_quorum(len(registered))
    if len(signers) < needed:
        raise TooFewAttestors(got=len(signers), registered=len(registered), needed=needed)
