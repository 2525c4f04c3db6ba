"""Alerts: raised once, over when mended, seen by those whom they concern."""

from collections.abc import Sequence

import pytest
from ulid import ULID

from api.access.roles import Role
from api.alerts.model import AlertEvent, AlertState
from api.alerts.rules import after
from api.errors import Conflict
from api.signing.accounts import SILENT_MS
from tests.support.api.people_rig import NOBODY, Member, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks

ENDPOINT = "01ARZ3NDEKTSV4RRFFQ69G5FA1"


async def alerts(member: Member, query: str = "") -> list[dict[str, object]]:
    return list((await member.ok("GET", f"/alerts{query}"))["data"])


async def kinds(member: Member, query: str = "") -> Sequence[object]:
    return [one["kind"] for one in await alerts(member, query)]


async def disable_endpoint(people: PeopleRig, why: str) -> None:
    await people.rig.execute(f"""
        INSERT INTO webhook_endpoints (merchant_id, id, url, description, kinds, state,
            disabled_why, seen_seq, created_ms)
        VALUES ('{people.merchant_id}', '{ENDPOINT}', 'https://x', '', ARRAY[]::varchar[],
            'disabled', '{why}', 0, 1)
    """)


def test_an_alert_is_raised_once_acknowledged_and_over_when_it_is_mended(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, officer, desk = (
            await people.manager(),
            await people.officer(),
            people.rig.service.lookout,
        )
        await disable_endpoint(people, "gone")
        await desk.alerts.sweep()
        await desk.alerts.sweep()
        (alert,) = await alerts(manager)
        assert (alert["kind"], alert["subject"]) == ("webhook_disabled", ENDPOINT)
        assert (alert["merchantId"], alert["state"]) == (people.merchant_id, "open")
        at = f"/alerts/{alert['id']}"
        known = await officer.ok("POST", f"{at}/acknowledge")
        assert (known["state"], known["acknowledgedBy"]) == ("acknowledged", officer.id)
        assert await manager.ok("POST", f"{at}/acknowledge") == known, "who came first stays"
        await desk.alerts.sweep()
        assert await manager.ok("GET", at) == known
        await people.rig.execute("UPDATE webhook_endpoints SET state = 'enabled'")
        await desk.alerts.sweep()
        over = await manager.ok("GET", at)
        assert over["state"] == "over"
        assert over["overAt"]
        late = await manager.call("POST", f"{at}/acknowledge")
        assert (late.status_code, late.json()["code"]) == (409, "CONFLICT")
        await people.rig.execute("UPDATE webhook_endpoints SET state = 'disabled'")
        await desk.alerts.sweep()
        assert len(await alerts(manager, "?state=open")) == 1, "what comes back is a new one"
        assert len(await alerts(manager)) == 2
        await people.rig.execute("UPDATE alerts SET over_ms = 1 WHERE state = 'over'")
        await desk.alerts.sweep()
        assert len(await alerts(manager)) == 1, "what was over long ago is dropped"

    play(database, story)


def test_what_a_person_wished_for_is_no_trouble(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        await disable_endpoint(people, "merchant")
        await people.rig.service.lookout.alerts.sweep()
        assert await alerts(manager) == []

    play(database, story)


ACCOUNT = f"'\\x{'ab' * 32}'"


async def wait_for_signer(people: PeopleRig, owner: str, age_ms: int) -> None:
    now_ms = people.rig.service.now_ms()
    await people.rig.execute(f"""
        INSERT INTO signing_requests (owner_id, id, account, kind, what, ref_id, state, created_ms,
            expires_ms)
        VALUES ('{owner}', '{ENDPOINT}', {ACCOUNT}, 'refund', '\\x00', '{NOBODY}', 'open',
            {now_ms - age_ms}, {now_ms + 3_600_000})
    """)


def price_products(shop: str) -> str:
    return f"""
        INSERT INTO products (merchant_id, id, name_en, name_ms, kind, price_sen, redeem_units,
            active)
        VALUES ('{shop}', 'cheap', 'x', 'x', 'whole', 71, 200000, true),
            ('{shop}', 'dear', 'x', 'x', 'whole', 72, 200000, true),
            ('{shop}', 'paused', 'x', 'x', 'whole', 1, 200000, false)
    """


def open_flag(union_id: str, flag_id: str = NOBODY, subject: str = "x") -> str:
    return f"""
        INSERT INTO flags (union_id, id, merchant_id, detector, subject, state, score, evidence,
            explanation_en, explanation_ms, raised_ms, last_ms, noticed_ms)
        VALUES ('{union_id}', '{flag_id}', '', 'attempt_rate', '{subject}', 'open', 1, '[]', 'x',
            'x', 1, 1, 1)
    """


def test_each_trouble_is_found_by_its_own_rule(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, officer, rig = await people.manager(), await people.officer(), people.rig
        shop = people.merchant_id
        await wait_for_signer(people, shop, SILENT_MS + 60_000)
        await wait_for_signer(people, people.other_merchant_id, 0)
        await rig.execute(price_products(shop))
        await rig.execute(open_flag(people.union_id))
        await rig.service.lookout.alerts.sweep()
        found = {(one["kind"], one["subject"]) for one in await alerts(officer)}
        assert found == {
            ("signer_silent", shop), ("price_below_milk", "cheap"), ("flag_open", NOBODY),
        }  # fmt: skip
        assert set(await kinds(manager)) == {"signer_silent", "price_below_milk"}, "not the union's"
        assert await kinds(officer, "?kind=flag_open") == ["flag_open"]
        await rig.execute(f"INSERT INTO signers VALUES ({ACCOUNT}, {rig.service.now_ms()})")
        await rig.service.lookout.alerts.sweep()
        assert await kinds(officer, "?state=over") == ["signer_silent"]

    play(database, story)


def test_a_union_with_many_troubles_hides_nobody_s_and_all_are_raised_and_mended_in_time(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.alerts.facts.TROUBLES_MAX", 4)
    first_in_line, count = "0" * 26, "SELECT count(*) FROM alerts WHERE state {} 'over'"

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer, rig = await people.officer(), people.rig
        sweep = rig.service.lookout.alerts.sweep
        for number in range(9):
            await rig.execute(open_flag(first_in_line, str(ULID()), f"x{number}"))
        await rig.execute(open_flag(people.union_id))
        await sweep()
        assert await kinds(officer) == ["flag_open"], "a look finds some of every union's"
        assert await rig.scalar(count.format("<>")) == 4
        await sweep()
        await sweep()
        assert await rig.scalar(count.format("<>")) == 10, "and the others later"
        await rig.execute("UPDATE flags SET state = 'released'")
        for _ in range(3):
            await sweep()
        assert await rig.scalar(count.format("=")) == 10

    play(database, story)


def test_another_shop_s_alert_is_not_there(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        stranger = await people.member((Role.MANAGER, people.other_merchant_id))
        officer = await people.officer()
        await disable_endpoint(people, "failing")
        await people.rig.service.lookout.alerts.sweep()
        (alert,) = await alerts(officer)
        assert await alerts(stranger) == []
        for method, path in (("GET", ""), ("POST", "/acknowledge")):
            foreign = await stranger.call(method, f"/alerts/{alert['id']}{path}")
            nothing = await officer.call(method, f"/alerts/{NOBODY}{path}")
            broken = await officer.call(method, f"/alerts/x{path}")
            assert foreign.status_code == nothing.status_code == broken.status_code == 404
        for query in ("state=shut", "kind=x", "limit=0", "cursor=x", "colour=red"):
            assert (await officer.call("GET", f"/alerts?{query}")).status_code == 400, query
        page = await officer.ok("GET", "/alerts?limit=1")
        assert (len(page["data"]), page["hasMore"]) == (1, False)

    play(database, story)


def test_the_operations_channel_is_told_once_and_of_a_flag_by_the_flag(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        await disable_endpoint(people, "failing")
        for _ in range(2):
            await people.rig.service.lookout.alerts.sweep()
        body = str(await people.rig.scalar("SELECT string_agg(body, '|') FROM ops_notices"))
        assert body.count("webhook_disabled") == 1
        assert "/api/v1/alerts/" in body

    play(database, story, slack_url="http://127.0.0.1:9/x")


def test_nothing_leads_out_of_what_is_over() -> None:
    for event in AlertEvent:
        with pytest.raises(Conflict):
            after(AlertState.OVER, event)
