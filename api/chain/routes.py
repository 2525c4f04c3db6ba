"""What a wallet asks of the chain before it signs."""

from typing import Final

from api.chain.schemas import OutcomeView, WalletView
from api.errors import MalformedRequest, Pointer, Unavailable
from api.http.routes import ApiCall, Route
from api.http.scalars import HASH_TEXT
from ledger.primitives.amounts import format_bill
from ledger.primitives.errors import BadAddress
from ledger.primitives.keys import format_address, parse_address
from node.client.errors import ClientFault


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
    text = call.path["txHash"]
    if HASH_TEXT.fullmatch(text) is None:
        raise MalformedRequest(
            "a transaction's hash is 64 hex digits", errors=(Pointer("/txHash", "NOT_A_HASH"),)
        )
    outcome = await call.service.outcomes.outcome_of(bytes.fromhex(text))
    return OutcomeView(text.lower(), outcome.status, outcome.order_id, outcome.code or None)


ROUTES: Final = (
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
