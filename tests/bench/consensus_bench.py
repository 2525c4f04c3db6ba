"""What agreement costs: the CPU of one engine for one view, by the size of the committee."""

import time

from consensus.params import Params
from loadtest.report import Figure
from tests.bench.clock import Sample, of_samples
from tests.support.consensus.network import Net

SIZES = (4, 16, 64)
VIEWS = {4: 60, 16: 12, 64: 3}


class _Timed:
    """An engine whose `handle` counts its own CPU."""

    def __init__(self, engine, meter) -> None:
        self._engine, self._meter = engine, meter

    def handle(self, event, now_ms):
        cpu, wall = time.thread_time(), time.perf_counter()
        effects = self._engine.handle(event, now_ms)
        self._meter[0] += time.thread_time() - cpu
        self._meter[1] += time.perf_counter() - wall
        return effects

    def __getattr__(self, name):
        return getattr(self._engine, name)


def run(quick: bool) -> list[Figure]:
    """Measure everything of this part."""
    repeats = 5
    return [
        of_samples(
            f"consensus, a view on one of {size} engines",
            [_sample(size, seed) for seed in range(repeats + 1)][1:],
        )
        for size in SIZES
        if size < 64 or not quick
    ]


def _sample(size: int, seed: int) -> Sample:
    net = Net(seed, stakes=(1,) * size, params=Params())
    meter = [0.0, 0.0]
    for machine in net.machines:
        machine.engine = _Timed(machine.engine, meter)
    views = VIEWS[size]
    done = net.run(10_000_000, lambda: len(net.finalized) >= views)
    assert done, "the views came to an end"
    cpu, wall = (spent * 1e6 / (size * len(net.finalized)) for spent in meter)
    return Sample(wall, cpu)
