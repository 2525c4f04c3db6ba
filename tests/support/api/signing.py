"""A signer's parts for tests: rules, looks, requests, and the chain that they speak of."""

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from ulid import ULID

from api.signing.process.desk import AskedRequest, SigningDesk
from api.signing.process.facts import Look
from api.signing.process.journal import AccountMark, SigningJournal
from api.signing.process.rules import AccountRules, KindLimits, PaidFacts
from api.signing.wire import (
    LeasedRequest,
    SignCoupon,
    SignGrant,
    SigningKind,
    SignRedemption,
    SignRefund,
    SignTopUp,
)
from ledger.params import default_parameters
from ledger.primitives.amounts import UNITS_PER_BILL, Units, format_bill
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Transfer

LITRE = UNITS_PER_BILL
CHAIN = Hash(bytes([9]) * 32)
START_MS = 1_800_000_000_000
RULES = default_parameters(development=True)
_numbers = count(1)


def key_of(name):
    return SigningKey(Seed(name.encode().ljust(32, b".")[:32]))


OPERATING, PAYOUT, PAYER, STUDENT = (
    address_of(key_of(name).public) for name in ("operating", "payout", "payer", "student")
)


def ulid():
    return str(ULID.from_timestamp(START_MS + next(_numbers)))


def limits(each=10 * LITRE, day=100 * LITRE, times=1_000, payee=0):
    return KindLimits(each_units=each, day_units=day, day_count=times, payee_day_units=payee)


def rules(*, day=1_000 * LITRE, payout=PAYOUT, former=(), coupons=(), **kinds):
    return AccountRules(
        address=OPERATING,
        prefix="dbill",
        payout=payout,
        former_payouts=frozenset(former),
        coupon_payouts=frozenset(coupons),
        day_units=day,
        kinds={SigningKind(name): given for name, given in kinds.items()}
        or {kind: limits() for kind in SigningKind},
    )


def refund(units, tx_hash=b"\1" * 32, height=5):
    return SignRefund(tx_hash.hex(), height, format_bill(Units(units)))


def coupon(*parts, reference=b"\2" * 32):
    given = parts or ((b"\7" * 32, LITRE // 2),)
    redeem = tuple(SignRedemption(lot.hex(), format_bill(Units(units))) for lot, units in given)
    return SignCoupon(reference.hex(), redeem)


def top_up(units, to=STUDENT, name=None):
    return SignTopUp(name or ulid(), format_address(to, "dbill"), format_bill(Units(units)))


def grant(units=LITRE // 100, to=STUDENT, student="h1_" + "a" * 24):
    return SignGrant(student, format_address(to, "dbill"), format_bill(Units(units)))


def paid(units, to=PAYOUT, payer=PAYER, code=""):
    return PaidFacts(payer, Transfer(to, Units(units), b"\3" * 32, ()), code)


def asked(order, facts=None, request_id=None):
    return AskedRequest(LeasedRequest(request_id or ulid(), order, "2026-11-01T00:00:00Z"), facts)


def look(height=10, time_ms=START_MS, nonce=0, units=10_000 * LITRE):
    return Look(height, time_ms, nonce, units, RULES)


@dataclass
class DeskRig:
    """A desk over a journal on disk, with a clock that a test sets."""

    folder: object
    rules: AccountRules
    valid_blocks: int = 100
    fee_units_max: int = 10_000
    wall_ms: int = START_MS
    new_key: bool = True

    @contextmanager
    def open(self):
        """Open the desk as a process does that starts anew."""
        journal = SigningJournal(self.folder / "journal.sqlite")
        try:
            if self.new_key and journal.mark(OPERATING) is None:
                journal.set_mark(OPERATING, AccountMark(0, stopped=False))
            yield SigningDesk(
                self.rules,
                key_of("operating"),
                journal,
                CHAIN,
                self.valid_blocks,
                self.fee_units_max,
                lambda: self.wall_ms,
            )
        finally:
            journal.close()


def transfers(answers):
    return [decode_transaction(answer.raw).intent.body for answer in answers]
