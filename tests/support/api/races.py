"""One service with a signer played by hand, and many hands that race over its money."""

import asyncio
import contextlib
import random

from sqlalchemy import text

from api.db.faults import DATABASE_FAULTS
from api.errors import ApiFault
from api.signing.model import SigningState
from tests.support.api.signed_money import HandSigner

HANDS, ACTS = 5, 8
KILLS = 12
ABROAD = {SigningState.SIGNED, SigningState.SUBMITTED}


class Money:
    """One service, and everything that was signed in it."""

    def __init__(self, rig, people, officer, holder):
        self.rig, self.people, self.officer, self.holder = rig, people, officer, holder
        self.signer = HandSigner(rig)
        self.signed = {}

    async def rows(self, statement, **values):
        async with self.signer.engine.connect() as connection:
            return (await connection.execute(text(statement), values)).all()

    async def sign_some(self, chance):
        """Lease as one of two signers, and sign, refuse, or forget what was leased."""
        name = chance.choice(self.rig.names)
        for request in await self.signer.lease(name, chance.choice((1, 2, 64))):
            fate = chance.random()
            if fate < 0.6:
                raw = self.signed.get(request.id) or self.signer.sign(request, name)
                self.signed[request.id] = raw
                await self.signer.hand_over(request, name, raw)
            elif fate < 0.75:
                account = self.rig.account_of(name)
                await self.signer.office.refuse(account, request.id, "DAY_LIMIT", "enough")
        if chance.random() < 0.5:
            await self.rig.api.execute("UPDATE signing_requests SET leased_until_ms = 0")

    async def settle_some(self, chance):
        """Put some of what was taken in into a block; twice, as after a crash."""
        states = [str(state) for state in ABROAD]
        rows = await self.rows(
            "SELECT id FROM signing_requests WHERE state = ANY(:states)", states=states
        )
        ids = [row.id for row in rows if row.id in self.signed and chance.random() < 0.7]
        code = "insufficient_funds" if chance.random() < 0.2 else ""
        await self.signer.finalize(*(self.signed[one] for one in ids), code=code, times=2)

    async def quiesce(self):
        """Let everything that is asked for be signed, and settled."""
        chance = random.Random(0)
        chance.random = lambda: 0.5
        for _ in range(4):
            await self.rig.api.execute("UPDATE signing_requests SET leased_until_ms = 0")
            for name in self.rig.names:
                for request in await self.signer.lease(name):
                    raw = self.signed.get(request.id) or self.signer.sign(request, name)
                    self.signed[request.id] = raw
                    await self.signer.hand_over(request, name, raw)
            await self.settle_some(chance)
        [left] = await self.rows("""
            SELECT count(*) FROM signing_requests
            WHERE state IN ('open', 'leased', 'signed', 'submitted')
        """)
        assert left[0] == 0, "nothing waits for ever"

    async def kill_some(self, chance):
        """Kill connections of the service, one after another, wherever they are."""
        for _ in range(KILLS):
            await asyncio.sleep(chance.random() / 10)
            with contextlib.suppress(*DATABASE_FAULTS):
                async with self.signer.engine.connect() as connection:
                    await connection.execute(
                        text("""
                            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                            WHERE datname = current_database() AND pid <> pg_backend_pid()
                            ORDER BY random() LIMIT 1
                        """)
                    )


def race(lent, seed, begin, hands, check):
    runner, money = lent
    signer = (
        lambda chance, _: money.sign_some(chance),
        lambda chance, _: money.settle_some(chance),
    )

    async def hand(number, subject):
        chance = random.Random(f"{seed}/{number}")
        for _ in range(ACTS):
            act = chance.choice((*hands, *signer))
            try:
                await act(chance, subject)
            except (ApiFault, *DATABASE_FAULTS):
                await asyncio.sleep(0)

    async def run():
        for name in money.rig.names:
            await money.signer.lease(name, 1)
        subject = await begin(money)
        killer = asyncio.create_task(money.kill_some(random.Random(seed)))
        await asyncio.gather(*(hand(number, subject) for number in range(HANDS)))
        await killer
        # A connection whose end is not heard of yet would be lent once more.
        await money.signer.engine.dispose()
        await money.rig.api.level()
        await money.quiesce()
        await check(money, subject)

    runner.run(run())
