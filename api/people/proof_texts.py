"""What people and tills show that it is they: how each is written. Most of it belongs in no log."""

from typing import Annotated

from msgspec import Meta

from api.http.unlogged import UNLOGGED

Password = Annotated[
    str, Meta(min_length=1, max_length=256, description="12 characters or more.", extra=UNLOGGED)
]
Pin = Annotated[
    str, Meta(pattern="^[0-9]{6}$", description="Six digits, for tills.", extra=UNLOGGED)
]
StaffCode = Annotated[str, Meta(pattern="^[0-9]{4,8}$")]
OfficeCode = Annotated[
    str,
    Meta(min_length=8, max_length=40, description="As the office gave it.", extra=UNLOGGED),
]
Bytes32 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="32 bytes in hex.")]
Nonce = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", description="32 bytes in hex.", extra=UNLOGGED)
]
"""Of a challenge, which is good once."""
SignatureText = Annotated[
    str, Meta(pattern="^[0-9a-f]{128}$", description="Ed25519, in hex.", extra=UNLOGGED)
]
