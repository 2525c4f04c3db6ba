"""Endpoints in the database: none waits for ever behind others, or pays for an old address."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.session import migrate, open_engine
from api.webhooks import deliveries
from api.webhooks.deliveries import ENDPOINTS_AT_ONCE_MAX, Drawn, EndpointLane
from api.webhooks.delivery_log import oldest_untried_ms
from api.webhooks.dispatcher import LANES_MAX, settle_try
from api.webhooks.schedule import GIVEN_UP_MS
from api.webhooks.sending import Tried
from tests.support.api.hooked_rig import PATH, attempted, make, on_rig
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig
from tests.support.api.webhook_receiver import receiving, status

NOW_MS = 1_000_000
PLACE = EndpointLane("m00000", "e", 0)


def over(
    database: TestDatabase, count: int, act: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    """Run beside so many merchants, each with an endpoint that is behind."""

    async def run() -> None:
        async with database.fresh_database() as url:
            engine = open_engine(url, 1)
            await migrate(engine)
            async with engine.begin() as connection:
                await connection.execute(
                    text("""
                        INSERT INTO webhook_endpoints (merchant_id, id, url, description, kinds,
                            state, disabled_why, seen_seq, created_ms)
                        SELECT 'm' || to_char(n, 'FM00000'), 'e', 'https://a.example/', '', '{}',
                            'enabled', '', 0, 0 FROM generate_series(0, :count - 1) n
                    """),
                    {"count": count},
                )
                await happen(connection)
                await act(connection)
            await engine.dispose()

    asyncio.run(run())


async def happen(connection: AsyncConnection) -> None:
    """Let something happen to every merchant."""
    await connection.execute(
        text("""
            INSERT INTO merchant_sequences (merchant_id, seq, tickets)
            SELECT merchant_id, 1, 0 FROM webhook_endpoints
            ON CONFLICT (merchant_id) DO UPDATE SET seq = merchant_sequences.seq + 1
        """)
    )
    await connection.execute(
        text("""
            INSERT INTO events (merchant_id, seq, kind, subject_id, body, at_ms)
            SELECT merchant_id, seq, 'order.created', '', '{}', :now FROM merchant_sequences
        """),
        {"now": NOW_MS},
    )


def test_no_endpoint_waits_for_ever_behind_others_that_are_always_behind(
    database: TestDatabase,
) -> None:
    async def act(connection: AsyncConnection) -> None:
        for _ in range(12):  # Each leaves an endpoint out one time in six.
            await deliveries.spread(connection, NOW_MS)
            await happen(connection)
        served = await connection.scalar(
            text("SELECT count(DISTINCT merchant_id) FROM webhook_deliveries")
        )
        assert served == count

    count = ENDPOINTS_AT_ONCE_MAX * 6 // 5
    over(database, count, act)


def test_no_lane_waits_for_ever_behind_others_that_are_always_due(database: TestDatabase) -> None:
    async def act(connection: AsyncConnection) -> None:
        while await connection.scalar(
            text("SELECT count(*) FROM webhook_endpoints WHERE seen_seq = 0")
        ):
            await deliveries.spread(connection, NOW_MS)
        await connection.execute(
            text("UPDATE webhook_endpoints SET failures = 3 WHERE merchant_id < 'm00010'")
        )
        seen: set[str] = set()
        for _ in range(20):
            due = await deliveries.lanes_due(connection, NOW_MS, 2 * LANES_MAX)
            assert len(due) == 2 * LANES_MAX
            assert due[0].failures == 0
            seen |= {lane.merchant_id for lane in due}
        assert len(seen) == count

    count = 3 * LANES_MAX
    over(database, count, act)


def test_the_age_of_what_waits_is_measured_whoever_leads(database: TestDatabase) -> None:
    """Before an event is spread, and after; not what a failing endpoint keeps waiting itself."""

    async def act(connection: AsyncConnection) -> None:
        assert await oldest_untried_ms(connection, NOW_MS + 7) == 7
        await deliveries.spread(connection, NOW_MS + 2)
        assert await oldest_untried_ms(connection, NOW_MS + 7) == 5
        await connection.execute(text("UPDATE webhook_endpoints SET failures = 1"))
        assert await oldest_untried_ms(connection, NOW_MS + 7) == 0
        await connection.execute(text("UPDATE webhook_endpoints SET failures = 0"))
        drawn = await deliveries.draw(connection, PLACE, NOW_MS + 7)
        assert drawn is not None
        await settle_try(connection, drawn, Tried(200, ""), NOW_MS + 7)
        assert await oldest_untried_ms(connection, NOW_MS + 9) == 0

    over(database, 1, act)


def test_ages_are_shown_and_fall_when_what_waited_is_gone(database: TestDatabase) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        service = rig.service
        async with receiving(lambda _: 60.0) as hangs:
            await make(rig, hangs.url)
            await rig.order()
            await hangs.wait_for(1)
            clocks.wall_ahead_ms += 90_000
            await service.webhooks.measure()
            await service.report.show()
            told = (await rig.http.get("/metrics")).text
            waits_s = float(told.split("\nwebhook_age_seconds ")[1].split()[0])
            assert 89 < waits_s < 120
            assert float(told.split("\noutbox_age_seconds ")[1].split()[0]) < 10
            await attempted(rig, 1)
            await service.webhooks.measure()
            assert "\nwebhook_age_seconds 0.0" in (await rig.http.get("/metrics")).text

    on_rig(database, act, clocks=clocks)


async def drawn_before(connection: AsyncConnection) -> Drawn:
    """Draw a delivery, and let its endpoint be led elsewhere before its try ends."""
    await deliveries.spread(connection, NOW_MS)
    drawn = await deliveries.draw(connection, PLACE, NOW_MS)
    assert drawn is not None
    await connection.execute(text("UPDATE webhook_endpoints SET url = 'https://b.example/'"))
    return drawn


def test_what_an_old_address_answers_is_not_held_against_a_new_one(
    database: TestDatabase,
) -> None:
    async def act(connection: AsyncConnection) -> None:
        drawn = await drawn_before(connection)
        for tried in (Tried(410, ""), Tried(500, ""), Tried(None, "TIMEOUT")):
            await settle_try(connection, drawn, tried, NOW_MS)
            row = (await connection.execute(text("SELECT * FROM webhook_endpoints"))).one()
            assert (row.state, row.failures, row.rest_until_ms) == ("enabled", 0, 0), tried
            assert row.failing_since_ms is None

    over(database, 1, act)


def test_another_address_begins_well_and_the_same_one_does_not(database: TestDatabase) -> None:
    """Else a mended address would rest, or be disabled by the first failure of its own."""
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: status(500)) as down:
            endpoint = await make(rig, down.url)
            path = f"{PATH}/{endpoint['id']}"
            await rig.order()
            await attempted(rig, 1)
            failing = "SELECT failing_since_ms FROM webhook_endpoints"
            assert await rig.scalar(failing) is not None
            await rig.http.patch(path, json={"url": down.url}, headers=rig.till())
            assert await rig.scalar(failing) is not None
            clocks.wall_ahead_ms += GIVEN_UP_MS - 60_000
            await attempted(rig, 2)
            other = down.url + "?mended"
            changed = await rig.http.patch(path, json={"url": other}, headers=rig.till())
            assert changed.json()["failingSince"] is None
            assert await rig.scalar("SELECT failures + rest_until_ms FROM webhook_endpoints") == 0
            clocks.wall_ahead_ms += 120_000
            await attempted(rig, 3)
            assert await rig.scalar("SELECT state FROM webhook_endpoints") == "enabled"

    on_rig(database, act, clocks=clocks)
