"""A student of the simulation: begins with nothing but a key and a letter from the office.

The letter's code lets them in, their wallet is linked, the union sends the first fees. What they
buy then is a point each, and five points are a coupon.
"""

import httpx
import msgspec

from simulator.dairy.asking import answer_of, until
from simulator.dairy.office import Invitation
from simulator.dairy.wallet import Wallet, WalletChallenge


class Student:
    """Somebody who has come in with a letter from the office."""

    def __init__(self, http: httpx.AsyncClient, wallet: Wallet, prefix: str) -> None:
        self._http, self._wallet = http, wallet
        self.address = wallet.address_text(prefix)
        self._headers: dict[str, str] = {}
        self._points = 0

    async def enter(self, invitation: Invitation) -> None:
        """Use the letter's code, and link the wallet."""
        body = {"unionId": invitation.union_id, "code": invitation.code}
        entered = answer_of("letter", await self._http.post("/api/v1/auth/activate", json=body))
        self._headers = {"Authorization": f"Bearer {entered['accessToken']}"}
        path = "/api/v1/me/wallet-links"
        begun = answer_of("wallet", await self._http.post(path, headers=self._headers))
        challenge = msgspec.convert(begun["challenge"], WalletChallenge)
        proof = {"unionId": invitation.union_id, **self._wallet.prove(challenge, self._host)}
        path = f"{path}/{begun['id']}/proof"
        answer_of("proof", await self._http.put(path, json=proof, headers=self._headers))

    @property
    def _host(self) -> str:
        """Name whom we talk to ourselves: a proof for another host is good for nobody else."""
        return self._http.base_url.netloc.decode("ascii")

    async def welcomed(self) -> None:
        """Wait for the first fees."""

        async def look() -> bool | None:
            path = f"/api/v1/accounts/{self.address}"
            account = answer_of("account", await self._http.get(path))
            return str(account["bill"]).strip("0.") != "" or None

        await until(look)

    async def new_points(self) -> int:
        """Count the points that came since the last time that this was asked."""
        told = answer_of("points", await self._http.get("/api/v1/loyalty", headers=self._headers))
        entries = told["data"]
        assert isinstance(entries, list)
        before, self._points = self._points, sum(one["kind"] == "earn" for one in entries)
        return self._points - before

    async def coupon(self) -> str | None:
        """Give the code of a coupon that is not used yet."""
        path = "/api/v1/coupons?state=issued"
        told = answer_of("coupons", await self._http.get(path, headers=self._headers))
        coupons = told["data"]
        assert isinstance(coupons, list)
        return str(coupons[0]["code"]) if coupons else None
