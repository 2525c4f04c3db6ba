"""Turns: a caller's flood takes its own places and its own turns, never another's."""

import asyncio
from contextlib import ExitStack

import pytest

from iot_minting.attestor.errors import CallerBusy, QueueFull
from iot_minting.attestor.turns import (
    EACH_MAX,
    JUDGES_MAX,
    SLOW_FOR_S,
    SLOW_S,
    WAITING_MAX,
    Turns,
)
from ledger.primitives.keys import Address


def caller(number):
    return Address(bytes([number]) * 32)


FLOOD, QUIET = caller(200), caller(201)


class Hall:
    """Requests that wait for turns, and what becomes of each."""

    def __init__(self, judges=JUDGES_MAX):
        self.turns, self.begun, self.going = Turns(judges, lambda: self.now_s), [], []
        self.leave, self.now_s = {}, 0.0

    async def _ask(self, who, name):
        with self.turns.place(who) as place:
            async with self.turns.turn(place):
                self.begun.append(name)
                await self.leave.setdefault(name, asyncio.Event()).wait()

    async def ask(self, who, name):
        self.going.append(asyncio.create_task(self._ask(who, name)))
        await settle()
        return self.going[-1]

    async def done(self, name):
        self.leave.setdefault(name, asyncio.Event()).set()
        await settle()

    async def close(self):
        for each in self.going:
            each.cancel()
        await asyncio.gather(*self.going, return_exceptions=True)
        assert len(self.turns) == 0


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def run(test):
    async def whole():
        hall = Hall()
        await test(hall)
        await hall.close()

    asyncio.run(whole())


def test_one_request_of_a_caller_is_judged_at_a_time():
    async def test(hall):
        await hall.ask(FLOOD, "a")
        await hall.ask(FLOOD, "b")
        assert hall.begun == ["a"]
        await hall.ask(QUIET, "q")
        assert hall.begun == ["a", "q"]
        await hall.done("a")
        assert hall.begun == ["a", "q", "b"]

    run(test)


def test_who_had_its_turn_longest_ago_goes_first():
    async def test(hall):
        for number in range(JUDGES_MAX):
            await hall.ask(caller(number), f"first {number}")
        await hall.ask(caller(0), "again")
        await hall.ask(QUIET, "q")
        await hall.ask(caller(77), "new")
        await hall.done("first 0")
        assert hall.begun[-1] == "q", "who came before others, of those who had no turn yet"
        await hall.done("q")
        assert hall.begun[-1] == "new"
        await hall.done("new")
        assert hall.begun[-1] == "again"

    run(test)


async def slow_floods(hall, many=3):
    """Several callers whose claims take long: each has had a turn, and waits for the next."""
    for number in range(many):
        await hall.ask(caller(number), (number, "long"))
    for number in range(many):
        hall.now_s += SLOW_S + 1
        await hall.done((number, "long"))
    for number in range(many):
        await hall.ask(caller(number), (number, "again"))


def test_callers_that_flood_together_with_long_claims_leave_a_judge_to_others():
    async def test(hall):
        await slow_floods(hall)
        assert hall.begun[3:] == [(0, "again")]
        for name in ("q", "and on"):
            await hall.ask(QUIET, name)
            assert hall.begun[-1] == name
            await hall.done(name)
        await hall.done((0, "again"))
        assert hall.begun[-1] == (1, "again"), "they have their turns, one at a time"

    run(test)


def test_who_was_slow_is_so_for_a_while():
    async def test(hall):
        await slow_floods(hall)
        hall.now_s += SLOW_FOR_S
        await hall.ask(QUIET, "q")
        await hall.done("q")
        assert hall.begun[-2:] == ["q", (1, "again")]

    run(test)


def test_who_is_as_quick_as_may_be_is_not_slow():
    async def test(hall):
        for number in range(JUDGES_MAX):
            await hall.ask(caller(number), number)
        hall.now_s += SLOW_S
        for number in range(JUDGES_MAX):
            await hall.done(number)
        for number in range(JUDGES_MAX):
            await hall.ask(caller(number), (number, "again"))
        assert len(hall.begun) == 2 * JUDGES_MAX

    run(test)


def test_a_lone_judge_serves_slow_callers_too():
    async def whole():
        hall = Hall(judges=1)
        await slow_floods(hall, many=1)
        assert hall.begun == [(0, "long"), (0, "again")]
        await hall.close()

    asyncio.run(whole())


def test_a_caller_holds_few_places():
    async def test(hall):
        for number in range(EACH_MAX):
            await hall.ask(FLOOD, number)
        with pytest.raises(CallerBusy), hall.turns.place(FLOOD):
            pass
        with hall.turns.place(QUIET):
            pass

    run(test)


def test_who_holds_several_places_gives_one_to_who_has_none():
    async def test(hall):
        for number in range(WAITING_MAX // EACH_MAX):
            for each in range(EACH_MAX):
                await hall.ask(caller(number), (number, each))
        refused = hall.going[-1]
        await hall.ask(QUIET, "q")
        assert isinstance(refused.exception(), QueueFull)
        for number in range(JUDGES_MAX + 1):
            await hall.done((number, 0))
        assert hall.begun[-1] == "q"

    run(test)


def test_where_each_has_one_place_the_next_comes_again():
    async def test(hall):
        with ExitStack() as held:
            for number in range(WAITING_MAX):
                held.enter_context(hall.turns.place(caller(number)))
            with pytest.raises(QueueFull), hall.turns.place(QUIET):
                pass
        with hall.turns.place(QUIET):
            pass

    run(test)


def test_who_was_served_longest_ago_finds_a_place_though_each_has_one():
    """As many callers as there are places ask again and again, at once; one asks now and then."""

    async def test(hall):
        for number in range(WAITING_MAX):
            await hall.ask(caller(number), (number, 0))
        late = await hall.ask(QUIET, "q")
        assert isinstance(late.exception(), QueueFull), "nobody was served yet"
        for number in range(JUDGES_MAX):
            await hall.done((number, 0))
            await hall.ask(caller(number), (number, 1))
        await hall.ask(QUIET, "q")
        refused = [each for each in hall.going if each.done() and each.exception()]
        assert len(refused) == 2, "who was served last gave its place up"
        for number in range(JUDGES_MAX, WAITING_MAX):
            await hall.done((number, 0))
            await hall.ask(caller(number), (number, 1))
        assert "q" in hall.begun
        assert hall.begun.index("q") <= WAITING_MAX + 1, "no other came twice before"

    run(test)


def test_who_is_served_without_a_turn_was_served():
    async def test(hall):
        for _ in range(3):
            with hall.turns.place(FLOOD):
                pass
        await hall.ask(QUIET, "q")
        await hall.done("q")
        with ExitStack() as held:
            for number in range(WAITING_MAX - 1):
                held.enter_context(hall.turns.place(caller(number)))
            with hall.turns.place(FLOOD):
                pass
            place = held.enter_context(hall.turns.place(FLOOD))
            held.enter_context(hall.turns.place(QUIET))
            with pytest.raises(QueueFull):
                place.check()
            with pytest.raises(QueueFull):
                async with hall.turns.turn(place):
                    pass

    run(test)


def test_slow_callers_keep_half_of_the_places():
    async def test(hall):
        await slow_floods(hall, WAITING_MAX)
        assert len(hall.turns) == WAITING_MAX
        for number in range(WAITING_MAX // 2 + 1):
            await hall.ask(caller(100 + number), number)
        refused = [each for each in hall.going if each.done() and each.exception()]
        assert len(refused) == WAITING_MAX // 2 + 1
        assert [name for name in hall.begun if name in range(WAITING_MAX)] == [0]

    run(test)


def test_a_place_that_turns_out_to_be_anothers_counts_for_that_one():
    async def test(hall):
        with ExitStack() as held:
            for _ in range(EACH_MAX):
                held.enter_context(hall.turns.place(FLOOD))
            place = held.enter_context(hall.turns.place(QUIET))
            with pytest.raises(CallerBusy):
                hall.turns.rename(place, FLOOD)
            hall.turns.rename(place, QUIET)
            hall.turns.rename(place, caller(1))
            for _ in range(EACH_MAX):
                held.enter_context(hall.turns.place(QUIET))

    run(test)


def test_who_leaves_while_it_waits_or_is_judged_holds_nothing_up():
    async def test(hall):
        judged = await hall.ask(FLOOD, "judged")
        waits = await hall.ask(FLOOD, "waits")
        for each in (waits, judged):
            each.cancel()
        await settle()
        await hall.ask(FLOOD, "next")
        assert hall.begun == ["judged", "next"]

    run(test)
