"""Transactions: the envelope that every sender signs, and the bodies it may carry.

A transaction's id is the hash of what is signed, so no one can change the id of another's
transaction by touching its signatures. What is signed: `BILLCOIN/tx/1` followed by the canonical
encoding of the `Intent`.
"""

from operator import itemgetter
from typing import Annotated, Final, NewType

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import (
    POLICY_KEYS_MAX,
    Address,
    Policy,
    PublicKey,
    Signature,
    SigningKey,
    WireSignature,
)
from ledger.primitives.scalars import Height
from ledger.types.doubt import DoubtBody
from ledger.types.governance import GovernanceBody
from ledger.types.line import LineBody
from ledger.types.mandate import ChargeMandate, MandateBody
from ledger.types.market import MarketBody
from ledger.types.milk import MilkBody
from ledger.types.price import PriceBody
from ledger.types.registry import RegistryBody
from ledger.types.staking import StakingBody
from ledger.types.tank import TankBody
from ledger.types.transfer import Basket, Transfer, TransferBody
from ledger.types.window import WindowBody

TxId = NewType("TxId", Hash)
"""The hash of what a transaction's sender signed."""

TRANSACTION_BYTES_MAX: Final = 64 * 1024
"""The largest transaction; a mint with its evidence is the largest kind."""

Nonce = Annotated[int, Meta(ge=0, le=2**63 - 1)]


Body = (
    TransferBody
    | RegistryBody
    | MilkBody
    | TankBody
    | DoubtBody
    | StakingBody
    | PriceBody
    | MarketBody
    | MandateBody
    | GovernanceBody
    | LineBody
    | WindowBody
)
"""What a transaction may carry. Each family lists its own; `ledger.rules` has a law for each."""


class Intent(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a sender wants and signs: on which chain, from whom, in which order, until when."""

    chain_id: WireHash
    sender: Policy
    nonce: Nonce
    fee_units: WireUnits
    valid_until_height: Height
    body: Body

    def signing_bytes(self) -> bytes:
        """Give the bytes that the sender's keys sign."""
        return Domain.TRANSACTION.value + encode(self)


class Transaction(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An intent with `threshold` signatures, each beside the key's place in the policy."""

    intent: Intent
    signatures: Annotated[
        tuple[tuple[Annotated[int, Meta(ge=0, lt=POLICY_KEYS_MAX)], WireSignature], ...],
        Meta(min_length=1, max_length=POLICY_KEYS_MAX),
    ]

    @property
    def id(self) -> TxId:
        """Name the transaction: the hash of what was signed."""
        return TxId(digest(Domain.TRANSACTION, encode(self.intent)))

    @property
    def sender(self) -> Address:
        """Name the account that pays."""
        return self.intent.sender.address()

    def signature_claims(self) -> list[tuple[PublicKey, bytes, Signature]]:
        """List what a verifier must check; raise `IndexError` if a place is not in the policy."""
        message, keys = self.intent.signing_bytes(), self.intent.sender.keys
        return [(keys[place], message, signature) for place, signature in self.signatures]


def sign(intent: Intent, *keys: SigningKey) -> Transaction:
    """Sign an intent with keys of its sender's policy."""
    message = intent.signing_bytes()
    places = sorted(
        ((intent.sender.keys.index(key.public), key) for key in keys), key=itemgetter(0)
    )
    return Transaction(intent, tuple((place, key.sign(message)) for place, key in places))


def decode_transaction(raw: bytes) -> Transaction:
    """Decode a transaction; raise a `CodecFault` if it is not canonical or too large."""
    return decode(raw, Transaction, TRANSACTION_BYTES_MAX)


def basket_of(body: Body) -> Basket:
    """Give what a body redeems; empty for one that is no sale."""
    return body.redeem if isinstance(body, Transfer | ChargeMandate) else ()
