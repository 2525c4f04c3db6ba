"""Real Ed25519 and real VRF proofs, each worked out once for all nodes of a simulated network.

In the field every validator verifies every vote and every leader's draw; here they share one
process, and a hundred nodes would verify the same one a hundred times. `remember_signatures` puts
a memory in front of libsodium at the one place where the product calls it for signatures
(`ledger.primitives.keys.sodium`). Draws need no such step: each node is assembled with `DRAWS` as
its VRF, and the oracle asks it, too. Invariant: the answers are the genuine ones, to the bit; only
their price changes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import nacl.bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

from consensus import vrf
from consensus.vrf import VrfOutput, VrfProof
from ledger.primitives import keys
from ledger.primitives.keys import PublicKey, Seed

REMEMBERED_MAX: Final = 400_000
"""Answers kept; past it all are forgotten and worked out anew."""


class Remembering:
    """What `ledger.primitives.keys` uses of libsodium, with a memory."""

    def __init__(self) -> None:
        self._signed: dict[tuple[bytes, bytes], bytes] = {}
        self._opened: dict[tuple[bytes, bytes], bool] = {}

    def __getattr__(self, name: str) -> object:
        """Leave everything else to libsodium."""
        return getattr(sodium, name)

    def crypto_sign(self, message: bytes, secret: bytes) -> bytes:
        """Sign; the verdict over what was just signed is known."""
        slot = (secret, message)
        signed = self._signed.get(slot)
        if signed is None:
            signed = sodium.crypto_sign(message, secret)
            self._make_room()
            self._signed[slot] = signed
            # The second half of a libsodium secret key is its public key.
            self._opened[secret[32:], signed] = True
        return signed

    def crypto_sign_open(self, signed: bytes, public: bytes) -> bytes:
        """Verify; raise `BadSignatureError` as libsodium does."""
        slot = (public, signed)
        good = self._opened.get(slot)
        if good is None:
            try:
                sodium.crypto_sign_open(signed, public)
                good = True
            except (CryptoError, ValueError):
                good = False
            self._make_room()
            self._opened[slot] = good
        if not good:
            raise BadSignatureError
        return signed[64:]

    def _make_room(self) -> None:
        if len(self._opened) >= REMEMBERED_MAX:
            self._opened.clear()
            self._signed.clear()


class RememberingDraws:
    """A VRF as `node.core.draws.Vrf` has it, with a memory."""

    def __init__(self) -> None:
        self.is_absent = False
        """While it is, everything is worked out anew."""
        self._proved: dict[tuple[bytes, bytes], VrfProof] = {}
        self._verified: dict[tuple[bytes, bytes, bytes], VrfOutput | None] = {}

    def prove(self, secret: Seed, alpha: bytes) -> VrfProof:
        """Prove; the verdict over what was just proved is worked out like any other."""
        if self.is_absent:
            return vrf.prove(secret, alpha)
        slot = (secret, alpha)
        if slot not in self._proved:
            self._make_room()
            self._proved[slot] = vrf.prove(secret, alpha)
        return self._proved[slot]

    def verify(self, public: PublicKey, alpha: bytes, proof: VrfProof) -> VrfOutput | None:
        """Verify; None if it proves nothing."""
        if self.is_absent:
            return vrf.verify(public, alpha, proof)
        slot = (public, alpha, proof)
        if slot not in self._verified:
            self._make_room()
            self._verified[slot] = vrf.verify(public, alpha, proof)
        return self._verified[slot]

    def _make_room(self) -> None:
        if len(self._proved) + len(self._verified) >= REMEMBERED_MAX:
            self._proved.clear()
            self._verified.clear()


DRAWS: Final = RememberingDraws()
"""What was proved and verified in this process."""


def remember_signatures() -> None:
    """Put the memory of signatures in place, once a process."""
    if not isinstance(vars(keys)["sodium"], Remembering):
        vars(keys)["sodium"] = Remembering()


@contextmanager
def without_memories() -> Iterator[None]:
    """Let everything be worked out anew for a while, as each machine in the field does it."""
    memory, vars(keys)["sodium"], DRAWS.is_absent = vars(keys)["sodium"], sodium, True
    try:
        yield
    finally:
        vars(keys)["sodium"], DRAWS.is_absent = memory, False
