"""Faults of network, disk and process: drawn from the seed before anything happens.

A `Menu` says how many of each a scenario may have; `draw` makes a schedule of them. Faults that
leave a node's memory false (a lost journal, a stale disk) count as faulty stake, and come only to
members that the scenario gave up to them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final

from simulator.virtual.network import Cut, Network, one_way, split
from simulator.virtual.process import Process
from simulator.virtual.trace import WORLD
from simulator.virtual.world import World

DOOM_EFFECTS_MAX: Final = 40
"""A crash in the middle comes within so many effects."""
DOWN_MS_MAX: Final = 4_000
PAUSE_MS_MAX: Final = 3_000
CUT_MS_MAX: Final = 5_000
CLOG_MS_MAX: Final = 5_000
SKEW_MS_MAX: Final = 900
JUMP_MS_MAX: Final = 6 * 3_600_000
JUMPED_MS_MAX: Final = 6_000
"""How long clocks stay hours wrong, until somebody puts them right."""


@dataclass(frozen=True, slots=True)
class Menu:
    """The most of each fault that one seed's safety phase may have."""

    crashes: int = 0
    pauses: int = 0
    skews: int = 0
    jumps: int = 0
    """Clocks that are hours wrong for a while, some, or all of them at once."""
    cuts: int = 0
    clogs: int = 0
    sync_failures: int = 0
    full_stops: int = 0


NO_FAULTS: Final = Menu()


@dataclass(slots=True)
class Faults:
    """Plans faults and carries them out."""

    world: World
    network: Network
    processes: Sequence[Process]
    chance: Random
    _is_over: bool = False

    def plan(self, menu: Menu, until_ms: int) -> None:
        """Draw a schedule from the menu, and plan it."""
        acts = [
            (menu.crashes, self.crash),
            (menu.pauses, self.pause),
            (menu.skews, self.skew),
            (menu.cuts, self.cut),
            (menu.clogs, self.clog),
            (menu.sync_failures, self.fail_sync),
            (menu.full_stops, self.stop_all),
            (menu.jumps, self.jump),
        ]
        for most, act in acts:
            for _ in range(self.chance.randint(0, most) if most > 1 else most):
                self.world.at(self.chance.randrange(until_ms), partial(self._do, act))

    def _do(self, act: Callable[[], None]) -> None:
        if not self._is_over:
            act()

    def end(self) -> None:
        """Begin no more faults; those under way end as planned."""
        self._is_over = True

    def _one(self) -> Process:
        return self.chance.choice(self.processes)

    # Processes.

    def crash(self) -> None:
        """Crash one process now, or in the middle of what it does next."""
        self.crash_one(self._one(), self.chance.randrange(DOWN_MS_MAX))

    def crash_one(self, process: Process, down_ms: int) -> None:
        """Crash a process; it comes back after a while."""
        if self.chance.random() < 0.5:
            process.crash("killed")
        else:
            process.doom = self.chance.randrange(DOOM_EFFECTS_MAX)
        self.world.after(down_ms, partial(self._revive, process))

    def _revive(self, process: Process) -> None:
        # Doomed and not dead yet: then it has not done anything that could be interrupted.
        process.doom = None
        process.start()

    def stop_all(self) -> None:
        """Stop every process at once; each comes back at a time of its own."""
        for process in self.processes:
            process.crash("everything stops")
            self.world.after(self.chance.randrange(DOWN_MS_MAX), partial(self._revive, process))

    def pause(self) -> None:
        """Let one process stand still for a while."""
        self._one().pause(self.chance.randrange(1, PAUSE_MS_MAX))

    def skew(self) -> None:
        """Set one clock wrong."""
        self._one().set_skew(self.chance.randint(-SKEW_MS_MAX, SKEW_MS_MAX))

    def jump(self) -> None:
        """Set some clocks wrong by hours, or all; then put them right, at times by a restart."""
        everyone = list(self.processes)
        count = (
            len(everyone) if self.chance.random() < 0.5 else self.chance.randint(1, len(everyone))
        )
        jumped = self.chance.sample(everyone, count)
        by_ms = self.chance.randint(-JUMP_MS_MAX, JUMP_MS_MAX)
        for_ms = self.chance.randrange(1, JUMPED_MS_MAX)
        for process in jumped:
            process.set_skew(by_ms)
            self.world.after(for_ms, partial(self._put_right, process))

    def _put_right(self, process: Process) -> None:
        process.set_skew(0)
        if self.chance.random() < 0.5:
            self.crash_one(process, self.chance.randrange(DOWN_MS_MAX))

    def fail_sync(self) -> None:
        """Let one disk refuse its next sync."""
        process = self._one()
        process.disk.fails_next = True
        self.world.after(self.chance.randrange(DOWN_MS_MAX), partial(self._repair, process))

    def _repair(self, process: Process) -> None:
        process.disk.fails_next = False
        process.start()

    # The network.

    def clog(self) -> None:
        """Hold up everything that one process sends, or hears, or one way between two."""
        places = [process.place for process in self.processes]
        one, other = self.chance.choice(places), self.chance.choice(places)
        until_ms = self.world.now_ms + self.chance.randrange(1, CLOG_MS_MAX)
        what = self.chance.randrange(3)
        ways = [(one, other)] if what == 0 else [(one, p) for p in places]
        if what == 2:
            ways = [(b, a) for a, b in ways]
        for source, target in ways:
            self.network.clog(source, target, until_ms)
        name = ("one way", "all it sends", "all it hears")[what]
        self._tell(f"clog at v{one}: {name}, until {until_ms / 1000:.1f} s")

    def cut(self) -> None:
        """Partition the network for a while."""
        cut = draw_cut(self.chance, [process.place for process in self.processes])
        for_ms = self.chance.randrange(200, CUT_MS_MAX)
        self.network.cut(cut)
        self._tell(f"cut, {cut.name}, for {for_ms} ms")
        self.world.after(for_ms, partial(self._mend, cut))

    def _mend(self, cut: Cut) -> None:
        if cut in self.network.cuts:
            self.network.mend(cut)
            self._tell(f"mended, {cut.name}")

    def _tell(self, text: str) -> None:
        trace = self.processes[0].env.trace
        trace.tell(self.world.now_ms, WORLD, "fault", -1, text)


def draw_cut(chance: Random, places: Sequence[int]) -> Cut:
    """Draw a partition: symmetric, asymmetric, with a bridge, or of one alone."""
    mixed = list(places)
    chance.shuffle(mixed)
    at = chance.randrange(1, len(mixed))
    left, right = mixed[:at], mixed[at:]
    kind = chance.randrange(4)
    if kind == 0:
        return split(f"symmetric {_list(left)} | {_list(right)}", [left, right])
    if kind == 1:
        return one_way(f"asymmetric {_list(left)} -> {_list(right)}", left, right)
    if kind == 2 and len(mixed) > 2:
        bridge, rest = mixed[0], mixed[1:]
        half = max(1, len(rest) // 2)
        name = f"bridge v{bridge} between {_list(rest[:half])} and {_list(rest[half:])}"
        return split(name, [rest[:half], rest[half:]])
    return split(f"v{mixed[0]} alone", [mixed[:1], mixed[1:]])


def _list(places: Sequence[int]) -> str:
    return ",".join(map(str, sorted(places)))
