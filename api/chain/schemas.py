"""The chain in JSON: accounts as wallets need them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.http.scalars import AddressText, BillText, HashText, SignedBytes, UlidText
from api.payments.outcomes import TransactionStatus


class WalletView(msgspec.Struct, frozen=True, rename="camel"):
    """An account, and the nonce that its next transaction bears."""

    address: AddressText
    bill: BillText
    nonce: int


class WalletTransactionBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a wallet hands in for the ledger."""

    transaction: SignedBytes


class TakenTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A signed transaction that a node has."""

    tx_hash: HashText
    status: Annotated[
        TransactionStatus,
        Meta(description="`taken`, or `final` if it is in a block already."),
    ]


class ProofQuery(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """From where whoever reads a proof knows the chain."""

    from_epoch: Annotated[
        int, Meta(ge=0, le=2**53, description="An epoch whose committee the reader knows.")
    ] = 0


class OutcomeView(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a transaction."""

    tx_hash: HashText
    status: Annotated[
        TransactionStatus,
        Meta(
            description="`taken`: we or a node have it, and it goes on by itself. `final`: it is "
            "in a block; with a code it had no effect. `refused`: sign anew, with the same nonce. "
            "`never_seen`: send the same bytes again, or sign anew with the same nonce."
        ),
    ]
    order_id: UlidText | None
    code: Annotated[str | None, Meta(description="Why it failed or was refused.")]
