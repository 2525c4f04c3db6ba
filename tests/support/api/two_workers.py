"""Two workers of one service: what one has seen, the other must know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.api.people_rig import PeopleRig, people_of
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, rig_config, rig_over
from tests.support.node.fake_node import FakeNode


@asynccontextmanager
async def two_workers(database: TestDatabase) -> AsyncIterator[tuple[PeopleRig, ServiceRig]]:
    """Run two workers over one database; give the first with its people, and the second."""
    node, clocks = FakeNode(), Clocks()
    async with database.fresh_database() as url:
        config = rig_config(url, ("bck_test_" + "a" * 52, "bck_test_" + "b" * 52))
        async with (
            rig_over(config, node, clocks=clocks, ready=True) as first,
            rig_over(config, node, clocks=clocks, ready=True) as second,
        ):
            people = await people_of(first)
            try:
                yield people, second
            finally:
                await people.close()
