"""A wallet of the simulation: one key, and transfers signed as an offer asks for them.

It reads what a till's QR leads to (`PaymentOffer`) and signs exactly that. It opens no
connection: the shopper asks for the nonce and brings it here. What shows that it is there is never
signed before it was made anew from its parts.
"""

from pathlib import Path

from msgspec import Struct

from ledger.primitives.amounts import parse_bill
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import (
    Address,
    Policy,
    Seed,
    SigningKey,
    address_of,
    format_address,
    parse_address,
)
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Redemption, Transfer
from node.home.key_file import keep_seed, make_seed


class OfferAmount(Struct, frozen=True):
    """A price in tokens and in ringgit, as decimal strings."""

    bill: str
    myr: str


class OfferRedemption(Struct, frozen=True):
    """The milk that leaves the ledger with the sale."""

    lot: str
    bill: str


class PaymentOffer(Struct, frozen=True, rename="camel"):
    """What a wallet reads behind a QR before it asks its owner to pay."""

    order_id: str
    state: str
    amount: OfferAmount
    address: str
    prefix: str
    reference: str
    redeem: tuple[OfferRedemption, ...]
    chain_id: str
    fee: str
    valid_until: str
    valid_until_height: int


class WalletChallenge(Struct, frozen=True, rename="camel"):
    """What a service asks a wallet to sign, to show that it is there (docs/people.md)."""

    purpose: str
    chain_id: str
    host: str
    nonce: str
    expires_ms: int
    message: str


class StrangeChallenge(Exception):
    """A wallet was asked to sign something else than it was told, or for another host."""


class Wallet:
    """One ordinary account. Its seed stays in a file that its owner alone can read."""

    __slots__ = ("_key", "address")

    def __init__(self, seed: Seed) -> None:
        self._key = SigningKey(seed)
        self.address: Address = address_of(self._key.public)

    @classmethod
    def draw(cls) -> "Wallet":
        """Make a wallet that nobody keeps."""
        return cls(make_seed())

    @classmethod
    def keep(cls, path: Path) -> "Wallet":
        """Open the wallet of a file, or make a new one there."""
        return cls(keep_seed(path))

    def address_text(self, prefix: str) -> str:
        """Write the wallet's address for people."""
        return format_address(self.address, prefix)

    def prove(self, challenge: WalletChallenge, host: str) -> dict[str, object]:
        """Show that the account is ours, to the host that we talk to; raise `StrangeChallenge`."""
        name = host.encode("ascii")
        parts = (
            challenge.purpose.encode("ascii"),
            bytes.fromhex(challenge.chain_id),
            len(name).to_bytes(1, "big"),
            name,
            bytes.fromhex(challenge.nonce),
            challenge.expires_ms.to_bytes(8, "big"),
        )
        message = b"".join(parts)
        if message.hex() != challenge.message:
            raise StrangeChallenge(f"for {challenge.host}, while we talk to {host}")
        key = self._key.public.hex()
        return {
            "policy": {"threshold": 1, "keys": [key]},
            "signatures": [{"key": key, "signature": self._key.sign(message).hex()}],
        }

    def pay(self, offer: PaymentOffer, nonce: int) -> Transaction:
        """Sign a transfer that pays the offer in full and redeems its milk."""
        transfer = Transfer(
            to=parse_address(offer.address, offer.prefix),
            units=parse_bill(offer.amount.bill),
            reference=bytes.fromhex(offer.reference),
            redeem=tuple(
                Redemption(Hash(bytes.fromhex(milk.lot)), parse_bill(milk.bill))
                for milk in offer.redeem
            ),
        )
        intent = Intent(
            chain_id=Hash(bytes.fromhex(offer.chain_id)),
            sender=Policy.single(self._key.public),
            nonce=nonce,
            fee_units=parse_bill(offer.fee),
            valid_until_height=offer.valid_until_height,
            body=transfer,
        )
        return sign(intent, self._key)
