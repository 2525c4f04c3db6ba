"""Carry out what `supervision` decides: real processes, the real clock, probes over the network.

One task, one loop: it looks at the children every `STEP_S`, so there is no other thread or task
that changes the state. Probes are asked beside it and report back as events.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psutil

from node.environment import explain_environment
from simulator.testnet.layout import Layout, ProcessState, show_path
from simulator.testnet.leash import Child, rotate
from simulator.testnet.supervision import (
    ALIVE,
    Answered,
    Effect,
    End,
    Event,
    Exited,
    Kill,
    Phase,
    RestartPolicy,
    Spawn,
    Spawned,
    StopAsked,
    SupervisedProcess,
    Supervision,
    Ticked,
)

STEP_S: Final = 0.1
ROTATE_EVERY_S: Final = 5.0
PROBE_TIMEOUT_S: Final = 2.0
SETTLED_MS: Final = 1_000
BIRTH_TOLERANCE_S: Final = 2.0
"""Two readings of one process's time of birth may differ by the clock's adjustment."""

Probe = Callable[[], Awaitable[bool]]
"""Asks whether a process does its work. Raises OSError or answers False while it does not."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a process is started, what it needs, and how to tell that it does its work.

    Without a probe a process counts as ready once it has lived for `SETTLED_MS`.
    """

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    probe: Probe | None = None


def listens(port: int) -> Probe:
    """Make a probe that asks whether a port on this machine takes connections."""

    async def ask() -> bool:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    return ask


def now_ms() -> int:
    """Read the steady clock."""
    return time.monotonic_ns() // 1_000_000


class Supervisor:
    """Runs programs until it is told to stop; then ends them all."""

    def __init__(
        self,
        programs: Sequence[Program],
        layout: Layout,
        environment: Mapping[str, str],
        policy: RestartPolicy,
    ) -> None:
        self.programs = {program.name: program for program in programs}
        self.supervision = Supervision(
            [SupervisedProcess(program.name, program.needs) for program in programs], policy
        )
        self._layout = layout
        self._environment = environment
        self._children: dict[str, Child] = {}
        self._born_s: dict[int, float | None] = {}
        self._probes: dict[str, asyncio.Task[bool]] = {}
        self._stop_asked = False
        self._rotate_due_s = 0.0

    def stop(self) -> None:
        """Ask for the end of everything; may be called from a signal handler, and twice."""
        self._stop_asked = True

    async def run(self) -> None:
        """Start everything, keep it running, and return when a stop has been carried out."""
        try:
            while not self.supervision.done:
                self._step()
                await asyncio.sleep(STEP_S)
        finally:
            # Only a bug or a cancellation leaves children here; nothing may be orphaned.
            for child in self._children.values():
                child.bury()
            for probe in self._probes.values():
                probe.cancel()
            await asyncio.gather(*self._probes.values(), return_exceptions=True)

    def states(self) -> list[ProcessState]:
        """Tell how every process stands."""
        return [
            ProcessState(
                name=process.name,
                phase=process.phase.value,
                pid=process.pid,
                born_s=self._born_s.get(process.pid or 0),
                restarts=process.restarts,
                log=show_path(self._layout.log(process.name)),
            )
            for process in self.supervision.processes.values()
        ]

    def _step(self) -> None:
        if self._stop_asked:
            self._handle(StopAsked())
        for name, child in list(self._children.items()):
            reason = child.exit_reason()
            if reason is not None:
                child.kill_group()  # What it started must not hold its ports and files.
                del self._children[name]
                self._born_s.pop(child.pid, None)
                self._handle(Exited(name, reason))
        for name in self._answered():
            self._handle(Answered(name))
        self._handle(Ticked())
        if time.monotonic() >= self._rotate_due_s:
            self._rotate_due_s = time.monotonic() + ROTATE_EVERY_S
            for name in self.programs:
                rotate(self._layout.log(name))

    def _handle(self, event: Event) -> None:
        for effect in self.supervision.handle(event, now_ms()):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Spawn(name):
                self._spawn(self.programs[name])
            case End(name):
                if name in self._children:
                    self._children[name].end()
            case Kill(name):
                if name in self._children:
                    self._children[name].kill_group()

    def _spawn(self, program: Program) -> None:
        log = self._layout.log(program.name)
        try:
            child = Child(program.argv, log, self._environment)
        except OSError as fault:
            self._handle(Exited(program.name, explain_environment(fault)))
            return
        self._children[program.name] = child
        self._born_s[child.pid] = _born_s(child.pid)
        self._handle(Spawned(program.name, child.pid))

    def _answered(self) -> list[str]:
        """Collect what the probes of starting processes found, and ask again where needed."""
        answered = []
        for name, child in self._children.items():
            process = self.supervision.processes[name]
            if process.phase is not Phase.STARTING:
                continue
            probe = self.programs[name].probe
            if probe is None:
                if now_ms() - process.started_ms >= SETTLED_MS:
                    answered.append(name)
                continue
            task = self._probes.get(name)
            if task is None:
                self._probes[name] = asyncio.create_task(_ask(probe, child))
            elif task.done():
                del self._probes[name]
                if task.result():
                    answered.append(name)
        return answered

    def alive(self) -> list[str]:
        """Name the processes that run now."""
        return [p.name for p in self.supervision.processes.values() if p.phase in ALIVE]


async def _ask(probe: Probe, child: Child) -> bool:
    """Ask once; an answer counts only if the process that was asked is still the one that runs."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await probe() and child.exit_reason() is None
    except (OSError, TimeoutError):
        return False


def _born_s(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def end_leftovers(states: Sequence[ProcessState], patience_s: float) -> list[int]:
    """End processes of an earlier run that outlived their supervisor; give their pids.

    A pid alone proves nothing, since numbers are used again: the time of birth must agree.
    """
    found = []
    for state in states:
        if state.pid is None or state.born_s is None:
            continue
        born_s = _born_s(state.pid)
        if born_s is not None and abs(born_s - state.born_s) < BIRTH_TOLERANCE_S:
            found.append(psutil.Process(state.pid))
    family = [kin for process in found for kin in [process, *_descendants(process)]]
    for process in family:
        with suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(family, timeout=patience_s)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience_s)
    return [process.pid for process in found]


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []
