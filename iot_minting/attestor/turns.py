"""Turns: whose request is taken in, and whose is judged next, so that nobody's flood stops another.

Places are few, and so are judges. A caller holds at most `EACH_MAX` places; where all are taken,
one who waits for a second gives it up to a caller who has none, and so does who was served later
than that caller was. One request of a caller is judged at a time, and of those who wait the one
goes first whom nothing was answered for longest. So of n callers who all flood, each comes again
before any other came twice.

Who brings claims that are long to judge is *slow* for a while, and one judge serves none of those:
so however many flood together, there is one whose turns are short. They keep no more than half of
the places from others.

Lives on one event loop; nothing here waits but `turn`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final

from iot_minting.attestor.errors import CallerBusy, QueueFull
from ledger.primitives.keys import Address

WAITING_MAX: Final = 8
"""Requests that are read or judged, or wait for it; the next is told to come again."""
EACH_MAX: Final = 2
"""Of those, one caller's: one that is judged, and the next."""
JUDGES_MAX: Final = 2
"""Claims that are judged at once, each in a process of its own."""
SLOW_S: Final = 10.0
"""Whose turn takes longer is slow. A day of a full line takes some seconds."""
SLOW_PLACES_MAX: Final = WAITING_MAX // 2
"""Places that those who are slow keep where others want them."""
SLOW_FOR_S: Final = 600.0
"""For how long: a tenth of a short judge's time at most is any one flood's."""
CALLERS_MAX: Final = 1_024
"""Callers of whom it is remembered when they were served last: more than wait at once."""


@dataclass(eq=False, slots=True)
class HeldPlace:
    """A caller's place. `granted` is set once it may be judged, or is to give its place up."""

    caller: Address
    waits: bool = False
    begun: bool = False
    begun_s: float = 0.0
    given_up: bool = False
    granted: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Raise `QueueFull` if the place went to another."""
        if self.given_up:
            raise QueueFull(WAITING_MAX)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Turns:
    """Shares places and judges out among callers."""

    def __init__(self, judges: int = JUDGES_MAX, now_s: Callable[[], float] = _loop_time) -> None:
        self._free, self._now_s = judges, now_s
        self._slow_max = max(1, judges - 1)
        self._slow_until: OrderedDict[Address, float] = OrderedDict()
        """Who is slow, the latest last."""
        self._places: list[HeldPlace] = []
        self._judged: set[Address] = set()
        self._served: OrderedDict[Address, None] = OrderedDict()
        """Who was served, whatever it was told; the latest last."""

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def place(self, caller: Address) -> Iterator[HeldPlace]:
        """Hold a place while the block runs; raise `QueueFull` or `CallerBusy` if there is none."""
        self._check_caller(caller)
        if len(self._places) >= WAITING_MAX:
            self._make_room(caller)
        held = HeldPlace(caller)
        self._places.append(held)
        try:
            yield held
        finally:
            self._drop(held)
            if not held.given_up:
                self._note_served(held.caller)

    def rename(self, place: HeldPlace, caller: Address) -> None:
        """Let a place be another caller's, now that it is known whose; raise `CallerBusy`."""
        if place.caller != caller:
            self._check_caller(caller)
            place.caller = caller

    @asynccontextmanager
    async def turn(self, place: HeldPlace) -> AsyncIterator[None]:
        """Wait for the caller's turn, and have it while the block runs.

        Raise `QueueFull` if the place is wanted by one who has none.
        """
        place.check()
        place.waits = True
        self._grant()
        try:
            await place.granted.wait()
            place.check()
            yield
        finally:
            place.waits = False
            if place.begun:
                self._end(place)

    def _check_caller(self, caller: Address) -> None:
        held = sum(each.caller == caller for each in self._places)
        if held >= EACH_MAX:
            raise CallerBusy(held, EACH_MAX)

    def _make_room(self, caller: Address) -> None:
        """Take a place from who is not judged and must yield; raise if nobody must."""
        callers = [each.caller for each in self._places]
        order = self._order()
        slow = sum(map(self._is_slow, callers))

        def yields(place: HeldPlace) -> bool:
            if callers.count(place.caller) > 1:
                return True
            if not self._is_slow(caller) and self._is_slow(place.caller) and slow > SLOW_PLACES_MAX:
                return True
            crowded = self._is_slow(caller) and slow >= SLOW_PLACES_MAX
            later = order.get(place.caller, -1) > order.get(caller, -1)
            return later and (self._is_slow(place.caller) or not crowded)

        ready = [each for each in self._places if not each.begun and yields(each)]
        if not ready:
            raise QueueFull(len(self._places))
        # The second of one who holds several goes before anyone's only one.
        last = max(
            reversed(ready),
            key=lambda each: (callers.count(each.caller), order.get(each.caller, -1)),
        )
        last.given_up = True
        last.granted.set()
        self._drop(last)

    def _drop(self, place: HeldPlace) -> None:
        if place in self._places:
            self._places.remove(place)

    def _grant(self) -> None:
        """Let those begin for whom there is a judge, the one whose last turn was first ago."""
        while self._free:
            full = sum(self._is_slow(each) for each in self._judged) >= self._slow_max
            ready = [
                each
                for each in self._places
                if each.waits
                and not each.begun
                and each.caller not in self._judged
                and not (full and self._is_slow(each.caller))
            ]
            if not ready:
                return
            order = self._order()
            first = min(ready, key=lambda each: order.get(each.caller, -1))
            first.begun, first.begun_s = True, self._now_s()
            self._free -= 1
            self._judged.add(first.caller)
            first.granted.set()

    def _order(self) -> dict[Address, int]:
        """Number those who were served, by when."""
        return {caller: number for number, caller in enumerate(self._served)}

    def _is_slow(self, caller: Address) -> bool:
        return self._slow_until.get(caller, 0.0) > self._now_s()

    def _note_slow(self, place: HeldPlace) -> None:
        now_s = self._now_s()
        if now_s - place.begun_s <= SLOW_S:
            return
        self._slow_until[place.caller] = now_s + SLOW_FOR_S
        self._slow_until.move_to_end(place.caller)
        if len(self._slow_until) > CALLERS_MAX:
            self._slow_until.popitem(last=False)

    def _end(self, place: HeldPlace) -> None:
        place.begun = False
        self._note_slow(place)
        self._free += 1
        self._judged.discard(place.caller)
        self._note_served(place.caller)
        self._grant()

    def _note_served(self, caller: Address) -> None:
        self._served[caller] = None
        self._served.move_to_end(caller)
        if len(self._served) > CALLERS_MAX:
            self._served.popitem(last=False)
