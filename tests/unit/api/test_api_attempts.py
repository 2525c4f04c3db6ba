"""US-006: payment attempts are counted by what a payer signed, and by nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

from api.access.roles import Role
from api.attempts.model import AttemptOutcome
from api.http.app import create_app
from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction
from tests.support.api.people_rig import PeopleRig, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.api.wallet_proofs import link, signed
from tests.support.node.fake_node import CUSTOMER, signing_key

MANY = {"limits": {"order_per_minute": 1_000}}


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **changes: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **changes) as rig:
            await act(rig)

    asyncio.run(run())


def ahead(rig: ServiceRig, seconds: int) -> None:
    """Let the limits' clock go ahead."""
    limiter = rig.service.watching.limiter
    past_ms = limiter.ahead_ms()
    limiter.ahead_ms = lambda: past_ms + 1_000 * seconds


async def attempts(rig: ServiceRig, count: int, **signed: object) -> list[httpx.Response]:
    """Try so often to pay a new order, each time with another transaction, one after another."""
    order = await rig.order()
    nonce = rig.node.next_nonce(signed.get("key", CUSTOMER))  # type: ignore[arg-type]
    made = [await rig.signed(order, nonce=nonce + n, **signed) for n in range(count)]
    return [await rig.post(order, one) for one in made]


async def figure(rig: ServiceRig, name: str, **labels: str) -> float:
    text = (await rig.http.get("/metrics")).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    raise LookupError(name)


