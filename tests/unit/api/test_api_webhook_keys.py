"""The public keys of webhooks: whoever reads them verifies, and learns nothing else."""

import json
from base64 import b64decode, urlsafe_b64decode

from nacl.signing import VerifyKey

from api.webhooks.model import OVERLAP_MS
from tests.support.api.hooked_rig import PATH, make, named, on_rig, send_test
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig
from tests.support.api.webhook_receiver import receiving

KEYS = "/.well-known/webhook-keys.json"


async def keys_of(rig: ServiceRig, endpoint_id: str = "") -> list[dict[str, object]]:
    asked = {"endpointId": endpoint_id} if endpoint_id else {}
    answer = await rig.http.get(KEYS, params=asked)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["keys"])


def test_a_delivery_is_verified_by_the_published_key_alone(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url)
            await make(rig, receiver.url, rig.other_key)
            await send_test(rig, endpoint)
            (request,) = await receiver.wait_for(1)
            (published,) = await keys_of(rig, str(endpoint["id"]).lower())
            assert published["publicKey"] == endpoint["secrets"][0]["publicKey"]
            raw = urlsafe_b64decode(f"{published['x']}=")
            stamp = request.headers["webhook-timestamp"]
            message = f"{request.headers['webhook-id']}.{stamp}.".encode() + request.body
            (signature,) = (
                text.removeprefix("v1a,")
                for text in request.headers["webhook-signature"].split()
                if text.startswith("v1a,")
            )
            VerifyKey(raw).verify(message, b64decode(signature))
            everything = await keys_of(rig)
            assert len({one["endpointId"] for one in everything}) == 2
            assert [one["kid"] for one in everything] == sorted(
                (one["kid"] for one in everything), reverse=True
            )
            told = json.dumps(everything)
            assert receiver.url not in told
            assert str(await rig.scalar("SELECT min(id) FROM merchants")) not in told

    on_rig(database, act)


def test_an_exchanged_key_stands_for_a_day_more_and_a_deleted_one_no_longer(
    database: TestDatabase,
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url)
            at = f"{PATH}/{endpoint['id']}"
            await rig.http.post(f"{at}/rotate-secret", headers=named(rig))
            newer, older = await keys_of(rig, str(endpoint["id"]))
            assert older["publicKey"] == endpoint["secrets"][0]["publicKey"]
            assert (newer["expiresAt"], older["expiresAt"] is None) == (None, False)
            clocks.wall_ahead_ms = OVERLAP_MS + 1_000
            assert [one["kid"] for one in await keys_of(rig)] == [newer["kid"]]
            await rig.http.delete(at, headers=named(rig))
            assert await keys_of(rig) == []

    on_rig(database, act, clocks=clocks)


def test_what_is_no_endpoint_has_no_keys_and_what_can_be_none_is_refused(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        assert await keys_of(rig, "01ARZ3NDEKTSV4RRFFQ69G5FAV") == []
        for query in ("endpointId=%00", "endpointId=", "endpointId=abc", "merchantId=1"):
            answer = await rig.http.get(f"{KEYS}?{query}")
            assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_REQUEST"), query

    on_rig(database, act, ready=False)
