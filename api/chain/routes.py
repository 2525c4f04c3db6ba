"""What a wallet asks of the chain before it signs."""

from typing import Final

from starlette.responses import Response

from api.chain.schemas import (
    OutcomeView,
    ProofQuery,
    TakenTransaction,
    WalletTransactionBody,
    WalletView,
)
from api.errors import MalformedRequest, NotFound, Pointer, Unavailable
from api.http.catalogue import LEDGER_CODES
from api.http.paths import tx_hash_of
from api.http.routes import ApiCall, Idempotency, Route
from ledger.primitives.amounts import format_bill
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import format_address, parse_address
from node.client.errors import ClientFault, Rejected

TRANSACTION_BYTES_MAX: Final = 16_384
"""What a wallet signs fits, in hex, of a 16-key account too; a mint is not wanted here."""
PROOF_TYPE: Final = "application/octet-stream"


async def read_account(call: ApiCall) -> WalletView:
    """Give an account's balance and next nonce."""
    service = call.service
    try:
        account = parse_address(call.path["address"], service.config.prefix)
    except BadAddress as fault:
        raise MalformedRequest(
            str(fault), errors=(Pointer("/address", "NOT_AN_ADDRESS"),)
        ) from fault
    try:
        view = await service.node.account(account)
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
    return WalletView(
        format_address(account, service.config.prefix),
        format_bill(view.units),
        max(view.nonce, view.pending_nonce),
    )


async def read_transaction(call: ApiCall) -> OutcomeView:
    """Say what became of a transaction."""
    tx_hash = tx_hash_of(call)
    outcome = await call.service.outcomes.outcome_of(tx_hash)
    return OutcomeView(tx_hash.hex(), outcome.status, outcome.order_id, outcome.code or None)


async def submit_transaction(call: ApiCall) -> TakenTransaction:
    """Hand a wallet's transaction to the ledger: a mandate, an offer, a gift."""
    signed = call.body.transaction
    status = await call.service.transactions.submit(signed.raw, signed.transaction)
    return TakenTransaction(signed.transaction.id.hex(), status)


async def read_proof(call: ApiCall) -> Response:
    """Prove that a transaction is final, to whoever knows a committee."""
    try:
        proof = await call.service.node.proof(tx_hash_of(call), call.query.from_epoch)
    except Rejected as fault:
        raise NotFound(fault.detail, code="NO_PROOF") from fault
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
    return Response(proof, media_type=PROOF_TYPE)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/transactions",
        operation="submitTransaction",
        summary="Hand a signed transaction that pays no order to the ledger",
        tag="wallet",
        handler=submit_transaction,
        body=WalletTransactionBody,
        answer=TakenTransaction,
        status=202,
        idempotency=Idempotency.NATURAL,
        codes=("IS_A_PAYMENT", "LEDGER_UNAVAILABLE", "LEDGER_BUSY", *LEDGER_CODES),
        body_bytes_max=TRANSACTION_BYTES_MAX,
    ),
    Route(
        method="GET",
        path="/api/v1/proofs/{txHash}",
        operation="readProof",
        summary="Prove that a transaction is final, to whoever knows a committee",
        tag="wallet",
        handler=read_proof,
        query=ProofQuery,
        media=(PROOF_TYPE,),
        codes=("MALFORMED_REQUEST", "NO_PROOF", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/transactions/{txHash}",
        operation="readTransaction",
        summary="Say what became of a transaction: taken, final, refused, or never seen",
        tag="wallet",
        handler=read_transaction,
        answer=OutcomeView,
        codes=("MALFORMED_REQUEST", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/accounts/{address}",
        operation="readAccount",
        summary="Read an account's balance and the nonce that its next transaction bears",
        tag="wallet",
        handler=read_account,
        answer=WalletView,
        codes=("MALFORMED_REQUEST", "LEDGER_UNAVAILABLE"),
    ),
)
