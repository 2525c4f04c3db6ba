"""The union's office of a testnet: its officer invites students and takes cash for BILL.

The officer is one of the demonstration's people (`HOME/api/demo.json`) and logs in with a password,
as anybody would.
"""

from pathlib import Path
from time import monotonic
from typing import Final

import httpx
import msgspec
from msgspec import Struct
from ulid import ULID

from node.errors import BadConfig
from simulator.dairy.asking import StepRefused, answer_of, until, until_served

OFFICER: Final = "officer"
TOKEN_S: Final = 600.0
"""How long a token is used: less than its quarter of an hour."""


class OfficePerson(Struct, frozen=True, rename="camel"):
    """What somebody logs in with."""

    login_name: str
    password: str


class OfficePeople(Struct, frozen=True, rename="camel"):
    """The people of the demonstration, as far as an office needs them."""

    people: tuple[OfficePerson, ...]


class Invitation(Struct, frozen=True):
    """The code that the office hands to somebody, and the union that it is of."""

    union_id: str
    code: str


def read_officer(path: Path) -> OfficePerson:
    """Read the officer's credentials; raise `BadConfig`."""
    try:
        people = msgspec.json.decode(path.read_bytes(), type=OfficePeople).people
    except (OSError, msgspec.MsgspecError) as fault:
        raise BadConfig(f"{path}: {fault}") from None
    for person in people:
        if person.login_name == OFFICER:
            return person
    raise BadConfig(f"{path}: nobody of the name {OFFICER!r}")


class Office:
    """An officer at work."""

    def __init__(self, http: httpx.AsyncClient, officer: OfficePerson) -> None:
        self._http, self._officer = http, officer
        self._headers: dict[str, str] = {}
        self._entered_s = 0.0
        self._union_id = ""

    async def invite(self, name: str) -> Invitation:
        """Write a student down; give the code of the letter that they get."""
        body = {"name": name, "cardNumber": str(ULID())}
        invited = await self._post("invitation", "/api/v1/users", body)
        return Invitation(self._union_id, str(invited["activationCode"]))

    async def top_up(self, address: str, amount_myr: str) -> None:
        """Take cash for an address, and wait until the union's float has sent BILL for it."""
        body = {"address": address, "amount": amount_myr, "receiptNumber": str(ULID())}
        asked = await until_served(lambda: self._post("top-up", "/api/v1/top-ups", body))

        async def look() -> bool | None:
            path = f"/api/v1/top-ups/{asked['id']}"
            answer = await self._http.get(path, headers=await self._entered())
            shown = answer_of("top-up", answer)
            if shown["state"] in ("failed", "reversed"):
                raise StepRefused("top-up", answer.status_code, str(shown["code"]))
            return shown["state"] == "succeeded" or None

        await until(look)

    async def _post(self, step: str, path: str, body: dict[str, str]) -> dict[str, object]:
        headers = {**await self._entered(), "Idempotency-Key": str(ULID())}
        return answer_of(step, await self._http.post(path, json=body, headers=headers))

    async def _entered(self) -> dict[str, str]:
        """Give the headers of somebody who has logged in."""
        if self._headers and monotonic() - self._entered_s < TOKEN_S:
            return self._headers
        unions = answer_of("unions", await self._http.get("/api/v1/unions"))["data"]
        assert isinstance(unions, list)
        self._union_id = str(unions[0]["id"])
        body = {"unionId": self._union_id, **msgspec.to_builtins(self._officer)}
        entered = answer_of("login", await self._http.post("/api/v1/auth/login", json=body))
        self._headers = {"Authorization": f"Bearer {entered['accessToken']}"}
        self._entered_s = monotonic()
        return self._headers
