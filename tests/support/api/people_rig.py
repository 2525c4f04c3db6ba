"""People around a service under test: officers, staff, students and tills, each with a browser.

A member's first role comes by the desk, as the command line gives it; all else goes over HTTP.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
from ulid import ULID

from api.access.roles import Role
from api.db.session import in_transaction
from api.http.app import create_app
from api.people.means import Actor
from api.people.model import Profile
from api.terminals.rules import commitment_of, match_digits
from ledger.primitives.keys import Seed, SigningKey
from tests.support.api.contract import keeps_its_word
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig

PASSWORD = "tiga ekor lembu putih"
PIN = "407193"
NOBODY = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
_NUMBERS = itertools.count(1)


@dataclass
class Member:
    """Somebody with a browser; `call` sends their token."""

    rig: ServiceRig
    browser: httpx.AsyncClient
    union_id: str
    id: str
    login_name: str
    token: str = ""
    staff_code: str = ""

    async def call(self, method: str, path: str, body: object = None, **headers: str):
        """Send a request as this person, with a fresh Idempotency-Key."""
        sent = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(ULID()), **headers}
        return await self.browser.request(method, f"/api/v1{path}", json=body, headers=sent)

    async def ok(self, method: str, path: str, body: object = None, **headers: str):
        """Send a request that must succeed; give its body."""
        answer = await self.call(method, path, body, **headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@dataclass
class TillUnderTest:
    """A till with its key."""

    rig: ServiceRig
    id: str
    merchant_id: str
    key: SigningKey
    token: str = ""

    async def call(self, method: str, path: str, body: object = None):
        """Send a request with the till's token."""
        sent = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(ULID())}
        return await self.rig.http.request(method, f"/api/v1{path}", json=body, headers=sent)

    async def renew(self) -> httpx.Response:
        """Sign a challenge for the next token."""
        asked = await post(self.rig, "/auth/challenges", {"terminalId": self.id})
        challenge = asked.json()
        signature = self.key.sign(bytes.fromhex(challenge["message"])).hex()
        proof = {name: challenge[name] for name in ("nonce", "expiresMs")}
        path = f"/terminals/{self.id}/session"
        answer = await post(self.rig, path, {**proof, "signature": signature})
        if answer.is_success:
            self.token = answer.json()["accessToken"]
        return answer


@dataclass
class PeopleRig:
    """Who is there."""

    rig: ServiceRig
    union_id: str
    merchant_id: str
    other_merchant_id: str
    members: list[Member] = field(default_factory=list)

    async def close(self) -> None:
        """Close every browser."""
        for member in self.members:
            await member.browser.aclose()

    async def invited(
        self, *roles: tuple[Role, str], union_id: str = "", name: str = "Aminah binti Ali"
    ) -> tuple[Member, str]:
        """Write somebody down with roles; give them and their code."""
        desks, union_id = self.rig.service.desks, union_id or self.union_id
        login = f"member{next(_NUMBERS)}@mmu.example"
        user_id = str(ULID())
        actor = Actor(union_id, user_id)

        async def write(connection):
            profile = Profile(name, f"CARD-{login}", login)
            invited = await desks.office.invite(connection, actor, user_id, profile)
            user = invited.user
            for role, place in roles:
                user = await desks.office.give_role(connection, union_id, user_id, role, place)
            return invited.code, user

        code, user = await in_transaction(self.rig.service.engine, write)
        member = Member(self.rig, self.browser(), union_id, user_id, login)
        member.staff_code = user.staff_code
        self.members.append(member)
        return member, code

    def browser(self) -> httpx.AsyncClient:
        """Open a browser: its cookies are its own."""
        transport = httpx.ASGITransport(create_app(self.rig.service))
        return httpx.AsyncClient(
            transport=transport,
            base_url="https://milk.example",
            trust_env=False,
            event_hooks={"response": [keeps_its_word]},
        )

    async def member(self, *roles: tuple[Role, str], **more: str) -> Member:
        """Let somebody with roles in, with a password and a PIN."""
        member, code = await self.invited(*roles, **more)
        body = {"unionId": member.union_id, "code": code, "password": PASSWORD, "pin": PIN}
        answer = await member.browser.post("/api/v1/auth/activate", json=body)
        assert answer.status_code == 200, answer.text
        member.token = answer.json()["accessToken"]
        return member

    async def officer(self, union_id: str = "") -> Member:
        """Let an officer of a union in."""
        at = union_id or self.union_id
        return await self.member((Role.UNION_OFFICER, at), union_id=at)

    async def manager(self) -> Member:
        """Let the merchant's manager in."""
        return await self.member((Role.MANAGER, self.merchant_id))

    async def cashier(self) -> Member:
        """Let a cashier of the merchant in."""
        return await self.member((Role.CASHIER, self.merchant_id))

    async def till(self, manager: Member, letter: str = "A") -> TillUnderTest:
        """Pair a till, as its manager and the till do it together."""
        made = await manager.ok("POST", "/terminals", {"label": "Front", "letter": letter})
        key, nonce = SigningKey(Seed(ULID().bytes * 2)), bytes(range(32))
        commitment = commitment_of(key.public, nonce).hex()
        body = {"code": made["pairingCode"], "commitment": commitment}
        paired = (await post(self.rig, "/terminals/pair", body)).json()
        at = f"/terminals/{paired['terminalId']}"
        shown = {"publicKey": key.public.hex(), "nonce": nonce.hex()}
        assert (await post(self.rig, f"{at}/key", shown)).status_code == 200
        digits = match_digits(key.public, nonce, bytes.fromhex(paired["serverNonce"]))
        assert (await manager.ok("GET", at))["match"] == digits
        await manager.ok("POST", f"{at}/confirm", {"match": digits})
        till = TillUnderTest(self.rig, paired["terminalId"], paired["merchantId"], key)
        assert (await till.renew()).status_code == 200
        return till


async def post(rig: ServiceRig, path: str, body: object) -> httpx.Response:
    """Post without any credential."""
    headers = {"Idempotency-Key": str(ULID())}
    return await rig.http.post(f"/api/v1{path}", json=body, headers=headers)


async def people_of(rig: ServiceRig) -> PeopleRig:
    """Find the union and the merchants of a rig."""
    union_id = str(await rig.scalar("SELECT id FROM unions"))
    kiosk = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
    other = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Other'"))
    return PeopleRig(rig, union_id, kiosk, other)


Story = Callable[[PeopleRig, Clocks], Awaitable[None]]


def play(database: TestDatabase, story: Story, **changes: object) -> None:
    """Play a story with people around a fresh service, whose clocks it may move."""

    async def run() -> None:
        clocks = Clocks()
        async with running_rig(database, clocks=clocks, **changes) as rig:
            people = await people_of(rig)
            try:
                await story(people, clocks)
            finally:
                await people.close()

    asyncio.run(run())
