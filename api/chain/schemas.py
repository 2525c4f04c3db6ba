"""The chain in JSON: accounts as wallets need them."""

import msgspec

from api.http.scalars import AddressText, BillText


class WalletView(msgspec.Struct, frozen=True, rename="camel"):
    """An account, and the nonce that its next transaction bears."""

    address: AddressText
    bill: BillText
    nonce: int
