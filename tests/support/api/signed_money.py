"""A payments service whose signer is played by hand, step by step: ask, lease, sign, settle."""

from dataclasses import dataclass, field

from ulid import ULID

from api.db.session import in_transaction
from api.payments.observation import FinalBatch, FinalTransaction
from api.payments.settlement import settle
from api.signing.office import SigningOffice
from api.signing.wire import transfer_for
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, Signature, address_of, parse_address
from ledger.types.transaction import Intent, Transaction, decode_transaction
from node.client.views import Submission
from tests.support.node.fake_node import CUSTOMER

FAR = 10**6
FIRST_NONCE = 1_000_000
"""Beyond what any real node takes: the service itself hands bytes to one as well."""


class DeafNode:
    """A node that takes everything, and puts nothing into a block: the test is the chain."""

    async def submit(self, raws):
        return [Submission(Hash(decode_transaction(raw).id), "", "") for raw in raws]


@dataclass
class HandSigner:
    """Does a signer's work and the chain's, at the moment that a test wants."""

    rig: object
    nonces: dict = field(default_factory=dict)

    def __post_init__(self):
        service = self.rig.api.service
        money = service.money
        self.office = SigningOffice(
            service.engine, DeafNode(), service.tip, money.book, money.handlers, "dbill",
            service.now_ms,
        )  # fmt: skip
        self.engine, self.service = service.engine, service

    async def lease(self, name, limit=64):
        return await self.office.lease(self.rig.account_of(name), limit, 0)

    def sign(self, request, name, valid_for=FAR, payee=None):
        """Sign a request; a refund goes to the customer, who paid."""
        key, what = self.rig.key_of(name), request.what
        to = getattr(what, "to", None)
        payee = payee or (parse_address(to, "dbill") if to else address_of(CUSTOMER.public))
        body = transfer_for(what, payee)
        nonce = self.nonces[name] = self.nonces.get(name, FIRST_NONCE) + 1
        chain_id = Hash(self.service.tip.cursor.chain_id)
        until = self.service.tip.cursor.height + valid_for
        intent = Intent(chain_id, Policy.single(key.public), nonce, Units(100), until, body)
        made = Transaction(intent, ((0, Signature(key.sign(intent.signing_bytes()))),))
        return encode(made)

    async def hand_over(self, request, name, raw):
        return await self.office.hand_over(self.rig.account_of(name), request.id, raw)

    async def finalize(self, *raws, code="", times=1):
        """Settle signed bytes as a block with them does."""
        batch = FinalBatch([self._final(raw, code) for raw in raws])
        now_ms, parties = self.service.now_ms(), self.service.money.parties

        async def work(connection):
            return await settle(connection, batch, now_ms, parties)

        for _ in range(times):
            await in_transaction(self.engine, work)

    def _final(self, raw, code):
        made = decode_transaction(raw)
        height, time_ms = self.service.tip.cursor.height + 1, self.service.now_ms()
        return FinalTransaction(made.id, made, code, height, bytes(32), time_ms)


def fresh_key():
    return str(ULID())
