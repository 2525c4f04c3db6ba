"""Reads signers' tokens for the gate: whoever signs for an account may ask what is to be signed."""

from collections.abc import Callable

from starlette.requests import Request

from api.access.principals import SignerKey
from api.chain.tip import SettledTip
from api.errors import Unauthorized
from api.signing.token import TOKEN_PREFIX, read_token
from ledger.primitives.hashing import Hash


class SignerReader:
    """The gate's reader of signers' tokens."""

    def __init__(self, tip: SettledTip, now_ms: Callable[[], int]) -> None:
        self._tip, self._now_ms = tip, now_ms

    def reads(self, credential: str) -> bool:
        """Tell whether it looks like a signer's token."""
        return credential.startswith(f"{TOKEN_PREFIX}_")

    async def principal_of(self, credential: str, request: Request) -> SignerKey:
        """Give whose token it is; raise `Unauthorized` for one that does not hold now."""
        account = read_token(credential, Hash(self._tip.cursor.chain_id), self._now_ms())
        if account is None:
            raise Unauthorized("this signer's token does not hold: is its clock right?")
        return SignerKey(account=account)
