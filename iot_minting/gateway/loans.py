"""Loans: what a gateway lacks it borrows of its peers, and what they lack it lends (spec §3.12).

Lives on the ingest's thread: what is borrowed is judged as readings are, and stored in the same
commit; what is lent is read from the archive. Wants and loans are lost like any word: who lacks
something asks again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import structlog

from iot_minting.errors import BadLoan
from iot_minting.gateway.allowance import Allowance
from iot_minting.gateway.borrowing import Borrower
from iot_minting.gateway.duty import Duty, PeerLetter
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.metrics import BORROWED, BORROWS, LENT
from iot_minting.gateway.pieces import BEGINNING, ChainFloor
from iot_minting.gateway.verdicts import Verdict
from iot_minting.wire.loans import (
    LOAN_ENVELOPES_MAX,
    Number,
    read_loan,
    read_want,
    sign_loan,
    sign_want,
)
from iot_minting.wire.topics import loan_topic, want_topic
from ledger.primitives.codec import encode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.types.reading import Envelope

LOANS_A_SECOND: Final = 100
"""Wants that are answered in the long run; further ones are dropped, and asked again."""
LOANS_AT_ONCE_MAX: Final = 200
LOOK_MS: Final = 1_000
"""How often it is looked whether something lacks, but for what is being borrowed."""

FindFloor = Callable[[PublicKey], ChainFloor | None]
"""Gives up to where final blocks are done with a device; None while that is not known."""
Send = Callable[[str, bytes], None]
"""Sends a message that nobody keeps."""

log = structlog.get_logger("mint.loans")


class LentReadings(Protocol):
    """Where what is lent is kept."""

    def after(
        self, device: PublicKey, number: Number, limit: int, since_ms: int = 0
    ) -> list[tuple[Envelope, int]]:
        """List a device's envelopes after a number, in order, with their arrivals."""
        ...


class Loans:
    """What a gateway that is alone does: nothing."""

    def take(self, now_ms: int) -> list[Verdict]:
        """Judge what was lent to this gateway since it was asked last."""
        return []

    def step(self, now_ms: int) -> None:
        """Ask for what lacks."""


class PeerLoans(Loans):
    """Loans among the gateways of an MMU."""

    def __init__(
        self,
        chain_id: Hash,
        key: SigningKey,
        peers: Sequence[PublicKey],
        duty: Duty,
        judge: LinkJudge,
        shelf: LentReadings,
        floor: FindFloor,
        send: Send,
    ) -> None:
        self._chain_id, self._key, self._peers, self._duty = chain_id, key, tuple(peers), duty
        self._judge, self._shelf, self._floor, self._send = judge, shelf, floor, send
        self._borrower = Borrower()
        self._pace = Allowance(LOANS_A_SECOND, LOANS_AT_ONCE_MAX)
        self._look_ms = 0
        self._helped: set[PublicKey] = set()

    def take(self, now_ms: int) -> list[Verdict]:
        """Judge what was lent to this gateway since it was asked last, and lend what is wanted."""
        verdicts: list[Verdict] = []
        for letter in self._duty.take_letters():
            try:
                if letter.asker is None:
                    verdicts += self._borrow(letter, now_ms)
                elif self._pace.take(1, now_ms):
                    self._lend(letter.asker, letter.raw)
            except (BadLoan, CodecFault) as fault:
                # Whoever reaches the broker can cause it.
                log.debug("letter not taken", why=str(fault))
        return verdicts

    def _borrow(self, letter: PeerLetter, now_ms: int) -> list[Verdict]:
        lender, loan = read_loan(letter.raw, self._chain_id, self._key.public, self._peers)
        device = PublicKey(loan.device)
        verdicts: list[Verdict] = []
        if (floor := self._floor(device)) is not None:
            for envelope in loan.envelopes:
                if envelope.reading().device == device:
                    verdicts += self._judge.adopt(envelope, floor, now_ms)
        self._borrower.hear(device, lender, helped=bool(verdicts))
        if verdicts:
            self._helped.add(device)
            BORROWED.inc(len(verdicts))
        return verdicts

    def _lend(self, asker: PublicKey, raw: bytes) -> None:
        want = read_want(raw, self._chain_id, asker)
        device, plant = PublicKey(want.device), self._judge.plant(PublicKey(want.device))
        if want.lender != self._key.public or not plant:
            return
        after = want.after or BEGINNING
        found = self._shelf.after(device, after, LOAN_ENVELOPES_MAX, want.since_ms)
        envelopes = [envelope for envelope, _ in found]
        loan = sign_loan(self._chain_id, self._key, asker, device, want.after, envelopes)
        LENT.inc(len(loan.envelopes))
        self._send(loan_topic(plant, asker), encode(loan))

    def step(self, now_ms: int) -> None:
        """Ask for what lacks: of all devices now and then, of those that are borrowed at once."""
        helped, self._helped = self._helped, set()
        if now_ms - self._look_ms < LOOK_MS and not helped:
            return
        whole = now_ms - self._look_ms >= LOOK_MS
        if whole:
            self._look_ms = now_ms
        for device, said in self._duty.ends_elsewhere().items():
            if whole or device in helped:
                self._ask(device, said, now_ms)
        BORROWS.set(self._borrower.count)

    def _ask(self, device: PublicKey, said: Mapping[PublicKey, Number], now_ms: int) -> None:
        plant, floor = self._judge.plant(device), self._floor(device)
        if not plant or floor is None:
            return
        have = max(self._judge.end(device), floor.done)
        lender = self._borrower.whom_to_ask(device, have, said, now_ms)
        if lender is None:
            return
        after = None if have == BEGINNING else have
        want = sign_want(self._chain_id, self._key, lender, device, after, floor.since_ms)
        self._send(want_topic(plant, self._key.public), encode(want))
