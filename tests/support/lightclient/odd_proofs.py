"""Proofs at the edges of the format: chains whose numbers, texts and keys are out of the common.

Each is a chain of one block, with an anchor of its own: what a common verifier gets wrong shows in
them, and not in an ordinary chain.
"""

from dataclasses import dataclass, field
from typing import Final

from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, PublicKey, Signature
from ledger.types.block import Receipt
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Redemption, Transfer
from tests.support.ledger.odd_signatures import MISSPELT, OddKey
from tests.support.lightclient.proof_chain import CHAIN_ID, PAYEE, ProofChain, make_key

COUNTER_MAX: Final = 2**53
LONG_CODE: Final = "\N{GLASS OF MILK}" * 64
"""As long as a code may be: 64 code points, 128 units of UTF-16, 256 bytes."""


@dataclass
class _Exact:
    """A validator whose key is odd, and whose votes hold wherever nobody looks at the key."""

    key: OddKey

    @property
    def public(self) -> PublicKey:
        return self.key.public

    def sign(self, text: bytes) -> Signature:
        return self.key.sign_exactly(text)


@dataclass
class OddChain(ProofChain):
    """A chain in whose committee an odd key replaces the first member's."""

    stakes: tuple[tuple[int, ...], ...] = ((1, 1, 1, 1),)
    odd: OddKey = field(default_factory=lambda: OddKey(0))

    def keys(self, epoch):
        """Give the committee's keys, ascending; the odd one among them."""
        voters = [_Exact(self.odd), *super().keys(epoch)[1:]]
        return sorted(voters, key=lambda each: each.public)

    def certify(self, height, *, members=None, **fields):
        """Finalize by three of four, the odd one among them."""
        odd = [each.public for each in self.keys(0)].index(self.odd.public)
        three = members or sorted({odd, 0, 1, 2} if odd > 2 else {0, 1, 2})[-3:]
        return super().certify(height, members=three, **fields)


def odd_chain(odd: OddKey) -> OddChain:
    """Grow a chain of one block that a validator with an odd key helped to finalize."""
    chain = OddChain(odd=odd)
    chain.add(1)
    return chain


def small_order_chain() -> OddChain:
    """Seat a key of order eight, in whose name anybody can sign."""
    return odd_chain(OddKey(0, 1))


def misspelt_chain() -> OddChain:
    """Seat the identity, written as p + 1."""
    spelling, part = MISSPELT["p + 1"]
    return odd_chain(OddKey(0, part, spelling))


def wide_chain() -> ProofChain:
    """Grow a chain whose numbers are the largest that there are; floats hold none of them but one.

    Rounded to floats, the stakes are equal, and the second member's is the first one's.
    """
    chain = ProofChain(stakes=((UNITS_MAX, UNITS_MAX - 1, UNITS_MAX - 2, 1),))
    paid = transfer(nonce=UNITS_MAX, units=UNITS_MAX, fee=UNITS_MAX, until=UNITS_MAX)
    chain.add(
        raws=(encode(paid),),
        receipts=(Receipt(paid.id, LONG_CODE, Units(UNITS_MAX)),),
        view=COUNTER_MAX,
        parent_view=COUNTER_MAX - 1,
        height=COUNTER_MAX + 1,
    )
    return chain


def joint_chain() -> ProofChain:
    """Grow a chain on which two of three keys paid, and milk left the ledger with the sale."""
    chain = ProofChain()
    basket = (Redemption(CHAIN_ID, Units(1_000_000)), Redemption(Hash(b"\xff" * 32), Units(7)))
    paid = transfer("ann", "ben", "cat", redeem=basket)
    chain.add(raws=(encode(paid),), receipts=(Receipt(paid.id, "", Units(100)),))
    return chain


def transfer(*payers: str, nonce=0, units=1_800_000, fee=100, until=1_000_000, redeem=()):
    """Sign a payment by all but one of the payers, or by a lone one."""
    keys = sorted((make_key(name) for name in payers or ("payer",)), key=lambda key: key.public)
    signers = keys[1:] or keys
    policy = Policy(len(signers), tuple(key.public for key in keys))
    body = Transfer(PAYEE, Units(units), bytes(32), redeem)
    signed: Transaction = sign(Intent(CHAIN_ID, policy, nonce, Units(fee), until, body), *signers)
    return signed
