"""Places of connections that have proved no key: the oldest try gives way, never the newest."""

import trio
import trio.testing

from node.shell.p2p.half_open import PER_ADDRESS_MAX, STRANGERS_MAX, TRIES_PER_PEER, HalfOpenPlaces
from tests.support.system.trio_runs import in_trio

PEER = "192.0.2.1"


class Tries:
    """Connections that try for ever, unless they must give way."""

    def __init__(self, places: HalfOpenPlaces, nursery: trio.Nursery) -> None:
        self._places, self._nursery = places, nursery
        self.begun = 0
        self.gave_way: list[int] = []

    def begin(self, host: str) -> None:
        """Begin one more try from a host; the first has number 0."""
        self._nursery.start_soon(self._try, host, self.begun)
        self.begun += 1

    async def _try(self, host: str, number: int) -> None:
        with self._places.place(host):
            await trio.sleep_forever()
        self.gave_way.append(number)


def over(peer_hosts: tuple[str, ...]):
    """Run a test with these peers; at the end no place is held."""

    def decorate(test):
        @in_trio
        async def whole():
            places = HalfOpenPlaces(peer_hosts)
            async with trio.open_nursery() as nursery:
                await test(Tries(places, nursery), places)
                nursery.cancel_scope.cancel()
            assert len(places) == 0

        whole()

    return decorate


def test_one_address_displaces_itself_oldest_first():
    @over(())
    async def _(tries, places):
        for _ in range(PER_ADDRESS_MAX + 3):
            tries.begin("198.51.100.7")
            await trio.testing.wait_all_tasks_blocked()
        assert tries.gave_way == [0, 1, 2]
        assert len(places) == PER_ADDRESS_MAX


def test_many_addresses_displace_each_other_oldest_first():
    @over(())
    async def _(tries, places):
        for number in range(STRANGERS_MAX + 5):
            tries.begin(f"198.51.{number // 250}.{number % 250}")
            await trio.testing.wait_all_tasks_blocked()
        assert tries.gave_way == [0, 1, 2, 3, 4]
        assert len(places) == STRANGERS_MAX


def test_a_flood_at_once_leaves_no_more_than_the_bound():
    @over(())
    async def _(tries, places):
        for number in range(5 * STRANGERS_MAX):
            tries.begin(f"2001:db8:{number:x}::1")
        await trio.testing.wait_all_tasks_blocked()
        assert len(places) == STRANGERS_MAX


def test_strangers_take_no_place_of_a_host_where_validators_listen():
    peers = (PEER,) * 5

    @over(peers)
    async def _(tries, places):
        for _ in range(TRIES_PER_PEER * len(peers)):
            tries.begin(PEER)
        await trio.testing.wait_all_tasks_blocked()
        for number in range(2 * STRANGERS_MAX):
            tries.begin(f"198.51.{number // 250}.{number % 250}")
        await trio.testing.wait_all_tasks_blocked()
        assert min(tries.gave_way) >= TRIES_PER_PEER * len(peers)
        assert len(places) == TRIES_PER_PEER * len(peers) + STRANGERS_MAX
