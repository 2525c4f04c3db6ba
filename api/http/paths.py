"""What stands in paths, read: hashes of transactions."""

from api.errors import MalformedRequest, Pointer
from api.http.routes import ApiCall
from api.http.scalars import HASH_TEXT


def tx_hash_of(call: ApiCall) -> bytes:
    """Read the transaction's hash in a path; raise `MalformedRequest`."""
    text = call.path["txHash"]
    if HASH_TEXT.fullmatch(text) is None:
        raise MalformedRequest(
            "a transaction's hash is 64 hex digits", errors=(Pointer("/txHash", "NOT_A_HASH"),)
        )
    return bytes.fromhex(text)
