"""Whether milk is real: said by all that stands for money, in answers and in events."""

import msgspec
import pytest

from api.access.roles import Role
from api.amounts import format_time
from api.cash_outs.schemas import CashOutCard, CashOutView
from api.coupons.schemas import CampaignView, CouponCard, CouponView
from api.events.bodies import body_of
from api.events.kinds import EventKind
from api.events.schemas import event_view
from api.events.store import KeptEvent
from api.http.resources import ROUTES
from api.orders.schemas import OfferView, OrderView
from api.payments.schemas import PaymentView
from api.refunds.schemas import RefundCard, RefundView
from api.top_ups.schemas import TopUpCard, TopUpView
from tests.support.api.cash import LITRE, receipt
from tests.support.api.loyal_people import coupons, played, student
from tests.support.node.fake_node import CUSTOMER

BEARERS = (
    OrderView, OfferView, PaymentView, RefundView, CouponView, CampaignView, TopUpView, CashOutView,
)  # fmt: skip
"""What stands for money or milk and is asked for by itself."""


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act, **changes: start(act, **{"float_units": 100 * LITRE, **changes})


@pytest.mark.parametrize("shape", BEARERS, ids=lambda shape: shape.__name__)
def test_what_stands_for_money_says_in_answers_whether_it_is_real(shape):
    assert "livemode" in shape.__struct_fields__
    answers = [route.answer for route in ROUTES]
    assert any(shape is answer or shape in getattr(answer, "__args__", ()) for answer in answers)


@pytest.mark.parametrize("shape", [RefundCard, CouponCard, TopUpCard, CashOutCard])
def test_an_event_says_it_once_beside_its_data(shape):
    """The envelope of every event bears it, so a body need not."""
    assert "livemode" not in shape.__struct_fields__
    assert shape in {body_of(kind) for kind in EventKind}


@pytest.mark.parametrize("livemode", [False, True])
def test_every_event_bears_it(livemode):
    kept = KeptEvent("0" * 26, 1, "refund.created", 0, msgspec.Raw(b"{}"))
    told = msgspec.json.decode(msgspec.json.encode(event_view(kept, livemode=livemode)))
    assert (told["livemode"], told["timestamp"]) == (livemode, format_time(0))


def test_refunds_coupons_top_ups_and_cash_outs_of_a_development_chain_are_none_of_real_milk(on_rig):
    async def act(rig, people):
        holder, officer, manager = (
            await student(people, CUSTOMER),
            await people.officer(),
            await people.manager(),
        )
        seller = await people.member((Role.FARMER, people.union_id))
        order = await rig.api.order()
        await rig.api.paid(order)
        async with rig.signing():
            refund = (await rig.refund(orderId=order["id"])).json()
            top_up = await officer.ok("POST", "/top-ups", receipt(userId=holder.id))
        gift = {
            "name": "School milk",
            "merchantId": people.merchant_id,
            "productId": "whole-200",
            "fundedBy": "union",
            "userIds": [holder.id],
        }
        campaign = await officer.ok("POST", "/coupon-campaigns", gift)
        cash_out = await seller.ok("POST", "/cash-outs", {"bill": "1.000000"})
        [coupon] = await coupons(holder)
        lists = [
            (await member.ok("GET", path))["data"][0]
            for member, path in (
                (manager, "/refunds"),
                (officer, "/top-ups"),
                (seller, "/cash-outs"),
            )
        ]
        for shown in (refund, top_up, campaign, cash_out, coupon, *lists):
            assert shown["livemode"] is False
        events = (await manager.ok("GET", "/events?limit=200"))["data"]
        told = {event["type"]: event["livemode"] for event in events}
        assert (told["refund.created"], told["coupon.issued"]) == (False, False)

    on_rig(act)
