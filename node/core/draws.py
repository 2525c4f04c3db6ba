"""Draws: what leaders add to the seeds of later epochs, each proved by its VRF (spec §4.2).

Who draws is passed in, to `Application.prepare`; so is the VRF itself, so that a simulation may
remember its answers. Invariant: nothing in a draw is the leader's to choose.
"""

from dataclasses import dataclass
from typing import Protocol

from consensus import vrf as ecvrf
from consensus.leader import draw_bytes
from consensus.vrf import VrfOutput, VrfProof, proof_to_hash, public_key
from ledger.primitives.keys import PublicKey, Seed
from ledger.primitives.scalars import View
from node.core.plans import EpochPlan


class Vrf(Protocol):
    """A verifiable random function; `consensus.vrf` is the one of every node."""

    def prove(self, secret: Seed, alpha: bytes) -> VrfProof:
        """Make the proof of the secret's output for an input."""

    def verify(self, public: PublicKey, alpha: bytes, proof: VrfProof) -> VrfOutput | None:
        """Give the output that a proof stands for; None if it proves nothing."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A leader's VRF proof for its view, and the output that the proof stands for."""

    proof: bytes
    drawn: bytes


class Drawer(Protocol):
    """Who draws when this node makes a block."""

    def draw(self, plan: EpochPlan, view: View) -> Draw | None:
        """Draw as the leader of a view of the plan's epoch; None if that can't be done here."""


class SecretDrawer:
    """Draws with one secret, for the views of the seat whose registered key is the secret's."""

    __slots__ = ("_public", "_secret", "_vrf")

    def __init__(self, secret: Seed, vrf: Vrf = ecvrf) -> None:
        self._secret = secret
        self._public = public_key(secret)
        self._vrf = vrf

    def draw(self, plan: EpochPlan, view: View) -> Draw | None:
        """Draw; None if the leader's registered key is another than the secret's."""
        if self._public != plan.vrf_key(view):
            return None
        proof = self._vrf.prove(self._secret, draw_bytes(plan.seed, plan.epoch, view))
        drawn = proof_to_hash(proof)
        assert drawn is not None, "what was just proved is a proof"
        return Draw(proof, drawn)
