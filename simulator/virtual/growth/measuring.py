"""How the network grows: what a block costs at each size, and how late finality is under faults.

Growth is measured without faults, with a delay that never changes and a light load, so that the
protocol alone decides. Counts depend on the seed; CPU is this machine's. Finality under faults is
told in units of delta, the one-way delay within which more than two thirds of stake is reached:
the delay itself where it is steady, and that share's quantile where it is drawn.
"""

import gc
import math
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from consensus.leader import Schedule, first_seed
from ledger.primitives.numerals import read_whole
from ledger.primitives.scalars import View
from simulator.virtual.errors import BadRequest
from simulator.virtual.growth.meter import MessageCounter, Meter
from simulator.virtual.growth.stopwatch import Stopwatch
from simulator.virtual.network import LinkConditions
from simulator.virtual.scenario import Scenario
from simulator.virtual.scenarios import SCENARIOS
from simulator.virtual.simulation import Simulation
from simulator.virtual.topology import make_topology

SIZE_MAX: Final = 128
DELTA_MS: Final = 100
WARM_MS: Final = 1_500
BLOCKS_OF_ALL: Final = 400
"""How many blocks are measured, times how many nodes."""
BLOCKS_MIN: Final = 6
SPAN_MS_MAX: Final = 120_000
SEEDS: Final = 8
LEFT_OUT: Final = frozenset({"coalition", "large", "huge", "mock-flood"})
"""The first forks, so nothing in it is final; the others take longer than all the rest."""
TROUBLES: Final = tuple(name for name in SCENARIOS if name not in LEFT_OUT)


Waits = tuple[float, ...]
"""How long something took, each time, in delta."""


@dataclass(frozen=True, slots=True)
class Size:
    """What one finalized block costs a network of so many validators."""

    validators: int
    blocks: int
    messages: dict[str, float]
    """Sent by all together, by kind, for one block."""
    size_bytes: dict[str, float]
    core_cpu_ms: float
    """What one validator's core spends on one block."""
    finality: Waits
    """From proposal to final."""

    @property
    def messages_in_all(self) -> float:
        """Sum the messages of a block."""
        return sum(self.messages.values())

    @property
    def bytes_in_all(self) -> float:
        """Sum the bytes of a block."""
        return sum(self.size_bytes.values())


@dataclass(frozen=True, slots=True)
class Trouble:
    """How late finality is in one scenario, over several seeds."""

    scenario: str
    seeds: int
    blocks: Waits
    """From proposal to final."""
    payments: Waits
    """From submission to final."""
    unpaid: int
    """Payments that were not final when the simulation ended."""


def middle_and_late(waits: Waits) -> tuple[float, float]:
    """Give the median and the 99th percentile, by nearest rank; without waits, no numbers."""
    ordered = sorted(waits) or [math.nan]
    middle, late = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return middle, late


def parse_sizes(text: str) -> list[int]:
    """Read `4,16,64` as sizes; raise `BadRequest`."""
    try:
        sizes = [read_whole(word) for word in text.split(",")]
    except ValueError:
        raise BadRequest(f"{text!r} are no sizes: write 4,16,64") from None
    if wrong := [size for size in sizes if not 1 < size <= SIZE_MAX]:
        raise BadRequest(f"{wrong[0]} validators can't be measured: 2 to {SIZE_MAX} can")
    return sizes


def delta_of(conditions: LinkConditions) -> float:
    """Give delta in milliseconds: the delay that two of three messages do not exceed."""
    if conditions.steady:
        return conditions.delay_ms
    # Half of the delay is fixed, and half the mean of an exponential.
    return conditions.delay_ms / 2 * (1 + math.log(3))


def measure_size(size: int, wanted: int = 0, seed: int = 1) -> Size:
    """Run a network without faults, and share what it did among its blocks.

    So many blocks are `wanted`; 0 chooses fewer the more validators there are.
    """
    steady = Scenario("growth", "", (size,), delay_ms=(DELTA_MS, DELTA_MS), steady=True)
    simulation = Simulation(steady, seed)
    simulation.env.verify_ms = 0
    meter, watch = Meter(), Stopwatch(simulation)
    simulation.env.handle = meter.handle
    for process in simulation.processes:
        process.mask = MessageCounter(process, meter)
        simulation.world.at(0, process.start)
    simulation.workload.begin(steady.clients, steady.gap_ms)
    gc.collect()
    gc.disable()  # It would search all nodes at once, and bill the one that woke it.
    try:
        simulation.world.run(WARM_MS)
        meter.reset()
        watch.block_waits_ms.clear()
        first = watch.height
        last = first + (wanted or max(BLOCKS_MIN, BLOCKS_OF_ALL // size))
        done = simulation.world.run(WARM_MS + SPAN_MS_MAX, lambda: watch.height >= last)
    finally:
        gc.enable()
    assert done, "a network without faults makes blocks"
    blocks = watch.height - first
    return Size(
        size,
        blocks,
        {kind: count / blocks for kind, count in sorted(meter.messages.items())},
        {kind: count / blocks for kind, count in sorted(meter.size_bytes.items())},
        meter.cpu_s * 1000 / blocks / size,
        tuple(wait / DELTA_MS for wait in watch.block_waits_ms),
    )


def measure_trouble(name: str, seeds: int) -> Trouble:
    """Run the first seeds of a scenario, and pool their waits, each in its seed's own delta."""
    blocks: list[float] = []
    payments: list[float] = []
    unpaid = 0
    for seed in range(1, seeds + 1):
        simulation = Simulation(SCENARIOS[name], seed)
        watch, delta_ms = Stopwatch(simulation), delta_of(simulation.network.conditions)
        outcome = simulation.run()
        if outcome.breach:
            raise BadRequest(f"seed {seed} of {name} broke a law: {outcome.breach}")
        blocks += [wait / delta_ms for wait in watch.block_waits_ms]
        payments += [wait / delta_ms for wait in watch.payment_waits_ms]
        unpaid += watch.unpaid
    return Trouble(name, seeds, tuple(blocks), tuple(payments), unpaid)


def measure_troubles(names: Sequence[str], seeds: int, jobs: int) -> Iterator[Trouble]:
    """Measure scenario after scenario on so many processes; give them in order."""
    measure = partial(measure_trouble, seeds=seeds)
    if jobs <= 1:
        yield from map(measure, names)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(measure, names)


def measure_dead_leaders(in_a_row: int = 3) -> int:
    """Give the milliseconds until a payment is final where so many leaders in a row are dead."""
    size = next(n for n in range(3 * in_a_row + 1, SIZE_MAX) if _differ(_leaders(n, in_a_row + 1)))
    dead = set(_leaders(size, in_a_row))
    calm = Scenario("dead leaders", "", (size,), delay_ms=(DELTA_MS, DELTA_MS), steady=True)
    simulation = Simulation(calm, 1)
    alive = [p for p in simulation.processes if p.member not in dead]
    for process in alive:
        simulation.world.at(0, process.start)
    simulation.world.run(5 * DELTA_MS)
    txid = simulation.workload.probe(alive[:1])
    transactions, began_ms = simulation.oracle.chronicle.transactions, simulation.world.now_ms
    assert simulation.world.run(began_ms + SPAN_MS_MAX, lambda: txid in transactions)
    return simulation.world.now_ms - began_ms


def _leaders(size: int, views: int) -> list[int]:
    topology = make_topology((10,) * size)
    schedule = Schedule(first_seed(topology.chain_id), topology.committee)
    return [schedule.leader(View(view)) for view in range(1, views + 1)]


def _differ(members: list[int]) -> bool:
    return len(set(members)) == len(members)
