"""A false draw: its blocks are right in all but the VRF proof, and in what follows from that."""

from collections.abc import Iterable

from consensus import vrf
from consensus.leader import draw_bytes
from consensus.messages import Message, Proposal
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from node.core.draws import Draw
from node.core.plans import EpochPlan
from simulator.virtual.byzantine.mask import Mask, Said
from simulator.virtual.topology import secret

VIEWS_AHEAD_MAX = 3


class FixedDrawer:
    """Gives one draw, whatever the view."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def draw(self, plan: EpochPlan, view: View) -> Draw:
        """Give it."""
        return self._draw


class FalseDraw(Mask):
    """Draws nothing, or with another secret, or for another view, or with a broken proof."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Make the block again with the false draw, executed as if it were a true one.

        So nothing but the proof itself gives the lie away: no root, and no receipt.
        """
        mine = isinstance(message, Proposal) and message.vote.signer == self.seat
        # An epoch's last block that is proposed again comes without a body, and draws nothing.
        if not mine or not isinstance(message, Proposal) or not message.payload:
            return [(to, message)]
        about = message.vote.subject
        drawer = FixedDrawer(self._false_draw(about.view))
        built = self.build(about.view, about.parent_view, message.parent_hash, drawer=drawer)
        if built is None:
            return []
        vote = self.sign(VoteKind.NOTARIZE, about.view, about.parent_view, built.hash)
        parts = (message.parent_hash, built.raw, message.parent, message.nullifications)
        return [(to, Proposal(vote, *parts))]

    def _false_draw(self, view: View) -> Draw:
        """Choose a proof, and what a careless verifier would take it to have drawn."""
        plan = self.machine.application.plan
        own = self.process.env.topology.vrf_secrets[self.me]
        ahead = self.chance.randint(1, VIEWS_AHEAD_MAX)
        match self.chance.randrange(4):
            case 0:
                return Draw(b"", b"")
            case 1:
                stranger = secret(f"stranger-{self.chance.randrange(8)}")
                proof = vrf.prove(stranger, draw_bytes(plan.seed, plan.epoch, view))
            case 2:
                later = draw_bytes(plan.seed, plan.epoch, View(view + ahead))
                proof = vrf.prove(own, later)
            case _:
                genuine = vrf.prove(own, draw_bytes(plan.seed, plan.epoch, view))
                # Its point stays, so its output is the true one: only the proof is broken.
                proof = vrf.VrfProof(genuine[:32] + bytes([genuine[32] ^ 1]) + genuine[33:])
        drawn = vrf.proof_to_hash(proof)
        assert drawn is not None, "its point is a point"
        return Draw(proof, drawn)
