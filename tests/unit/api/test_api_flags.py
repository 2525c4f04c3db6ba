"""Flags: raised about who is odd, seen by whom they concern, decided by a person with a reason."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from ulid import ULID

from api.access.roles import Role
from api.catalogue.sellers import publish
from api.flags.model import Detector, FlagEvent, FlagState, NoteKind
from api.flags.rules import TRANSITIONS
from api.tenants.config import MerchantConfig
from tests.support.api.people_rig import NOBODY, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig
from tests.support.node.fake_node import CUSTOMER

ALL = {"limits": {"payer_per_minute": 1_000, "order_per_minute": 1_000}}


async def fail(rig: ServiceRig, count: int) -> None:
    """Sign so many payments of a wrong amount."""
    order = await rig.order()
    for n in range(count):
        answer = await rig.post(order, await rig.signed(order, units=n + 1))
        assert answer.json()["code"] == "AMOUNT_MISMATCH"


async def flagged(rig: ServiceRig, detector: Detector) -> int:
    """Look, and give how many flags stand."""
    await rig.service.watching.notebook.flush()
    await rig.service.flags.look(detector)
    return int(str(await rig.scalar(f"SELECT count(*) FROM flags WHERE detector = '{detector}'")))


async def pay_attempts(rig: ServiceRig, count: int) -> list[int]:
    """Try so often to pay an order; give the statuses."""
    order = await rig.order()
    nonce = rig.node.next_nonce(CUSTOMER)
    made = [await rig.signed(order, nonce=nonce + n) for n in range(count)]
    return [(await rig.post(order, one)).status_code for one in made]


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **changes: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **changes) as rig:
            await act(rig)

    asyncio.run(run())


def test_a_payer_of_four_failed_payments_is_flagged_once_and_told_of(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        await fail(rig, 3)
        assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 0
        await fail(rig, 4)
        for _ in range(3):
            assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 1
        assert await rig.scalar("SELECT count(*) FROM events WHERE kind = 'flag.raised'") == 1
        body = str(await rig.scalar("SELECT body::text FROM events WHERE kind = 'flag.raised'"))
        assert "payer:" not in body
        assert await rig.scalar("SELECT count(*) FROM ops_notices") == 1
        assert "payer:" not in str(await rig.scalar("SELECT body FROM ops_notices"))
        told = (await rig.http.get("/metrics")).text
        assert "users_flagged_total 1.0" in told
        assert 'flags_raised_total{detector="failed_validations"} 1.0' in told
        assert 'flags_raised_total{detector="attempt_rate"} 0.0' in told

    on_rig(database, act, **ALL, slack_url="http://127.0.0.1:9/hook")


def test_payments_that_are_good_flag_nobody(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        for _ in range(5):
            await rig.paid(await rig.order())
        for detector in Detector:
            assert await flagged(rig, detector) == 0, detector

    on_rig(database, act, **ALL)


def test_a_flag_lowers_the_limit_and_its_release_restores_it(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        await fail(rig, 4)
        assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 1
        limiter = rig.service.watching.limiter
        limiter.ahead_ms = lambda: 180_000
        assert (await pay_attempts(rig, 4)).count(429) == 1, "three a minute while it stands"
        (flag,) = (await manager.ok("GET", "/flags?state=open"))["data"]
        assert flag["detector"] == "failed_validations"
        assert flag["subject"].startswith("payer:")
        assert flag["score"] == len(flag["evidence"]) == 4
        at = f"/flags/{flag['id']}"
        assert (await manager.call("POST", f"{at}/release", {})).status_code == 400
        assert (await manager.call("POST", f"{at}/release", {"reason": ""})).status_code == 400
        released = await manager.ok("POST", f"{at}/release", {"reason": "their card was new"})
        assert (released["state"], released["decidedBy"]) == ("released", manager.id)
        limiter.ahead_ms = lambda: 360_000
        assert (await pay_attempts(rig, 4)).count(429) == 0
        assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 1, "what was released is over"
        await fail(rig, 4)
        assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 2, "what comes after is new"

    play(database, story, limits={"order_per_minute": 1_000})


def test_a_flag_is_decided_as_the_table_says(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        await fail(rig, 4)
        await flagged(rig, Detector.FAILED_VALIDATIONS)
        (flag,) = (await manager.ok("GET", "/flags"))["data"]
        at, why = f"/flags/{flag['id']}", {"reason": "seen at the till"}
        for event, state in (("confirm", "confirmed"), ("confirm", "confirmed"),
                             ("release", "released"), ("release", "released")):  # fmt: skip
            assert (await manager.ok("POST", f"{at}/{event}", why))["state"] == state
        late = await manager.call("POST", f"{at}/confirm", why)
        assert (late.status_code, late.json()["code"]) == (409, "CONFLICT")
        assert (await manager.ok("GET", at))["reason"] == "seen at the till"

    play(database, story, **ALL)


def test_every_state_and_event_is_in_the_table_or_refused() -> None:
    refused = {(s, e) for s in FlagState for e in FlagEvent} - TRANSITIONS.keys()
    assert refused == {(FlagState.RELEASED, FlagEvent.CONFIRM)}


def test_a_shop_s_flags_are_its_manager_s_and_the_office_s(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: Clocks) -> None:
        rig = people.rig
        await fail(rig, 4)
        await flagged(rig, Detector.FAILED_VALIDATIONS)
        officer = await people.officer()
        other = await people.member((Role.MANAGER, people.other_merchant_id))
        (flag,) = (await officer.ok("GET", "/flags"))["data"]
        at, why = f"/flags/{flag['id']}", {"reason": "no"}
        assert (await other.ok("GET", "/flags"))["data"] == []
        assert (await other.call("GET", at)).status_code == 404
        assert (await other.call("POST", f"{at}/release", why)).status_code == 404
        assert (await officer.call("GET", f"/flags/{NOBODY}")).status_code == 404
        for role in (Role.STUDENT, Role.CASHIER, Role.FINANCE):
            place = people.union_id if role is Role.STUDENT else people.merchant_id
            nobody = await people.member((role, place))
            assert (await nobody.call("GET", "/flags")).status_code == 403
        pages = await officer.ok("GET", "/flags?limit=1&detector=failed_validations")
        assert (len(pages["data"]), pages["hasMore"]) == (1, False)

    play(database, story, **ALL)


def test_nobody_decides_a_flag_about_themselves(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        for n in range(7):
            await rig.execute(f"""
                INSERT INTO refunds (merchant_id, id, tx_hash, units, reason, state, automatic,
                    requested_by, created_ms)
                VALUES ('{people.merchant_id}', '{ULID()}', '\\x{n:02x}', 1, 'spoiled', 'pending',
                    false, 'user:{manager.id}', {rig.service.now_ms()})
            """)
        assert await flagged(rig, Detector.CASHIER_REFUNDS) == 1
        (flag,) = (await manager.ok("GET", "/flags"))["data"]
        assert flag["subject"] == f"user:{manager.id}"
        for event in FlagEvent:
            mine = await manager.call("POST", f"/flags/{flag['id']}/{event}", {"reason": "I"})
            assert mine.json()["code"] == "NOT_YOURS_TO_DECIDE"
        officer = await people.officer()
        await officer.ok("POST", f"/flags/{flag['id']}/confirm", {"reason": "asked"})

    play(database, story, **ALL)


def test_a_key_that_asks_for_what_is_not_so_is_flagged_and_no_payer(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        paid = await rig.paid(await rig.order())
        for n in range(11):
            assert (await rig.validate(paid, "9.99")).json()["error"] == "AMOUNT_MISMATCH"
            assert (await rig.validate(f"{n:064x}")).json()["error"] == "TX_NOT_FOUND"
        assert await flagged(rig, Detector.CALLER_ERRORS) == 1
        assert await flagged(rig, Detector.FAILED_VALIDATIONS) == 0
        assert str(await rig.scalar("SELECT subject FROM flags")).startswith("key:")
        assert "users_flagged_total 0.0" in (await rig.http.get("/metrics")).text

    on_rig(database, act, **ALL)


def test_who_keeps_trying_past_the_limit_is_flagged(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        assert (await pay_attempts(rig, 12)).count(429) == 2
        assert await flagged(rig, Detector.ATTEMPT_RATE) == 0
        assert 429 in await pay_attempts(rig, 6)
        assert await flagged(rig, Detector.ATTEMPT_RATE) == 1

    on_rig(database, act, limits={"order_per_minute": 1_000})


def test_an_order_that_is_called_paid_without_money_is_found(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        await rig.paid(order)
        assert await flagged(rig, Detector.SETTLEMENT_DRIFT) == 0
        await rig.execute("UPDATE orders SET received_units = received_units + amount_units")
        assert await flagged(rig, Detector.SETTLEMENT_DRIFT) == 1

    on_rig(database, act)


def test_sales_while_the_shop_is_shut_are_found(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.paid(await rig.order())
        # Shut by Malaysia's clocks for hours yet, and open by those of Fiji, four hours ahead.
        hour = (rig.service.now_ms() // 3_600_000 + 8) % 24
        times = f"opens = '{(hour + 3) % 24:02}:00', closes = '{(hour + 9) % 24:02}:00'"
        await rig.execute(f"UPDATE merchants SET {times} WHERE name = 'Other'")
        assert await flagged(rig, Detector.OUTSIDE_HOURS) == 0
        await rig.execute(f"UPDATE merchants SET {times}, time_zone = 'Pacific/Fiji'")
        assert await flagged(rig, Detector.OUTSIDE_HOURS) == 0
        await rig.execute(
            "UPDATE merchants SET time_zone = 'Asia/Kuala_Lumpur', name = name || '2'"
        )
        assert await flagged(rig, Detector.OUTSIDE_HOURS) == 1, "whatever it is called by now"

    on_rig(database, act)


def test_hours_are_the_file_s_and_the_time_zone_the_office_s(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        told = {"opens": "07:00", "closes": "19:30", "time_zone": "Pacific/Fiji"}
        known = rig.service.config.merchants[0].model_copy(update=told)
        new = known.model_copy(update={"name": "New", "key_digests": ()})
        config = rig.service.config.model_copy(update={"merchants": (known, new)})
        async with rig.service.engine.begin() as connection:
            await publish(connection, config, 0)
        shown = "SELECT opens || closes || time_zone FROM merchants WHERE name = "
        assert await rig.scalar(f"{shown} 'Kiosk'") == "07:0019:30Asia/Kuala_Lumpur"
        assert await rig.scalar(f"{shown} 'New'") == "07:0019:30Pacific/Fiji"

    on_rig(database, act)
    with pytest.raises(ValueError, match="'Milky/Way' is not known here"):
        MerchantConfig(name="a", payout_address="dbill1qqqq", time_zone="Milky/Way")


def test_a_wallet_that_goes_from_hand_to_hand_is_the_union_s_matter(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, _: Clocks) -> None:
        rig = people.rig
        for n in range(3):
            await rig.execute(
                f"""
                INSERT INTO wallet_links (union_id, id, user_id, state, nonce, address_index,
                    created_ms, expires_ms, linked_ms)
                VALUES ('{people.union_id}', '{ULID()}', '{ULID()}', 'removed', '\\x00', '\\xabcd',
                    0, 0, {rig.service.now_ms() - n})
            """
            )
        assert await flagged(rig, Detector.ADDRESS_SHARED) == 1
        manager, officer = await people.manager(), await people.officer()
        assert (await manager.ok("GET", "/flags"))["data"] == []
        (flag,) = (await officer.ok("GET", "/flags"))["data"]
        assert flag["merchantId"] is None
        await officer.ok("POST", f"/flags/{flag['id']}/release", {"reason": "a family"})
        assert await flagged(rig, Detector.ADDRESS_SHARED) == 1, "it was looked at"

    play(database, story)


def test_coupons_that_rain_at_a_till_are_found(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        shop = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
        for n in range(21):
            book = rig.service.watching.notebook
            book.note(NoteKind.COUPON_USED, shop, f"terminal:{NOBODY}", f"coupon{n}")
        assert await flagged(rig, Detector.DEVICE_COUPONS) == 1

    on_rig(database, act)


def test_notes_are_bounded_by_subject(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        book = rig.service.watching.notebook
        for n in range(500):
            book.note(NoteKind.CALLER_ERROR, NOBODY, "key:a", str(n))
        book.note(NoteKind.CALLER_ERROR, NOBODY, "key:b", "x" * 500)
        await book.flush()
        assert await rig.scalar("SELECT count(*) FROM watch_notes") == 51
        assert await rig.scalar("SELECT max(length(ref)) FROM watch_notes") == 80

    on_rig(database, act, ready=False)
