"""A ledger with people in it: say who does what, and get the code that the law answers.

`Town` executes one block a call on one growing state, so that tests read as stories. `close`
audits everything that stands in the state.
"""

from collections.abc import Callable
from functools import cached_property

from msgspec.structs import replace

from ledger.genesis import genesis_state
from ledger.invariants import Audit, audit
from ledger.params import Parameters, default_parameters
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey, Signature, SigningKey, address_of, verify
from ledger.primitives.votes import VoteKind
from ledger.state import Overlay
from ledger.state.tables import account
from ledger.state.tables import parameters as in_force
from ledger.transition import BlockContext, apply_block, signature_claims
from ledger.types.staking import RegisterValidator, SubmitEvidence, possession_bytes
from ledger.types.transaction import Body
from ledger.types.votes import SignedVote
from tests.support.ledger.dairy import NOW_MS, Dairy, bill, key
from tests.support.ledger.milking import SHARES, Milking

PURSES = {name: bill(1_000) for name in ("alice", "bob", "carol", "mmu", "regulator", "treasury")}


def parameters(**parts: dict[str, object]) -> Parameters:
    """Parameters, a development network's unless said, with some fields of some parts changed."""
    rules = default_parameters(development=bool(parts.get("development", True)))
    changed = {
        part: replace(getattr(rules, part), **fields) if isinstance(fields, dict) else fields
        for part, fields in parts.items()
    }
    return replace(rules, **changed)


class Town:
    """A chain of one-transaction blocks, and the people on it."""

    def __init__(self, dairy: Dairy | None = None, **parts: dict[str, object]) -> None:
        self.dairy = dairy or Dairy(parameters=parameters(**parts), balances=PURSES)
        self.genesis = genesis_state(self.dairy.genesis)
        self.state = Overlay(self.genesis)
        self.height = 0
        self.time_ms = NOW_MS

    def do(self, who: str | SigningKey, body: Body, *, proposer: str = "owner-0") -> str:
        """Execute a block with one transaction; give the receipt's code."""
        signer = key(who) if isinstance(who, str) else who
        return self.blocks([self.dairy.next(self.state, body, signer)], proposer)[0]

    def blocks(self, transactions, proposer: str = "owner-0") -> list[str]:
        """Execute one block; every signature that it claims must hold."""
        self.height += 1
        for transaction in transactions:
            for claim in signature_claims(transaction, self.dairy.chain_id):
                assert verify(*claim)
        context = BlockContext(
            self.dairy.chain_id, self.height, self.time_ms, self.address(proposer)
        )
        outcome = apply_block(self.state, context, transactions)
        return [receipt.code for receipt in outcome.receipts]

    @cached_property
    def milking(self) -> Milking:
        """The dairy's meters and instruments."""
        return Milking(self.dairy)

    def make_lot(self, *litres: int, **parts: object) -> Hash:
        """Collect and pasteurize what each farm brings, in whole litres; give the lot's id."""
        shares = [bill(each) for each in litres] or SHARES
        batch = self.milking.next(shares, at_ms=self.time_ms - 120_000, **parts)
        for sender, body in batch.steps:
            assert self.do(sender, body) == ""
        return batch.lot

    def wait(self, blocks: int) -> None:
        """Let empty blocks pass."""
        for _ in range(blocks):
            self.blocks([])

    def to_epoch(self, epoch: int) -> None:
        """Let empty blocks pass until the next one is the first of an epoch."""
        length = self.dairy.genesis.parameters.staking.epoch_blocks
        assert self.height <= epoch * length
        self.wait(epoch * length - self.height)

    def units(self, who: str) -> int:
        return account(self.state, self.address(who)).units

    @staticmethod
    def address(who: str) -> Address:
        return address_of(key(who).public)

    def entries(self) -> list[tuple[bytes, bytes]]:
        found = dict(self.genesis.changes) | dict(self.state.changes)
        return [(k, v) for k, v in sorted(found.items()) if v is not None]

    def close(self) -> Audit:
        """Audit the whole state; it must be clean."""
        rules = in_force(self.state)
        found = audit(self.entries(), self.state.accumulator, rules)
        assert found.findings == []
        return found

    # Staking.

    def registration(
        self, who: str, name: str = "new", commission_bp: int = 1_000
    ) -> RegisterValidator:
        """A validator's registration with a good proof; its keys follow from its name."""
        vote, vrf = key(f"vote-{name}"), key(f"vrf-{name}")
        message = possession_bytes(self.dairy.chain_id, self.address(who), vote.public, vrf.public)
        return RegisterValidator(vote.public, vrf.public, name, commission_bp, vote.sign(message))

    def vote(
        self, signer: SigningKey, kind: VoteKind, block: bytes, epoch: int = 0, view: int = 5
    ) -> SignedVote:
        """A signed vote; `block` is one byte that makes the hash, empty for zeros."""
        draft = SignedVote(kind, epoch, view, 0, (block or b"\0") * 32, Signature(bytes(64)))
        return replace(draft, signature=signer.sign(draft.signing_bytes(self.dairy.chain_id)))

    def evidence(
        self,
        signer: SigningKey,
        kinds: tuple[VoteKind, VoteKind] = (VoteKind.NOTARIZE, VoteKind.NOTARIZE),
        blocks: tuple[bytes, bytes] = (b"a", b"b"),
        epoch: int = 0,
        view: int = 5,
    ) -> SubmitEvidence:
        """Two votes of one validator."""
        first, second = (
            self.vote(signer, kind, block, epoch, view)
            for kind, block in zip(kinds, blocks, strict=True)
        )
        return SubmitEvidence(PublicKey(signer.public), first, second)


Story = Callable[[Town], None]
