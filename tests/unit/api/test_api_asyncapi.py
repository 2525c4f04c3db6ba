"""The document of events: current, served, whole, and true to what the service writes."""

import asyncio
import json
import re
from typing import Any

from api.events.asyncapi import format_document
from api.events.bodies import body_of
from api.events.kinds import EventKind
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.encoding.json_schema import found, holds
from tests.tidy.repository import ROOT

PUBLISHED = ROOT / "docs/spec/payments.asyncapi.json"
DOCUMENT = json.loads(format_document())


def test_what_is_published_is_current() -> None:
    how = f"python -m api.events.asyncapi > {PUBLISHED}"
    assert PUBLISHED.read_text("utf-8") == format_document(), how


def test_every_kind_is_a_message_of_the_one_channel_and_every_reference_leads_somewhere() -> None:
    assert set(DOCUMENT["components"]["messages"]) == set(EventKind)
    assert set(DOCUMENT["channels"]["webhook"]["messages"]) == set(EventKind)
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', format_document())):
        assert found(reference, DOCUMENT)


def without_formats(schema: Any) -> Any:
    """Leave out words that describe and hold nothing."""
    match schema:
        case dict():
            return {
                name: without_formats(value)
                for name, value in schema.items()
                if name not in ("format", "examples")
            }
        case list():
            return [without_formats(value) for value in schema]
    return schema


def is_as_described(event: dict[str, Any]) -> bool:
    """Tell whether an event is what the document says of its kind."""
    whole = without_formats(DOCUMENT)
    payload = whole["components"]["messages"][event["type"]]["payload"]
    name = body_of(EventKind(event["type"])).__name__
    members = whole["components"]["schemas"][name]["properties"]
    return all(holds(part, event, whole) for part in payload["allOf"]) and set(
        event["data"]
    ) <= set(members)


def test_what_the_service_writes_is_what_the_document_says(database: TestDatabase) -> None:
    async def lives(rig: ServiceRig) -> None:
        """Let orders live and end in several ways."""
        order = await rig.order()
        await rig.paid(order)
        path = f"/api/v1/orders/{order['id']}"
        for act in ("fulfill", "reopen"):
            assert (await rig.http.post(f"{path}/{act}", headers=rig.till())).status_code == 200
        cancelled = await rig.order()
        await rig.http.post(f"/api/v1/orders/{cancelled['id']}/cancel", headers=rig.till())
        await rig.chain_only(await rig.signed(await rig.order(), units=500_001))
        await rig.chain_only(await rig.signed(await rig.order(), reference=b"r" * 32))
        endpoint = await rig.http.post(
            "/api/v1/webhook-endpoints",
            json={"url": "http://127.0.0.1:9/"},
            headers=rig.till(**{"Idempotency-Key": "one"}),
        )
        name = endpoint.json()["webhookEndpoint"]["id"]
        await rig.http.post(
            f"/api/v1/webhook-endpoints/{name}/test", headers=rig.till(**{"Idempotency-Key": "two"})
        )
        await rig.level()

    async def run() -> None:
        async with running_rig(database) as rig:
            served = await rig.http.get("/asyncapi.json")
            assert served.text == PUBLISHED.read_text("utf-8")
            await lives(rig)
            answer = await rig.http.get("/api/v1/events?limit=200", headers=rig.till())
            events = answer.json()["data"]
            assert len({event["type"] for event in events}) >= 8
            for event in events:
                assert is_as_described(event), event
            broken = {**events[0], "data": {"order": {}}}
            assert not is_as_described(broken)

    asyncio.run(run())
