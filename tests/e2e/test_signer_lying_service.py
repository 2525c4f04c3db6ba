"""A payments service in a thief's hands, against a real signer on a real chain.

The thief asks for whatever he likes, as often as he likes, and puts all that he gets on the chain.
What leaves the account is bounded by the signer's own file; what is given back goes to those who
paid, once.
"""

import pytest

from api.signing.process.config import SigningLimit
from api.signing.wire import SignCoupon, SigningKind, SignRedemption, SignRefund
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.types.transfer import REDEMPTIONS_MAX
from tests.support.api.signer_process import real_chain, signer_rig
from tests.support.api.signing import LITRE, PAYOUT, coupon, grant, key_of, top_up, ulid

THIEF = address_of(key_of("a thief").public)
FUNDS = 1_000 * LITRE
EACH, DAY = 2 * LITRE, 5 * LITRE
GRANT, GRANTS = LITRE // 100, 3


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    with real_chain(tmp_path_factory.mktemp("chain")) as chain:
        yield chain


def limit(kind, each, day, count=1_000):
    return SigningLimit(
        account="operating", kind=kind, each_units=each, day_units=day, day_count=count
    )


@pytest.fixture
def rig(tmp_path, chain):
    limits = (
        limit(SigningKind.REFUND, EACH, DAY),
        limit(SigningKind.COUPON, LITRE // 2, LITRE),
        limit(SigningKind.TOP_UP, EACH, DAY),
        limit(SigningKind.GRANT, GRANT, LITRE, count=GRANTS),
    )
    with signer_rig(tmp_path, chain, limits, funds=FUNDS) as rig:
        yield rig


def cash_in(rig):
    """Put all that was signed on the chain, and give the transfers that took effect."""
    made = rig.service.transactions()
    rig.chain.submit([encode(one) for one in made])
    return [one.intent.body for one in made if rig.chain.final(one.id)]


def test_a_thief_with_the_service_gets_no_more_than_the_days_limits(rig):
    asked = [rig.ask(top_up(EACH, to=THIEF)) for _ in range(20)]
    asked += [rig.ask(top_up(units, to=THIEF)) for units in (EACH + 1, FUNDS, 10**17)]
    asked += [rig.ask(grant(GRANT, to=THIEF, student=f"h1_{c * 24}")) for c in "abcdefgh"]
    asked += [rig.ask(grant(FUNDS, to=THIEF, student="h1_" + "z" * 24))]
    with rig.running():
        rig.answered(*asked)
    moved = cash_in(rig)
    with rig.running():  # A restart gives no new day, nor does a service that forgot everything.
        rig.service.forget()
        again = [rig.ask(top_up(EACH, to=THIEF)) for _ in range(5)]
        rig.answered(*asked, *again)
    assert [body.units for body in cash_in(rig)] == [body.units for body in moved]
    stolen = rig.chain.account(THIEF).units
    assert stolen == sum(body.units for body in moved)
    assert stolen == 2 * EACH + GRANTS * GRANT
    codes = set(rig.service.refusals.values())
    assert codes == {"DAY_LIMIT", "EACH_LIMIT", "DAY_COUNT"}


def test_refunds_reach_those_who_paid_and_no_more_than_they_paid(rig):
    payer = address_of(rig.chain.payer.public)
    tx_hash = rig.chain.pay(PAYOUT, 3 * LITRE)
    elsewhere = rig.chain.pay(THIEF, LITRE)
    before = rig.chain.account(THIEF).units
    good = [rig.refund(tx_hash, EACH), rig.refund(tx_hash, LITRE)]
    with rig.running():
        rig.answered(*good)
        bad = {
            rig.refund(tx_hash, 1): "MORE_THAN_PAID",
            rig.refund(elsewhere, 1): "PAID_ANOTHER",
            rig.refund(b"\x0f" * 32, LITRE): "PAYMENT_UNKNOWN",
            rig.refund(tx_hash, 0): "NOTHING_TO_PAY",
            rig.refund(tx_hash, 3 * LITRE): "MORE_THAN_PAID",
        }
        rig.answered(*bad)
        # What a refund paid is no payment to us: it can't be given back once more.
        moved = cash_in(rig)
        back = rig.refund(rig.service.transactions()[0].id, LITRE)
        rig.answered(back)
    assert rig.service.refusals == {**bad, back: "PAID_ANOTHER"}
    assert {body.to for body in moved} == {payer}
    assert sum(body.units for body in moved) == 3 * LITRE
    assert rig.chain.account(THIEF).units == before


def test_an_id_is_one_order_for_ever(rig):
    request = rig.ask(top_up(LITRE, to=PAYOUT))
    with rig.running():
        rig.answered(request)
        rig.service.requests.clear()
        rig.service.forget()
        rig.ask(top_up(LITRE, to=THIEF), request)
        rig.answered(request)
        assert rig.service.refusals == {request: "REQUEST_CHANGED"}
        twin = rig.ask(top_up(LITRE, to=THIEF, name=rig.service.requests[0].order.top_up_id))
        name = ulid()
        first, second = (rig.ask(top_up(LITRE, to=PAYOUT, name=name)) for _ in range(2))
        rig.answered(twin, first, second)
    assert rig.service.refusals[second] == "ALREADY_PAID"
    assert {body.to for body in cash_in(rig)} == {PAYOUT, THIEF}


def test_a_coupon_pays_nobody_but_the_payout_and_no_more_than_a_product(rig):
    [stock] = rig.chain.ask(lambda node: node.lots())
    reference = bytes(range(32))
    order = coupon((stock.id, LITRE // 2), reference=reference)
    first, again = rig.ask(order), rig.ask(order)
    dear = rig.ask(coupon((stock.id, LITRE // 2 + 1), reference=b"\x05" * 32))
    more = [rig.ask(coupon((stock.id, LITRE // 2), reference=bytes([i]) * 32)) for i in (6, 7)]
    with rig.running():
        rig.answered(first, again, dear, *more)
    assert rig.service.refusals == {
        again: "ALREADY_PAID",
        dear: "EACH_LIMIT",
        more[1]: "DAY_LIMIT",
    }
    moved = cash_in(rig)
    assert [(body.to, body.units) for body in moved] == [(PAYOUT, LITRE // 2)] * 2
    assert all(sum(part.units for part in body.redeem) == body.units for body in moved)


def test_a_service_that_keeps_all_bytes_back_and_lets_them_go_at_once_gains_nothing(rig):
    tx_hash = rig.chain.pay(PAYOUT, LITRE)
    rig.service.signature_status = 404  # It says that it wants none, and keeps them.
    kept = [rig.ask(SignRefund(tx_hash.hex(), 0, format_bill(Units(LITRE)))) for _ in range(3)]
    with rig.running():
        rig.reached("refusal", 2)
        # Bytes that come while it wants none are not wanted, however late it says so.
        rig.service.hung.add("signature")
        rig.reached("signature", rig.service.asked.count("signature") + 1)
        rig.service.signature_status = 200
        rig.service.hung.clear()
        rig.answered(*kept)
    moved = cash_in(rig)
    assert [body.units for body in moved] == [LITRE]
    assert sorted(rig.service.refusals.values()) == ["MORE_THAN_PAID", "MORE_THAN_PAID"]


def test_a_lease_that_no_signer_understands_leads_to_nothing(rig):
    dearest = SignRedemption("0" * 64, "999999999999.999999")
    odd = SignCoupon("0" * 64, (dearest,) * REDEMPTIONS_MAX)
    with rig.running():
        rig.reached("lease")
        rig.service.lease_raw = b'{"data": [{"id": "../../etc", "order": 1, "leasedUntil": ""}]}'
        rig.reached("lease", 4)
        rig.service.lease_raw = None
        request = rig.ask(odd)
        rig.answered(request)
    assert rig.service.refusals == {request: "BAD_BASKET"}
    assert not rig.service.transactions()
