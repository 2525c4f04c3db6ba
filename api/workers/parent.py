"""The process that holds the port, and keeps the workers at it alive.

It takes the port before any worker starts, and hands it to each; it never accepts by itself. The
port listens from the first worker on that serves, and for as long as this process lives: while
workers come and go, who connects waits in the kernel's queue, and is refused by nobody.

SIGTERM and SIGINT end everything, SIGHUP renews the workers one after another (`crew` has the
rules). A worker learns from its standard input that this process is gone, however it went.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Final

import structlog

from api.workers.counting import forget_gauges
from api.workers.crew import Crew
from api.workers.words import (
    DIED,
    KEPT,
    KILLED,
    CrewNews,
    CrewTicked,
    Effect,
    EndAsked,
    Event,
    KillWorker,
    LetWorkerGo,
    Patience,
    RenewalAsked,
    StartWorker,
    StopWorker,
    WorkerEnd,
    WorkerEnded,
    WorkerReady,
)

TICK_S: Final = 0.1
READY: Final = b"ready\n"
"""What a worker says on its standard output once it serves."""
LEAVE_SIGNAL: Final = signal.SIGUSR1
WORSE: Final = frozenset({DIED, KEPT, KILLED})

log = structlog.get_logger("workers")


class Parent:
    """Runs a crew of workers at one port."""

    def __init__(self, home: Path, listener: socket.socket, crew: Crew, counts: Path) -> None:
        self._home = home
        self._listener = listener
        self._crew = crew
        self._counts = counts
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    async def run(self) -> int:
        """Serve until told to stop; give the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._events.put_nowait, EndAsked())
        loop.add_signal_handler(signal.SIGHUP, self._events.put_nowait, RenewalAsked())
        async with asyncio.TaskGroup() as group:
            event: Event = CrewTicked()
            while not self._crew.done:
                for effect in self._crew.handle(event, monotonic_ns() // 1_000_000):
                    await self._carry_out(effect, group)
                event = await self._next()
        return self._crew.exit_code or 0

    async def _next(self) -> Event:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                return await self._events.get()
        return CrewTicked()

    async def _carry_out(self, effect: Effect, group: asyncio.TaskGroup) -> None:
        match effect:
            case StartWorker(number, patience):
                try:
                    process = await self._start(number, patience)
                except OSError as fault:  # No memory, no process left, no file: later, perhaps.
                    log.warning("a worker can't be started", worker=number, fault=str(fault))
                    self._events.put_nowait(WorkerEnded(number, WorkerEnd.FAULT))
                else:
                    self._processes[number] = process
                    group.create_task(self._watch(number, process))
            case LetWorkerGo(number):
                self._signal(number, LEAVE_SIGNAL)
            case StopWorker(number):
                self._signal(number, signal.SIGTERM)
            case KillWorker(number):
                self._signal(number, signal.SIGKILL)
            case CrewNews():
                self._tell(effect)

    async def _start(self, number: int, patience: Patience) -> asyncio.subprocess.Process:
        handle = self._listener.fileno()
        process = await asyncio.create_subprocess_exec(
            *worker_command(self._home, handle, number, patience),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=(handle,),
            env=worker_environment(os.environ, self._counts),
        )
        log.info("a worker starts", **_named(number, process.pid))
        return process

    async def _watch(self, number: int, process: asyncio.subprocess.Process) -> None:
        """Tell when a worker serves, and when it is gone."""
        assert process.stdout is not None
        if await process.stdout.readline() == READY:
            log.info("a worker serves", **_named(number, process.pid))
            self._events.put_nowait(WorkerReady(number))
        code = await process.wait()
        forget_gauges(self._counts, number)
        self._events.put_nowait(WorkerEnded(number, code))

    def _signal(self, number: int, which: signal.Signals) -> None:
        if number in self._processes:
            with contextlib.suppress(ProcessLookupError):
                self._processes[number].send_signal(which)

    def _tell(self, told: CrewNews) -> None:
        level = log.warning if told.event in WORSE else log.info
        fields: dict[str, object] = {}
        if told.number is not None:
            process = self._processes.get(told.number)
            fields |= _named(told.number, 0 if process is None else process.pid)
        if told.code is not None:
            fields["process.exit_code"] = told.code
        if told.again_in_ms is not None:
            fields["again_in_ms"] = told.again_in_ms
        level(told.event, **fields)


def _named(number: int, pid: int) -> dict[str, object]:
    return {"worker": number, "process.pid": pid}


def worker_command(home: Path, handle: int, number: int, patience: Patience) -> Sequence[str]:
    """Give the command of a worker: a fresh interpreter that inherits the port alone."""
    program = (sys.executable, "-P", "-m", "api.workers.worker")
    return (*program, str(home), str(handle), str(number), patience.value)


def worker_environment(ours: Mapping[str, str], counts: Path) -> dict[str, str]:
    """Give a worker's environment: ours, and where all workers count."""
    return {**ours, "PROMETHEUS_MULTIPROC_DIR": str(counts)}
