"""One account's desk: what is asked is judged, signed and kept, in that order.

`sign_batch` judges each request by what the chain and the journal say, makes the bytes, and keeps
them all with one sync; only then does it give them. A request that was signed before gets the same
bytes again; one that changed its words gets none.

An account signs from `ready_height` on. A new key may at once. A key whose journal is new, or whose
book was found wanting, waits until everything that it may have signed elsewhere has passed its last
block: then no bytes are abroad that the journal does not know. A transaction on the chain that the
journal does not know, of an account that was ready, means that another signs with this key: the
account stops for good, until an operator says that it may go on.

Time is the chain's, which nobody here can set; it never goes back. A chain whose time is far from
this machine's is not believed: one of the two is wrong, and a day's limit hangs on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from api.signing.process.errors import SigningRefused
from api.signing.process.facts import Look, SentEntry
from api.signing.process.journal import AccountMark, JournalEntry, SigningJournal
from api.signing.process.nonces import EntryState, free_nonces
from api.signing.process.rules import AccountRules, PaidFacts, Spent, decide
from api.signing.wire import (
    IN_FLIGHT_MAX,
    LeasedRequest,
    SigningKind,
    fingerprint_of,
    kind_of,
)
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy, PublicKey, Signature
from ledger.rules.fees import price_intent
from ledger.types.transaction import Intent, Transaction
from ledger.types.transfer import Transfer

CLOCK_APART_MS_MAX: Final = 300_000
"""How far the chain's last final block may be from this machine's clock."""


class Signatory(Protocol):
    """Whatever signs: a key file here, or a module of hardware."""

    @property
    def public(self) -> PublicKey:
        """Give the public half."""
        ...

    def sign(self, message: bytes) -> Signature:
        """Sign a message."""
        ...


@dataclass(frozen=True, slots=True)
class AskedRequest:
    """A request, and what the node says of the payment that it gives back."""

    leased: LeasedRequest
    paid: PaidFacts | None = None


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """Bytes that are in the journal."""

    request_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """Why there are none."""

    request_id: str
    code: str
    detail: str


class SigningDesk:
    """Signs for one account of one chain."""

    def __init__(
        self,
        rules: AccountRules,
        key: Signatory,
        journal: SigningJournal,
        chain_id: Hash,
        valid_blocks: int,
        fee_units_max: int,
        wall_ms: Callable[[], int],
    ) -> None:
        self.rules, self.address = rules, rules.address
        self.journal = journal
        self._key, self._policy = key, Policy.single(key.public)
        self._chain_id, self._valid_blocks = chain_id, valid_blocks
        self._fee_units_max = fee_units_max
        self._wall_ms = wall_ms

    def lacking(self, look: Look) -> int:
        """Count the transactions that the chain has of this account and the journal has not."""
        return max(0, look.nonce - self.journal.used_count(self.address))

    def adopt(self, sent: Sequence[SentEntry], look: Look) -> bool:
        """Take in what the journal did not know; give whether the account is stopped by it.

        What came later than an older journal's bytes could was signed by somebody else.
        """
        mark = self._mark(look)
        stopped = mark.stopped or any(one.height > mark.ready_height for one in sent)
        self.journal.keep(self.address, [one.entry for one in sent])
        self.journal.set_mark(self.address, AccountMark(mark.ready_height, stopped))
        return stopped

    def _mark(self, look: Look) -> AccountMark:
        """Give from when the account signs; one that the journal never heard of waits."""
        mark = self.journal.mark(self.address)
        if mark is None:
            mark = AccountMark(look.height + self._valid_blocks, stopped=False)
            self.journal.set_mark(self.address, mark)
        return mark

    def hindrance(self, look: Look) -> str:
        """Say why nothing is signed now; empty if something may be."""
        mark = self._mark(look)
        if mark.stopped:
            return (
                "another process has signed with this key: find it, make a new key if it was "
                "stolen, then `billcoin signer resume`"
            )
        if look.height < mark.ready_height:
            return f"what this key may have signed elsewhere can be final until {mark.ready_height}"
        apart_ms = self._wall_ms() - look.time_ms
        if abs(apart_ms) > CLOCK_APART_MS_MAX:
            return f"this machine's clock is {apart_ms / 1_000:.0f} s from the chain's"
        return ""

    def room(self) -> int:
        """Give how many more transactions may be on their way."""
        return max(0, IN_FLIGHT_MAX - len(self.journal.live(self.address)))

    def sign_batch(
        self, asked: Sequence[AskedRequest], look: Look
    ) -> list[SignedAnswer | RefusedAnswer]:
        """Judge requests and sign; nothing is given that is not on disk.

        Requests beyond the room that there is get no answer; nor does any while `hindrance` tells.
        """
        if self.hindrance(look):
            return []
        batch = _Batch(self.journal, self.address, look)
        answers: list[SignedAnswer | RefusedAnswer] = []
        for request in asked:
            answer = self._answer(request, look, batch)
            if answer is not None:
                answers.append(answer)
        if batch.entries:
            self.journal.keep(self.address, batch.entries)
        return answers

    def _answer(
        self, request: AskedRequest, look: Look, batch: "_Batch"
    ) -> SignedAnswer | RefusedAnswer | None:
        request_id, order = request.leased.id, request.leased.order
        fingerprint = fingerprint_of(order)
        known = batch.find(request_id)
        try:
            if known is not None:
                return _again(known, fingerprint)
            transfer = decide(order, self.rules, request.paid, batch, batch.now_ms)
            if not batch.nonces:
                return None
            made = self._make(transfer, batch.nonces[0], look)
            batch.check_purse(transfer.units + made.intent.fee_units)
        except SigningRefused as fault:
            return RefusedAnswer(request_id, fault.code, str(fault))
        entry = JournalEntry(
            request_id=request_id,
            fingerprint=fingerprint,
            kind=kind_of(order),
            reference=transfer.reference,
            payee=transfer.to,
            units=transfer.units,
            nonce=made.intent.nonce,
            txid=made.id,
            raw=encode(made),
            valid_until_height=made.intent.valid_until_height,
            signed_ms=batch.now_ms,
        )
        batch.add(entry)
        return SignedAnswer(request_id, entry.raw)

    def _make(self, transfer: Transfer, nonce: int, look: Look) -> Transaction:
        until = look.height + self._valid_blocks
        intent = Intent(self._chain_id, self._policy, nonce, Units(0), until, transfer)
        intent = price_intent(intent, look.rules)
        if intent.fee_units > self._fee_units_max:
            raise SigningRefused("FEE_TOO_HIGH", f"the chain asks {intent.fee_units} units of fee")
        return Transaction(intent, ((0, self._key.sign(intent.signing_bytes())),))


def _again(known: JournalEntry, fingerprint: bytes) -> SignedAnswer | RefusedAnswer:
    """Answer what was answered before: the same bytes, if it is the same request."""
    assert known.request_id is not None, "it was found by its id"
    if known.fingerprint != fingerprint:
        return RefusedAnswer(
            known.request_id, "REQUEST_CHANGED", "this id was signed with other words"
        )
    if known.state in (EntryState.LAPSED, EntryState.SUPERSEDED):
        return RefusedAnswer(
            known.request_id, "LAPSED", "what was signed can't take effect any more: ask anew"
        )
    return SignedAnswer(known.request_id, known.raw)


class _Batch:
    """The journal together with what this batch adds to it."""

    def __init__(self, journal: SigningJournal, account: Address, look: Look) -> None:
        self._journal, self._account = journal, account
        self.now_ms = max(look.time_ms, journal.newest_ms(account))
        live = journal.live(account)
        self.nonces = list(free_nonces(look.nonce, {entry.nonce for entry in live}))
        on_the_way = sum(entry.units for entry in live if entry.nonce >= look.nonce)
        self._purse_units = look.units - on_the_way
        self.entries: list[JournalEntry] = []

    def find(self, request_id: str) -> JournalEntry | None:
        """Give what was signed for a request, in this batch too."""
        mine = (entry for entry in self.entries if entry.request_id == request_id)
        return next(mine, None) or self._journal.find(self._account, request_id)

    def check_purse(self, units: int) -> None:
        """Raise `SigningRefused` unless the account holds so many beside what is on its way."""
        mine = sum(entry.units for entry in self.entries)
        if units > self._purse_units - mine:
            raise SigningRefused("OUT_OF_FUNDS", "the account holds too little")

    def add(self, entry: JournalEntry) -> None:
        """Add what was signed, under the number that was the next."""
        used = self.nonces.pop(0)
        assert used == entry.nonce, "numbers are used in their order"
        self.entries.append(entry)

    def given_units(self, reference: bytes) -> int:
        """Sum up what was paid under a reference."""
        mine = sum(entry.units for entry in self.entries if entry.reference == reference)
        return mine + self._journal.given_units(self._account, reference)

    def spent(self, since_ms: int, kind: SigningKind | None, to: Address | None) -> Spent:
        """Sum up what was signed since a time."""
        before = self._journal.spent(self._account, since_ms, kind, to)
        mine = [
            entry
            for entry in self.entries
            if (kind is None or entry.kind == kind) and (to is None or entry.payee == to)
        ]
        units = sum(entry.units for entry in mine)
        return Spent(before.units + units, before.count + len(mine))
