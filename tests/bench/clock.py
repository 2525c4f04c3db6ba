"""How a small thing is timed: warm-up, repeats, wall and CPU an operation, collector at rest."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

from loadtest.report import Figure, figure

REPEATS = 7


@dataclass
class Sample:
    """One repeat: microseconds an operation."""

    wall_us: float
    cpu_us: float


def once(operations: int, work: Callable[[], object]) -> Sample:
    """Time one call that does so many operations."""
    gc.collect()
    gc.disable()
    try:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    finally:
        gc.enable()
    return Sample(wall * 1e6 / operations, cpu * 1e6 / operations)


def measure(
    name: str,
    operations: int,
    prepare: Callable[[], Callable[[], object]],
    *,
    repeats: int = REPEATS,
    goal: str = "",
    unit: str = "us",
    note: str = "",
) -> Figure:
    """Time work that `prepare` makes anew for each repeat; the first repeat warms up."""
    samples = [once(operations, prepare()) for _ in range(repeats + 1)][1:]
    return of_samples(name, samples, goal=goal, unit=unit, note=note)


def of_samples(
    name: str, samples: list[Sample], *, goal: str = "", unit: str = "us", note: str = ""
) -> Figure:
    """Make a figure of repeats. `unit` may be ms, for what people think of in milliseconds."""
    scale = 1e-3 if unit == "ms" else 1.0
    cpu = sorted(sample.cpu_us for sample in samples)
    return figure(
        name,
        unit,
        [sample.wall_us * scale for sample in samples],
        cpu_us={"cpu": round(cpu[(len(cpu) - 1) // 2], 2)},
        goal=goal,
        note=note,
    )
