"""One run of a network, from ports to the last line: the supervisor, the observer and the board.

The supervisor's task decides when the run is over; the others look on and end with it. What they
show is also in `DIR/testnet.json`, once a second, for `status`. Nothing that looks on can end the
network: what can't be shown, noted or asked is told once and tried again.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.live import Live

from ledger.genesis import parse_genesis
from node.home.whole_file import write_whole
from node.output import steady
from node.pricefeed.quotes import format_myr
from simulator.testnet import plan
from simulator.testnet.board import Scene, draw
from simulator.testnet.create import create
from simulator.testnet.errors import LayoutFault
from simulator.testnet.figures import Figures
from simulator.testnet.layout import (
    ATTESTORS_USUAL,
    ORACLES_USUAL,
    Description,
    Layout,
    RunState,
    show_path,
)
from simulator.testnet.leash import last_line
from simulator.testnet.market import market_file
from simulator.testnet.observation import Observer
from simulator.testnet.plain import draw_end, draw_line
from simulator.testnet.ports import find_ports
from simulator.testnet.supervision import RestartPolicy
from simulator.testnet.supervisor import Supervisor, end_leftovers, now_ms

DRAW_EVERY_S: Final = 1.0
OBSERVE_EVERY_S: Final = 1.0
PRICE_EVERY_S: Final = 5.0
LINE_EVERY_MS: Final = 5_000
LEFTOVERS_PATIENCE_S: Final = 3.0
LAST_LOOK_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for on the command line. `None` leaves the choice to us."""

    validators: int | None
    seed: int | None
    duration_s: float | None
    port_base: int | None
    board: bool
    quiet: bool
    """Nothing on the terminal while it runs: the JSON line is all that is wanted."""


def ensure_created(
    layout: Layout,
    validators: int | None,
    seed: int | None,
    load_count: int = 0,
    epoch_blocks: int | None = None,
    oracles: int | None = None,
    attestors: int | None = None,
) -> Description:
    """Give the network of a directory, made first if there is none; the caller holds it."""
    found = layout.describe()
    if found is None:
        feeders = ORACLES_USUAL if oracles is None else oracles
        judges = ATTESTORS_USUAL if attestors is None else attestors
        return create(layout, validators or 4, seed, load_count, epoch_blocks, feeders, judges)
    if attestors is not None and found.attestors != attestors:
        what = f"this network was made with {found.attestors} attestors, not {attestors}"
        raise LayoutFault(layout.root, what)
    if oracles is not None and found.oracles != oracles:
        what = f"this network was made with {found.oracles} oracles, not {oracles}"
        raise LayoutFault(layout.root, what)
    if validators is not None and found.validators != validators:
        what = f"this network was made with {found.validators} validators, not {validators}"
        raise LayoutFault(layout.root, what)
    if epoch_blocks is not None:
        genesis = parse_genesis(layout.genesis_path.read_bytes())
        made = genesis.parameters.staking.epoch_blocks
        if made != epoch_blocks:
            what = f"this network was made with epochs of {made} blocks, not {epoch_blocks}"
            raise LayoutFault(layout.root, what)
    return found