def test_ten_attempts_a_minute_pass_and_the_wait_that_is_told_is_true(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        answers = await attempts(rig, 11)
        assert answers[0].status_code == 202
        assert {answer.status_code for answer in answers[1:10]} == {409}
        assert answers[10].status_code == 429
        assert answers[10].json()["code"] == "RATE_LIMITED"
        wait_s = int(answers[10].headers["retry-after"])
        assert 1 <= wait_s <= 120
        (early,) = await attempts(rig, 1)
        assert early.status_code == 429, "another order makes no difference"
        ahead(rig, int(early.headers["retry-after"]))
        (later,) = await attempts(rig, 1)
        assert later.status_code == 202
        assert await figure(rig, "payment_attempts_total", outcome="rate_limited") == 2
        assert await figure(rig, "payment_attempts_total", outcome="taken") == 2

    on_rig(database, act)


def test_of_a_burst_no_more_than_ten_slip_through(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order() for _ in range(40)]
        made = [await rig.signed(order, nonce=n) for n, order in enumerate(orders)]
        pairs = zip(orders, made, strict=True)
        answers = await asyncio.gather(*(rig.post(order, one) for order, one in pairs))
        passed = [answer for answer in answers if answer.status_code != 429]
        assert 10 <= len(passed) <= 11, "one more if a minute began meanwhile"

    on_rig(database, act, automatic=False)


def test_the_same_bytes_are_answered_for_ever_and_never_counted(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        paid = await rig.paid(order)
        for _ in range(35):
            assert (await rig.post(order, paid)).status_code == 202
        assert (await attempts(rig, 1))[0].status_code == 202

    on_rig(database, act)


def test_what_was_refused_for_its_shape_counts_once_and_may_be_sent_again(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        wrong = await rig.signed(order, units=1)
        for _ in range(15):
            assert (await rig.post(order, wrong)).json()["code"] == "AMOUNT_MISMATCH"
        assert (await attempts(rig, 1))[0].status_code == 202
        said = "SELECT outcome FROM payment_attempts WHERE outcome <> 'taken' AND outcome <> 'paid'"
        assert await rig.scalar(said) == "wrong_amount"

    on_rig(database, act)


def test_bytes_that_the_chain_shows_use_up_nobody_s_attempts(database: TestDatabase) -> None:
    """An attacker posts a victim's old payments to other orders: the victim signed none of that."""

    async def act(rig: ServiceRig) -> None:
        old = await rig.paid(await rig.order())
        elsewhere = await rig.signed(await rig.order(rig.other_key))
        await rig.chain_only(elsewhere)
        await rig.level()
        await rig.execute("DELETE FROM payments")  # As if another service had taken them.
        await rig.execute("DELETE FROM payment_attempts")
        for _ in range(6):
            target = await rig.order()
            for stolen in (old, elsewhere):
                assert (await rig.post(target, stolen)).json()["code"] == "WRONG_REFERENCE"
        assert await rig.scalar("SELECT count(*) FROM payment_attempts") == 0
        assert (await attempts(rig, 1))[0].status_code == 202

    on_rig(database, act)


def forged(transaction: Transaction) -> Transaction:
    """Spoil its signature."""
    ((place, signature),) = transaction.signatures
    spoilt = bytes([signature[0] ^ 1]) + signature[1:]
    return Transaction(transaction.intent, ((place, spoilt),))  # type: ignore[arg-type]


def test_forged_bytes_count_for_order_and_address_and_for_no_payer(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        made = await rig.signed(order)
        codes = [(await rig.post(order, forged(made))).json()["code"] for _ in range(33)]
        assert codes[:30] == ["BAD_SIGNATURE"] * 30
        assert codes[-1] == "RATE_LIMITED"
        assert (await rig.post(order, made)).status_code == 202, "whose order it is pays it"
        assert await figure(rig, "payment_attempts_total", outcome="bad_signature") >= 30
        body = {"transaction": encode(forged(made)).hex()}
        transport = httpx.ASGITransport(create_app(rig.service), client=("203.0.113.9", 1))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://milk.example", trust_env=False
        ) as http:
            last = 0
            for _ in range(32):  # Each time another order, so that the address alone is counted.
                path = f"/api/v1/orders/{(await rig.order())['id']}/payment"
                last = (await http.post(path, json=body)).status_code
            assert last == 429

    on_rig(database, act)


def test_an_order_takes_thirty_attempts_a_minute_whoever_makes_them(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        made = [await rig.signed(order, key=signing_key(f"stranger{n}")) for n in range(33)]
        codes = [(await rig.post(order, one)).status_code for one in made]
        assert 429 not in codes[:30]
        assert codes[-1] == 429

    on_rig(database, act)


def test_one_that_is_turned_away_for_the_order_costs_its_payer_nothing(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        busy = await rig.order()
        for n in range(3):
            await rig.post(busy, await rig.signed(busy, key=signing_key(f"stranger{n}")))
        nonce = rig.node.next_nonce(CUSTOMER)
        for n in range(12):
            turned = await rig.post(busy, await rig.signed(busy, nonce=nonce + n))
            assert turned.status_code == 429
        assert (await attempts(rig, 1))[0].status_code == 202

    on_rig(database, act, limits={"order_per_minute": 3})


def test_all_wallets_of_a_person_share_one_count(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: object) -> None:
        rig, second = people.rig, signing_key("second")
        member = await people.member((Role.STUDENT, people.union_id))
        assert (await link(member, CUSTOMER)).status_code == 200
        challenge = (await post(rig, "/auth/challenges", {"unionId": people.union_id})).json()
        proof = {**signed(challenge, CUSTOMER)}
        proof |= {name: challenge[name] for name in ("nonce", "expiresMs")}
        entered = await post(rig, "/auth/login", {"unionId": people.union_id, "wallet": proof})
        member.token = entered.json()["accessToken"]
        assert (await link(member, second)).status_code == 200
        one = await attempts(rig, 6)
        other = await attempts(rig, 5, key=second)
        assert [answer.status_code == 429 for answer in one] == [False] * 6
        assert [answer.status_code == 429 for answer in other] == [False] * 4 + [True]
        found = await rig.scalar("SELECT count(DISTINCT subject) FROM payment_attempts")
        assert found == 1
        assert await rig.scalar("SELECT min(subject) FROM payment_attempts") == f"user:{member.id}"

    play(database, story, **MANY)


def test_what_became_of_an_attempt_is_named(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async def outcome(transaction: Transaction) -> object:
            tx_hash = transaction.id.hex()
            return await rig.scalar(
                f"SELECT outcome FROM payment_attempts WHERE encode(tx_hash, 'hex') = '{tx_hash}'"
            )

        order = await rig.order()
        paid = await rig.paid(order)
        assert await outcome(paid) == AttemptOutcome.PAID
        again = await rig.signed(order)
        assert (await rig.post(order, again)).status_code == 409
        assert await outcome(again) == AttemptOutcome.ORDER_CLOSED
        await rig.chain_only(again)  # A wallet may take it to a node itself.
        await rig.level()
        assert await outcome(again) == AttemptOutcome.ALREADY_USED
        poor = await rig.signed(await rig.order(), key=signing_key("nobody"))
        open_order = await rig.order()
        poor = await rig.signed(open_order, key=signing_key("nobody"))
        assert (await rig.post(open_order, poor)).status_code == 422
        assert await outcome(poor) == AttemptOutcome.REFUSED
        stray = await rig.signed(open_order, reference=bytes(range(32)))
        await rig.chain_only(stray)
        await rig.level()
        assert await outcome(stray) == AttemptOutcome.WRONG_REFERENCE

    on_rig(database, act)


def test_a_node_that_is_away_is_nobody_s_failed_attempt(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        made = await rig.signed(order)
        rig.node.silence()
        assert (await rig.post(order, made)).status_code == 503
        assert await rig.scalar("SELECT outcome FROM payment_attempts") == "not_handed_in"

    on_rig(database, act)
