"""Many seeds at once: spread over processes, gathered in the order in which they end."""

import gc
import multiprocessing
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b

from ledger.primitives.numerals import read_whole
from simulator.virtual.errors import BadRequest
from simulator.virtual.scenarios import find
from simulator.virtual.simulation import SeedOutcome, run_seed

SEEDS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """One seed of one scenario; `all` lets the seed choose."""

    seed: int
    scenario: str


@dataclass(slots=True)
class SweepTally:
    """What a sweep has seen so far."""

    seeds: int = 0
    steps: int = 0
    blocks: int = 0
    virtual_ms: int = 0
    failures: list[SeedOutcome] = field(default_factory=list)
    digests: dict[tuple[int, str], str] = field(default_factory=dict)
    by_scenario: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: SeedOutcome) -> None:
        """Count one outcome."""
        self.seeds += 1
        self.steps += outcome.steps
        self.blocks += outcome.height
        self.virtual_ms += outcome.virtual_ms
        self.digests[outcome.seed, outcome.scenario] = outcome.digest
        self.by_scenario[outcome.scenario] = self.by_scenario.get(outcome.scenario, 0) + 1
        if outcome.breach:
            self.failures.append(outcome)

    def digest(self) -> str:
        """Name all traces together, whatever order they came in (I12)."""
        lines = [f"{seed} {name} {digest}" for (seed, name), digest in sorted(self.digests.items())]
        return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def parse_seeds(text: str) -> range:
    """Read `7` or `1..500`; raise `BadRequest`."""
    first, dots, last = text.partition("..")
    try:
        low = read_whole(first)
        seeds = range(low, (read_whole(last) if dots else low) + 1)
    except ValueError:
        raise BadRequest(f"{text!r} is no range of seeds: write 7 or 1..500") from None
    count = max(0, seeds.stop - seeds.start)  # `len` ends at the machine's word.
    if not 1 <= count <= SEEDS_MAX:
        raise BadRequest(f"{text!r} holds {count} seeds: 1 to {SEEDS_MAX} can be run")
    return seeds


def run_task(task: Task) -> SeedOutcome:
    """Run one seed; a bug of the simulator itself is an outcome, too."""
    scenario = find(task.scenario, task.seed)
    try:
        with _collector_at_rest():
            return run_seed(scenario, task.seed)
    except Exception as error:  # The sweep goes on, and the seed is told with all that is known.
        where = "".join(traceback.format_exception(error, limit=-4, chain=False))
        breach = f"SIMULATOR: {where}"
        return SeedOutcome(task.seed, scenario.name, breach, "", 0, 0, 0, 0, -1, 0, 0)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Collect garbage once, at the end of a seed, which saves a sixth of the time.

    The collector skips the objects that were there before.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.collect()
        gc.enable()
        gc.unfreeze()


def sweep(tasks: Sequence[Task], jobs: int) -> Iterator[SeedOutcome]:
    """Run all tasks on so many processes; give outcomes as they come."""
    if jobs <= 1 or len(tasks) == 1:
        yield from map(run_task, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(jobs, len(tasks))) as pool:
        yield from pool.imap_unordered(run_task, tasks)
