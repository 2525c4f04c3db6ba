"""Any body that decodes, by anyone: it takes effect, or is recorded under a code; its fee is paid.

Bodies are drawn from the wire types themselves, at the edges of their bounds and with names of
things that are there, so that a type which is added is tried here by itself.
"""

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from msgspec import inspect

from ledger.errors.base import CannotPayFee, FeeTooLow, Refused
from ledger.invariants import audit
from ledger.params import DAY_MS
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.rules import LAWS
from ledger.state.records import Role
from ledger.state.tables import account, credit, grant_role, parameters
from ledger.transition import BlockContext, apply_block, check_transaction
from ledger.types.milk import PackLot
from ledger.types.transaction import decode_transaction
from tests.support.ledger.dairy import (
    FEE,
    GENESIS_MS,
    LINE,
    NOW_MS,
    PLANT,
    TANK,
    Dairy,
    bill,
    key,
)
from tests.support.ledger.milking import BATCH_MS, Milking
from tests.support.ledger.samples import sample_bodies
from tests.support.ledger.town import PURSES, Town

WHO = ("alice", "bob", "carol", "mmu", "regulator", "treasury", "owner-0")
CODES = {""}


def _gather(kind):
    CODES.add(kind.code)
    for child in kind.__subclasses__():
        _gather(child)


_gather(Refused)


def busy_town():
    """A town where everyone is licensed, and some milk is on its way."""
    town = Town(Dairy(balances={**PURSES, "owner-0": bill(50)}))
    for role in Role:
        if role is not Role.ATTESTOR:
            for who in ("bob", "carol") if role is not Role.MMU else ("bob",):
                grant_role(town.state, role, town.address(who))
    lot = town.make_lot()
    assert town.do("mmu", PackLot(lot, 5, bill(1))) == ""
    town.milking.begun_ms += BATCH_MS
    (milk,) = town.milking.collect([0, bill(40)])
    assert town.do("mmu", milk) == ""
    return town


TOWN = busy_town()
NAMES = sorted(
    {k[1:33] for k, _ in TOWN.entries() if len(k) >= 33} | {bytes(32), key("new").public}
)
TIMES = (0, GENESIS_MS, NOW_MS, NOW_MS + DAY_MS, NOW_MS + 40 * DAY_MS)


def numbers(kind):
    least, most = kind.ge or 0, kind.le if kind.le is not None else 2**63 - 1
    likely = (least, least + 1, 5, bill(3), bill(2_000), most - 1, most, *TIMES)
    inside = [value for value in likely if least <= value <= most]
    return st.one_of(st.sampled_from(inside), st.integers(least, most))


def values(kind):
    """Draw what a wire type allows, with a liking for its edges and for what is there."""
    match kind:
        case inspect.IntType():
            return numbers(kind)
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.StrType():
            likely = st.sampled_from(
                ["tank_gauge", "flow_meter", PLANT, LINE, TANK, "fee_least_units"]
            )
            return st.one_of(likely, st.text(min_size=kind.min_length or 0, max_size=12))
        case inspect.BytesType(min_length=32, max_length=32):
            return st.sampled_from(NAMES)
        case inspect.BytesType():
            least = kind.min_length or 0
            return st.binary(min_size=least, max_size=min(kind.max_length or 80, least + 80))
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.UnionType():
            return st.one_of([values(part) for part in kind.types])
        case inspect.TupleType():
            return st.tuples(*(values(part) for part in kind.item_types))
        case inspect.VarTupleType():
            least = kind.min_length or 0
            return st.lists(values(kind.item_type), min_size=least, max_size=least + 1).map(tuple)
        case inspect.StructType():
            return st.builds(kind.cls, *(values(field.type) for field in kind.fields))
    raise AssertionError(f"no idea how to draw {kind}")


BODIES = sample_bodies(Town())
ANY = {kind: values(inspect.type_info(kind)) for kind in LAWS}


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_whatever_decodes_takes_effect_or_is_recorded_and_pays(data):
    kind = data.draw(st.sampled_from(list(LAWS)))
    who = data.draw(st.sampled_from(WHO))
    body = data.draw(ANY[kind])
    town = TOWN
    state = type(town.state)(town.state)
    signed = town.dairy.next(state, body, key(who))
    transaction = decode_transaction(encode(signed))
    assert transaction == signed
    sender, fee = town.address(who), transaction.intent.fee_units
    before = account(state, sender)
    context = BlockContext(
        town.dairy.chain_id,
        town.height + 1,
        NOW_MS + data.draw(st.sampled_from([0, DAY_MS, 15 * DAY_MS])),
        town.address("nobody"),
    )
    outcome = apply_block(state, context, [transaction])
    (receipt,) = outcome.receipts
    assert receipt.code in CODES
    assert (receipt.fee_units, outcome.fees_units) == (fee, fee)
    after = account(state, sender)
    assert after.nonce == before.nonce + 1
    if receipt.code:
        assert after.units == before.units - fee
    entries = dict(town.entries()) | dict(state.changes)
    whole = [(k, v) for k, v in sorted(entries.items()) if v is not None]
    assert audit(whole, state.accumulator, parameters(state)).findings == []
    # Written is what can be read: the next block finds every record whole.
    for raw in (v for _, v in whole):
        msgspec.msgpack.decode(raw)


@pytest.mark.parametrize("body", BODIES, ids=[type(body).__name__ for body in BODIES])
def test_who_can_not_pay_the_fee_is_refused_at_the_door_and_stands_in_no_block(body):
    dairy = TOWN.dairy
    transaction = dairy.transaction(body, key("pauper"), 0)
    state = dairy.state()
    credit(state, address_of(key("pauper").public), transaction.intent.fee_units - 1)
    before = dict(state.changes)
    with pytest.raises(CannotPayFee):
        check_transaction(state, transaction, 1)
    with pytest.raises(CannotPayFee):
        apply_block(state, dairy.context(), [transaction])
    assert dict(state.changes) == before


def test_the_least_fee_is_for_every_kilobyte_that_is_begun():
    dairy, state = TOWN.dairy, TOWN.dairy.state()
    mint = Milking(dairy).next().mint
    priced = dairy.transaction(mint, dairy.mmu, 0)
    kilobytes = -(-len(encode(priced.intent)) // 1_024)
    assert kilobytes > 5
    assert priced.intent.fee_units == kilobytes * FEE
    check_transaction(state, priced, 1)
    cheap = dairy.transaction(mint, dairy.mmu, 0, fee=priced.intent.fee_units - 1)
    with pytest.raises(FeeTooLow) as refused:
        check_transaction(state, cheap, 1)
    assert refused.value.numbers == {"got": kilobytes * FEE - 1, "least": kilobytes * FEE}
    small = [
        body for body in BODIES if dairy.transaction(body, key("bob"), 0).intent.fee_units == FEE
    ]
    shown = {type(body).__name__ for body in BODIES if body not in small}
    assert shown == {"MintWindow", "RollWindow"}


def test_every_code_of_a_refusal_is_known():
    assert len(CODES) > 100