class Run:
    """One run. Made while the directory is held; `go` returns when everything has ended."""

    def __init__(self, layout: Layout, description: Description, wishes: Wishes) -> None:
        self._layout = layout
        self._description = description
        self._wishes = wishes
        earlier = layout.read_state()
        if earlier is not None:
            end_leftovers(earlier.processes, LEFTOVERS_PATIENCE_S)
        validators = description.validators
        others = description.oracles, description.attestors
        self._ports = find_ports(plan.port_uses(validators, *others), wishes.port_base)
        plan.configure(layout, validators, self._ports, *others)
        self._write_price()
        self._names = plan.node_names(description.validators)
        self._supervisor = Supervisor(
            plan.programs(layout, validators, self._ports, *others),
            layout,
            plan.environment(),
            RestartPolicy(starting_max=(os.cpu_count() or 1) + 1),
        )
        self.figures = Figures(description.stock_units, fresh=earlier is None)
        self._addresses = plan.addresses(layout, self._ports)
        self._began_ms = now_ms()
        self._started_ms = time.time_ns() // 1_000_000
        self._console = Console(file=steady(sys.stderr if wishes.quiet else sys.stdout))
        self._deaths_told: dict[str, int] = {}
        self._line_due_ms = 0

    async def go(self) -> None:
        """Run until the time is up, or SIGINT or SIGTERM asks for the end."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # `nohup` has SIGHUP ignored, and means it.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop.set)
        nodes = {name: plan.node_url(self._ports, i) for i, name in enumerate(self._names)}
        shopper = self._layout.home("shopper")
        async with Observer(nodes, shopper, self.figures) as observer, asyncio.TaskGroup() as group:
            watching = [
                group.create_task(self._steadily("reading figures", lambda: self._watch(observer))),
                group.create_task(self._steadily("showing the run", self._show)),
                group.create_task(self._steadily("writing testnet.json", self._account)),
                group.create_task(self._steadily("writing the milk's price", self._set_price)),
            ]
            group.create_task(self._until(stop, observer, watching))
            await self._supervisor.run()
        with suppress(OSError):
            self._write_state()
        if not self._wishes.quiet:
            self._console.print(draw_end(self.scene()))

    async def _until(
        self, stop: asyncio.Event, observer: Observer, watching: list[asyncio.Task[None]]
    ) -> None:
        """Wait for the end to be asked for, take a last look, and end everything."""
        try:
            async with asyncio.timeout(self._wishes.duration_s):
                await stop.wait()
        except TimeoutError:
            pass
        if not stop.is_set():
            # The time is up and nobody waits at the terminal: the last figures are worth a moment.
            with suppress(Exception):
                async with asyncio.timeout(LAST_LOOK_S):
                    await observer.observe()
                    await observer.compare()
        with suppress(Exception):
            observer.read_records()
        self._supervisor.stop()
        for task in watching:
            task.cancel()

    async def _steadily(self, what: str, look: Callable[[], Awaitable[None]]) -> None:
        """Look on for as long as the run lasts; what fails is told once and begun again.

        A bug of an observer too: it must not end the network.
        """
        told = ""
        while True:
            try:
                await look()
            except Exception as error:
                why = f"{what} failed, and is tried again: {type(error).__name__}: {error}"
                if why != told:
                    self._say(told := why)
            await asyncio.sleep(DRAW_EVERY_S)

    async def _watch(self, observer: Observer) -> None:
        while True:
            await observer.observe()
            await asyncio.sleep(OBSERVE_EVERY_S)

    async def _account(self) -> None:
        while True:
            self._write_state()
            await asyncio.sleep(DRAW_EVERY_S)

    async def _set_price(self) -> None:
        while True:
            self._write_price()
            await asyncio.sleep(PRICE_EVERY_S)

    def _write_price(self) -> None:
        """Say what milk costs now, where the oracles read it."""
        path = self._layout.market_path
        path.parent.mkdir(exist_ok=True)
        write_whole(path, market_file(time.time_ns() // 1_000_000))

    async def _show(self) -> None:
        """Show the run in the way that the terminal allows."""
        if self._wishes.quiet:
            await self._repeat(DRAW_EVERY_S, self._print_deaths)
        if self._wishes.board and self._console.is_terminal:
            with Live(console=self._console, screen=True, auto_refresh=False) as live:
                await self._repeat(
                    DRAW_EVERY_S,
                    lambda: live.update(
                        draw(self.scene(), self._console.width, self._console.height), refresh=True
                    ),
                )
        for name, address in self._addresses.items():
            self._say(f"{name:<14} {address}")
        await self._repeat(DRAW_EVERY_S, self._print_lines)

    def _print_deaths(self) -> None:
        """Say once of each death who died, how, and what its log says last."""
        for process in self._supervisor.supervision.processes.values():
            told = self._deaths_told.get(process.name, 0)
            if process.deaths_ever > told:
                self._deaths_told[process.name] = process.deaths_ever
                log = self._layout.log(process.name)
                self._say(f"{process.name} ended: {process.exits[-1]}; {log}: {last_line(log)}")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def _print_lines(self) -> None:
        self._print_deaths()
        if now_ms() >= self._line_due_ms:
            self._line_due_ms = now_ms() + LINE_EVERY_MS
            self._say(draw_line(self.scene()))

    async def _repeat(self, every_s: float, show: Callable[[], None]) -> None:
        while True:
            show()
            await asyncio.sleep(every_s)

    def scene(self) -> Scene:
        """Gather what the board shows."""
        states = self._supervisor.states()
        return Scene(
            chain=self._description.chain_id,
            uptime_ms=now_ms() - self._began_ms,
            validators=[state for state in states if state.name in self._names],
            others=[state for state in states if state.name not in self._names],
            deaths={
                process.name: process.exits[-1]
                for process in self._supervisor.supervision.processes.values()
                if process.exits
            },
            figures=self.figures,
            addresses=self._addresses,
            directory=show_path(self._layout.root),
        )

    def _write_state(self) -> None:
        litre = self.figures.litre_micro_myr
        figures = {
            **self.figures.summary(),
            "height": self.figures.height,
            "litre_myr": None if litre is None else format_myr(litre),
        }
        nodes = {
            name: {"height": node.height, "view": node.view, "peers": node.peers}
            for name, node in self.figures.nodes.items()
        }
        self._layout.write_state(
            RunState(
                supervisor_pid=os.getpid(),
                started_ms=self._started_ms,
                ports=self._ports,
                addresses=self._addresses,
                processes=self._supervisor.states(),
                figures={**figures, "nodes": nodes, "first_block_ms": self.figures.first_block_ms},
            )
        )
