"""The fake ledger that also tells accounts' histories, as a signer asks for them."""

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Policy, address_of
from ledger.types.transaction import Intent, decode_transaction, sign
from ledger.types.transfer import Transfer
from node.client.views import HistoryView
from tests.support.node.fake_node import CUSTOMER, FEE_UNITS, FOREVER, FakeNode

HISTORY_PAGE = 3
"""Short, so that a history has several."""


class AccountChain(FakeNode):
    """One chain whose only rich account is the customer's."""

    async def history_page(self, address, height, index, limit):
        """List an account's transactions below a place, newest first."""
        self._speak()
        found = []
        for block in self.chain_blocks():
            for place, raw in enumerate(block.transactions):
                made = decode_transaction(raw)
                body = made.intent.body
                to = body.to if isinstance(body, Transfer) else None
                if address in (made.sender, to) and (block.height, place) < (height, index):
                    found.append(HistoryView(made.id, block.height, place))
        return found[::-1][: min(limit, HISTORY_PAGE)]

    def pay(self, to, units, reference=ZERO_HASH, key=CUSTOMER, redeem=()):
        """Take a transfer in, and give its id."""
        made = self.signed(Transfer(to, units, reference, redeem), key)
        told = self.take(encode(made))
        assert not told.code, told
        return made.id

    def signed(self, body, key=CUSTOMER, nonce=None):
        """Sign a body with the account's next number."""
        number = self.next_nonce(key) if nonce is None else nonce
        intent = Intent(
            self.chain.chain_id, Policy.single(key.public), number, Units(FEE_UNITS), FOREVER, body
        )
        return sign(intent, key)

    def fund(self, key, units):
        """Send an account its first money, in a block of its own."""
        self.pay(address_of(key.public), units)
        self.make_block()
