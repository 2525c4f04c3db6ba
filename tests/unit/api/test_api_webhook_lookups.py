"""Names of webhooks: whose hang holds its own merchant's deliveries up, and nobody else's."""

import asyncio
import socket
import threading
from collections import Counter
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.webhooks.addresses import AddressFault
from api.webhooks.lookups import (
    LOOKUPS_MAX,
    MERCHANT_LOOKUPS_MAX,
    LookupPlaces,
    Lookups,
)


class SlowNames:
    """A name service that answers for `slow.example` when it is let, and for others at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let, self.asked, self.hanging, self.most = threading.Event(), 0, 0, 0
        self._lock = threading.Lock()
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def _look_up(self, host: Any, port: int, *_: Any, **__: Any) -> list[Any]:
        with self._lock:
            self.asked += 1
        if host == "slow.example":
            with self._lock:
                self.hanging += 1
                self.most = max(self.most, self.hanging)
            self.let.wait(30)
            with self._lock:
                self.hanging -= 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))]


def test_a_merchant_whose_names_hang_holds_up_no_other_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.webhooks.lookups.RESOLVE_S", 0.3)
    names = SlowNames(monkeypatch)

    async def run() -> None:
        lookups = Lookups(livemode=True)
        try:
            slow = [
                asyncio.create_task(lookups.resolve("slow", "slow.example", 443))
                for _ in range(2 * LOOKUPS_MAX)
            ]
            await asyncio.sleep(0)
            assert await lookups.resolve("other", "shop.example", 443) == ip_address("1.1.1.1")
            # The default threads hash passwords and tell the channel: all of them are free.
            assert await asyncio.wait_for(asyncio.to_thread(int, "7"), 5) == 7
            refused = await asyncio.gather(*slow, return_exceptions=True)
            assert {getattr(fault, "code", "") for fault in refused} == {"NAME_NOT_RESOLVED"}
            # Given up are the waits; the threads hang on, and count.
            with pytest.raises(AddressFault):
                await lookups.resolve("slow", "shop.example", 443)
            assert names.most == MERCHANT_LOOKUPS_MAX
            names.let.set()
            async with asyncio.timeout(120):
                while names.hanging:  # noqa: ASYNC110 - threads tell nobody
                    await asyncio.sleep(0.01)
            assert await lookups.resolve("slow", "shop.example", 443) == ip_address("1.1.1.1")
        finally:
            names.let.set()
            lookups.close()

    asyncio.run(run())


def test_merchants_that_let_all_their_names_hang_leave_places_for_every_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So many of them as would fill every place, had each its whole share."""
    monkeypatch.setattr("api.webhooks.lookups.RESOLVE_S", 1.0)
    names, many = SlowNames(monkeypatch), LOOKUPS_MAX // MERCHANT_LOOKUPS_MAX

    async def run() -> None:
        lookups = Lookups(livemode=True)
        try:
            slow = [
                asyncio.create_task(lookups.resolve(f"slow {one}", "slow.example", 443))
                for one in range(many)
                for _ in range(2 * MERCHANT_LOOKUPS_MAX)
            ]
            await asyncio.gather(*slow, return_exceptions=True)
            assert many <= names.hanging < LOOKUPS_MAX
            for other in range(2 * many):
                found = await lookups.resolve(f"other {other}", "shop.example", 443)
                assert found == ip_address("1.1.1.1")
        finally:
            names.let.set()
            lookups.close()

    asyncio.run(run())


@given(st.lists(st.integers(0, 40), max_size=400))
def test_a_merchant_without_a_place_gets_one_while_any_is_free(asking: list[int]) -> None:
    async def run() -> None:
        places, held = LookupPlaces(), Counter[int]()
        tasks = [asyncio.create_task(places.take(str(merchant))) for merchant in asking]
        await asyncio.sleep(0)
        for merchant, task in zip(asking, tasks, strict=True):
            held[merchant] += task.done()
        assert max(held.values(), default=0) <= MERCHANT_LOOKUPS_MAX
        assert held.total() <= LOOKUPS_MAX
        assert held.total() == LOOKUPS_MAX or set(asking) <= {m for m in held if held[m]}
        while held.total():  # Whatever is given back, everyone is served in the end.
            merchant = next(merchant for merchant in held if held[merchant])
            held[merchant] -= 1
            places.give_back(str(merchant))
            waited = [(m, t) for m, t in zip(asking, tasks, strict=True) if not t.done()]
            await asyncio.sleep(0)
            for later, task in waited:
                held[later] += task.done()
        assert all(task.done() for task in tasks)

    asyncio.run(run())


def test_who_looks_up_as_the_service_ends_is_told_and_not_thrown_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = SlowNames(monkeypatch)

    async def run() -> None:
        lookups = Lookups(livemode=True)
        waiting = [
            asyncio.create_task(lookups.resolve("m", "slow.example", 443))
            for _ in range(2 * MERCHANT_LOOKUPS_MAX)
        ]
        async with asyncio.timeout(5):
            while names.hanging < MERCHANT_LOOKUPS_MAX:  # noqa: ASYNC110 - threads tell nobody
                await asyncio.sleep(0.01)
        lookups.close()
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert {getattr(fault, "code", repr(fault)) for fault in told} == {"NAME_NOT_RESOLVED"}
        with pytest.raises(AddressFault) as late:
            await lookups.resolve("m", "shop.example", 443)
        assert late.value.code == "NAME_NOT_RESOLVED"
        names.let.set()

    asyncio.run(run())


def test_a_place_that_comes_as_its_merchant_gives_up_goes_to_the_next() -> None:
    async def run() -> None:
        places = LookupPlaces()
        for _ in range(MERCHANT_LOOKUPS_MAX):
            await places.take("m")
        first, second = (asyncio.create_task(places.take("m")) for _ in range(2))
        await asyncio.sleep(0)
        places.give_back("m")
        first.cancel()
        await asyncio.wait_for(second, 5)
        assert first.cancelled()
        third = asyncio.create_task(places.take("m"))
        await asyncio.sleep(0)
        places.close()
        with pytest.raises(AddressFault):
            await third

    asyncio.run(run())


def test_more_look_ups_than_a_merchant_has_at_once_are_made_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = SlowNames(monkeypatch)

    async def run() -> None:
        lookups = Lookups(livemode=True)
        found = await asyncio.gather(
            *(lookups.resolve("m", "shop.example", 443) for _ in range(5 * MERCHANT_LOOKUPS_MAX))
        )
        lookups.close()
        assert len(found) == names.asked == 5 * MERCHANT_LOOKUPS_MAX

    asyncio.run(run())
