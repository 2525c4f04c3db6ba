"""A signer's loop over real HTTP: what it signs reaches the service once, whatever breaks off."""

import asyncio

import pytest

from api.signing.process.journal import JOURNAL_FILE
from api.signing.process.nonces import EntryState
from api.signing.wire import IN_FLIGHT_MAX
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import address_of
from ledger.types.transfer import Transfer
from node.home.key_file import read_key
from tests.support.api.pretend_service import PretendService, serving_service
from tests.support.api.signer_world import VALID_BLOCKS, World, configure
from tests.support.api.signing import LITRE, PAYOUT, STUDENT, coupon, top_up
from tests.support.node.account_chain import AccountChain
from tests.support.node.fake_node import CUSTOMER
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.rpc_runs import poll, run_async

FUNDS = 100 * LITRE


@pytest.fixture
def run(tmp_path):
    """Run a test in a world of its own."""

    def start(test, **changes):
        home, ledger = tmp_path / "signer", AccountChain(automatic=False)
        configure(home, ["http://127.0.0.1:1"], "http://127.0.0.1:1", **changes)
        account = address_of(read_key(home / "keys" / "operating.key").public)
        service = PretendService(account, ledger.chain.chain_id)

        async def inside():
            node = HttpNode(ledger)
            async with node.serving():
                with serving_service(service) as url:
                    configure(home, [node.url], url, **changes)
                    world = World(home, ledger, service, [node.url])
                    ledger.fund(world.key, FUNDS)
                    await test(world)

        run_async(inside)

    return start


def test_a_refund_reaches_the_payer_and_ends_when_it_is_final(run):
    async def test(world):
        request = world.refund(world.paid(2 * LITRE), LITRE)
        async with world.running() as loop:
            await world.answered(request)
            (made,) = world.service.transactions()
            assert made.intent.body.to == address_of(CUSTOMER.public)
            world.take(encode(made))
            await poll(lambda: world.states() == [EntryState.DONE])
            assert loop.desk.room() == IN_FLIGHT_MAX

    run(test)


@pytest.mark.parametrize("status", [500, 503, 401, 429])
def test_bytes_that_the_service_did_not_take_are_handed_over_before_more_is_asked(run, status):
    async def test(world):
        world.service.signature_status = status
        request = world.ask(top_up(LITRE))
        async with world.running():
            await poll(lambda: world.service.asked.count("signature") > 1)
            leases = world.service.leases
            world.ask(top_up(LITRE))
            await poll(lambda: world.service.asked.count("signature") > 2)
            assert world.service.leases == leases
            world.service.signature_status = 200
            await world.answered(*(request.id for request in world.service.requests))
        assert len(world.service.transactions()) == 2
        assert request in world.service.answered

    run(test)


@pytest.mark.parametrize("status", [404, 409, 422])
def test_bytes_that_the_service_wants_no_more_are_left_and_work_goes_on(run, status):
    async def test(world):
        world.service.signature_status = status
        first = world.ask(top_up(LITRE))
        async with world.running():
            await poll(lambda: world.service.asked.count("signature") > 0)
            await poll(lambda: world.service.leases > 2)
            world.service.signature_status = 200
            await world.answered(first)  # Leased again, it gets the same bytes.
        assert world.states() == [EntryState.LIVE]

    run(test)


def test_a_service_that_forgot_gets_the_same_bytes(run):
    async def test(world):
        request = world.ask(top_up(LITRE))
        async with world.running():
            await world.answered(request)
            world.service.forget()
            await world.answered(request)
            assert len(world.service.signatures[request]) >= 2
        assert len(world.service.transactions()) == 1

    run(test)


def test_a_refund_waits_for_the_signers_node_and_one_of_nothing_is_refused(run):
    async def test(world):
        ahead = world.ledger.signed(Transfer(PAYOUT, Units(LITRE), ZERO_HASH, ()))
        early = world.refund(ahead.id, LITRE, height=world.ledger.height + 1)
        invented = world.refund(b"\x0e" * 32, LITRE)
        async with world.running():
            await world.answered(invented)
            assert early not in world.service.answered
            world.take(encode(ahead))
            await world.answered(early)
        assert world.service.refusals == {invented: "PAYMENT_UNKNOWN"}

    run(test)


