"""Students who buy milk for points, and the books of their points."""

import asyncio

from sqlalchemy import text

from api.access.roles import Role
from tests.support.api.signing_rig import running_signing_rig
from tests.support.api.wallet_proofs import link


def played(database, folder):
    """Give what plays a story with people around a service and its signer."""

    def start(act, **changes):
        async def run():
            async with running_signing_rig(database, folder, **changes) as rig:
                people = await rig.people()
                try:
                    await act(rig, people)
                finally:
                    await people.close()

        asyncio.run(run())

    return start


async def student(people, *keys):
    """Let a student in who has linked a wallet."""
    member = await people.member((Role.STUDENT, people.union_id))
    for key in keys:
        assert (await link(member, key)).status_code == 200
    return member


async def coupons(member, **query):
    wanted = "&".join(f"{name}={value}" for name, value in query.items())
    return (await member.ok("GET", f"/coupons?{wanted}"))["data"]


async def check_books(rig):
    """Earned less reversed is the balance, and five for each coupon that stands; sums agree."""
    async with rig.api.service.engine.connect() as connection:
        rows = await connection.execute(
            text("""
                SELECT a.balance,
                    (SELECT coalesce(sum(points), 0) FROM loyalty_entries e
                        WHERE e.user_id = a.user_id) AS summed,
                    (SELECT count(*) FILTER (WHERE kind = 'earn')
                        - count(*) FILTER (WHERE kind = 'reverse')
                        + coalesce(sum(points) FILTER (WHERE kind = 'adjust'), 0)
                        FROM loyalty_entries e WHERE e.user_id = a.user_id) AS earned,
                    (SELECT count(*) FROM coupons c WHERE c.user_id = a.user_id
                        AND campaign_id IS NULL AND state <> 'revoked') AS standing
                FROM loyalty_accounts a
            """)
        )
        for row in rows:
            assert row.balance == row.summed
            assert row.earned == row.balance + 5 * row.standing