def test_bytes_that_are_never_sent_lapse_and_their_number_is_used_again(run):
    async def test(world):
        tx_hash = world.paid(LITRE)
        first = world.refund(tx_hash, LITRE)
        async with world.running():
            await world.answered(first)
            second = world.refund(tx_hash, LITRE)
            await world.answered(second)
            assert world.service.refusals == {second: "MORE_THAN_PAID"}
            world.blocks(VALID_BLOCKS)
            await poll(lambda: world.states() == [EntryState.LAPSED])
            third = world.refund(tx_hash, LITRE)
            await world.answered(third)
        one, two = world.service.transactions()
        assert one.intent.nonce == two.intent.nonce
        assert world.ledger.take(encode(one)).code == "transaction_expired"

    run(test)


def test_another_hand_on_the_key_stops_the_account_until_an_operator_speaks(run):
    async def test(world):
        request = world.ask(top_up(LITRE))
        async with world.running():
            await world.answered(request)
            world.ledger.pay(STUDENT, LITRE, key=world.key)
            world.ledger.make_block()
            late = world.ask(top_up(LITRE))
        async with world.running() as loop:
            await poll(lambda: "another process" in loop.problem)
            world.blocks(2 * VALID_BLOCKS)
            await asyncio.sleep(0)
            assert late not in world.service.answered
        assert world.states() == [EntryState.SUPERSEDED]

    run(test)


def test_a_lost_journal_is_made_good_by_the_chain_before_anything_is_signed(run):
    async def test(world):
        tx_hash = world.paid(2 * LITRE)
        done, abroad = world.refund(tx_hash, LITRE), world.refund(tx_hash, LITRE)
        async with world.running():
            await world.answered(done, abroad)
        first, second = world.service.transactions()
        world.take(encode(first))
        for path in world.home.glob(f"{JOURNAL_FILE}*"):
            path.unlink()
        whole = world.refund(tx_hash, LITRE)
        async with world.running() as loop:
            await poll(lambda: "elsewhere" in loop.problem)
            assert whole not in world.service.answered
            world.take(encode(second))  # What was abroad comes home while the signer waits.
            world.blocks(VALID_BLOCKS)
            await world.answered(whole)
        assert world.service.refusals == {whole: "MORE_THAN_PAID"}

    run(test)


def test_a_node_that_is_behind_is_not_believed_and_one_that_hangs_is_left(run):
    async def test(world):
        behind = AccountChain(world.ledger.chain, automatic=False)
        other, third = HttpNode(behind), HttpNode(world.ledger)
        async with other.serving(), third.serving():
            request = world.ask(top_up(LITRE))
            async with world.running():
                await world.answered(request)
            world.take(encode(world.service.transactions()[0]))
            world.urls = [third.url, other.url]
            late = world.refund(world.paid(LITRE), LITRE)
            async with world.running() as loop:
                await world.answered(late)
                third.hang()
                await poll(lambda: "behind" in loop.problem)

    run(test)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'{"data": []}' + b" " * 300_000,
        b'{"data": [], "more": 1}',
        b'{"data": [{"id": "x", "order": {}, "leasedUntil": ""}]}',
        b'{"data": [{"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "leasedUntil": "", '
        b'"order": {"kind": "gift", "to": "me", "bill": "1.000000"}}]}',
        b'{"data": [{"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "leasedUntil": "", "order": '
        b'{"kind": "grant", "student": "s", "to": "dbill1", "bill": "0.010000"}}]}',
        b'{"data": [{"id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "leasedUntil": "", "order": {"kind": '
        b'"refund", "txHash": "'
        + b"0" * 64
        + b'", "height": 1, "bill": "9999999999999.000000"}}]}',
    ],
)
def test_a_lease_that_says_more_than_is_understood_is_not_understood(run, raw):
    async def test(world):
        world.service.lease_raw = raw
        async with world.running() as loop:
            await poll(lambda: "service" in loop.problem or "answer" in loop.problem)
            world.service.lease_raw = None
            request = world.ask(top_up(LITRE))
            await world.answered(request)
            assert len(world.service.transactions()) == 1

    run(test)


def test_a_coupon_burns_the_milk_it_pays_for(run):
    async def test(world):
        lot = world.ledger.chain.stock[0].lot_id()
        request = world.ask(coupon((lot, LITRE // 2)))
        async with world.running():
            await world.answered(request)
            (made,) = world.service.transactions()
            world.take(encode(made))
            await poll(lambda: world.states() == [EntryState.DONE])
        told = await world.ledger.account(PAYOUT)
        assert told.units == 0

    run(test)
