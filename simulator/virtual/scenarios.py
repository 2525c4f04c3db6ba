"""Scenarios: what a simulation is made of, by name. A seed draws the details.

Each has two phases: safety, where anything on its menu may happen and the invariants must hold,
and liveness, where a core with more than two thirds of stake is healed and must make progress
while the rest stays broken.
"""

from dataclasses import dataclass
from random import Random
from typing import Final

from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine import MASKS
from simulator.virtual.errors import BadRequest
from simulator.virtual.faults import Menu
from simulator.virtual.scenario import Scenario
from simulator.virtual.world import stream

TWIN: Final = "twin"
STALE_DISK: Final = "stale-disk"
LOST_JOURNAL: Final = "lost-journal"
WITHOUT_MASK: Final = (TWIN, STALE_DISK, LOST_JOURNAL)
ANY: Final = tuple(sorted(MASKS)) + WITHOUT_MASK
"""Every way to be faulty."""

STORM: Final = Menu(
    crashes=8, pauses=3, skews=3, cuts=4, clogs=4, sync_failures=2, full_stops=1, jumps=1
)


def _mock(name: str) -> Scenario:
    summary = f"liars who {_DEEDS[name]}" if name in _DEEDS else f"liars of the kind {name}"
    return Scenario(
        f"mock-{name}",
        summary,
        sizes=(4, 5, 7),
        stakes="uneven",
        liars=(name,),
        loss=0.1,
        replay=0.2,
        menu=Menu(crashes=2, cuts=1),
        weight=4,
    )


_DEEDS: Final = {
    "body-to-few": "show their block to just enough for a quorum",
    "bogus-fetch": "answer requests with something else",
    "conflicter": "vote twice, for two blocks",
    "equivocating-leader": "propose two valid blocks in one view",
    "false-draw": "draw nothing, or for others, or badly, for the seeds to come",
    "false-report": "tell those who lost their journal anything but the truth",
    "flood": "send as much as they can",
    "forged-certificates": "claim quorums that never were",
    "garbage": "send bytes that are no message",
    "impersonator": "speak in others' names",
    "invalid-block": "propose blocks that execution refutes",
    "invalid-signatures": "sign wrongly",
    "junk-justification": "prove their parents by noise",
    "late-stamp": "date their blocks ahead of everybody's clock",
    "lure": "tell what is final and answer nothing",
    "mute": "never say a word",
    "nuller": "nullify what they finalize",
    "nullify-only": "give up every view",
    "outdated": "vote about views long over",
    "reconfigurer": "vote in epochs that are not",
    "replayed-history": "play everything back later",
    "slow-leader": "propose at the last moment",
    "unjustified-skip": "build on blocks that were passed by",
    "usurper": "propose out of turn",
    "withheld-body": "vote for a block that nobody sees",
}

_BASE: Final = (
    Scenario("calm", "no faults at all: the figures to compare with", sizes=(4, 6, 7)),
    Scenario("lossy", "loss up to 30 %, replay up to 50 %", (4, 5, 7), loss=0.3, replay=0.5),
    Scenario(
        "crashes",
        "crashes at any step, torn writes, restarts",
        (4, 5, 7),
        "uneven",
        menu=Menu(crashes=14),
        loss=0.05,
        weight=8,
    ),
    Scenario(
        "syncs", "disks that refuse a sync, crashes", (4,), menu=Menu(crashes=4, sync_failures=8)
    ),
    Scenario(
        "cuts",
        "partitions: symmetric, one way, bridged, of one alone",
        (4, 5, 7),
        "uneven",
        menu=Menu(cuts=8),
        loss=0.02,
        weight=8,
    ),
    Scenario(
        "slow",
        "messages so slow that only growing patience helps",
        (4, 6),
        "uneven",
        delay_ms=(350, 700),
        clients=2,
        loss=0.05,
    ),
    Scenario(
        "restart-after-lie",
        "leaders who propose two blocks, and crashes",
        (4, 5, 7),
        liars=("equivocating-leader",),
        menu=Menu(crashes=20),
        loss=0.1,
        censored=VoteKind.FINALIZE,
        safety_ms=8_000,
    ),
    Scenario(
        "lagging",
        "one is cut off for long, and those who tell it what is final don't help",
        (5, 7),
        liars=("lure",),
        menu=Menu(crashes=2),
        lagging=True,
        liveness_ms=12_000,
    ),
    Scenario(
        "epochs",
        "short epochs: boundaries crossed under crashes, cuts and loss",
        (4, 5, 7),
        "uneven",
        loss=0.15,
        replay=0.2,
        menu=Menu(crashes=10, cuts=3, full_stops=1),
        epoch_blocks=4,
        weight=10,
    ),
    Scenario(
        "epochs-and-liars",
        "short epochs, and liars of all kinds",
        (4, 5, 7),
        "uneven",
        liars=ANY,
        loss=0.1,
        menu=Menu(crashes=5, cuts=2),
        epoch_blocks=5,
        weight=10,
    ),
    Scenario(
        "committees",
        "validators join, add, delegate and leave across short epochs",
        (4, 5, 7),
        "uneven",
        loss=0.05,
        epoch_blocks=3,
        newcomers=3,
        staking=True,
        unit=1_000,
        weight=10,
    ),
    Scenario(
        "committees-and-faults",
        "committees that change, under crashes, cuts, loss and liars of all kinds",
        (4, 5, 7),
        "uneven",
        liars=ANY,
        loss=0.1,
        replay=0.1,
        menu=Menu(crashes=6, cuts=2, full_stops=1),
        epoch_blocks=4,
        newcomers=2,
        staking=True,
        unit=1_000,
        weight=12,
    ),
    Scenario(
        "slashing",
        "who votes twice is reported, slashed, jailed, and freed again",
        (4, 5, 7),
        liars=("conflicter", "nuller", "equivocating-leader"),
        loss=0.02,
        epoch_blocks=4,
        newcomers=1,
        staking=True,
        punished=True,
        unit=1_000,
        weight=8,
    ),
    Scenario(
        "milk",
        "a plant mints, farms redeem, mandates are charged, nodes crash",
        (4, 5),
        "uneven",
        loss=0.05,
        menu=Menu(crashes=4, cuts=1),
        epoch_blocks=6,
        milk=True,
        weight=6,
    ),
    Scenario("clogs", "links held up for up to five seconds", (4, 7), menu=Menu(clogs=12)),
    Scenario("clocks", "wrong clocks and pauses", (4, 5), menu=Menu(skews=8, pauses=8)),
    Scenario(
        "clock-jumps",
        "clocks that jump by hours, one, some or all, are put right, and restarts",
        (4, 5, 7),
        "uneven",
        menu=Menu(jumps=4, skews=3, crashes=2, full_stops=1),
        weight=6,
    ),
    Scenario(
        "clock-jumps-and-liars",
        "the same, with leaders who stamp their blocks as late as they may, or later",
        (4, 5, 7),
        "uneven",
        liars=("late-stamp",),
        menu=Menu(jumps=3, skews=3, crashes=1),
        weight=4,
    ),
    Scenario(
        "full-stop",
        "every process stops at once, again and again",
        (4, 5),
        "uneven",
        menu=Menu(full_stops=4, crashes=3),
        loss=0.05,
    ),
    Scenario(
        "storm",
        "every fault that honest nodes can meet, at once",
        (4, 5, 7, 10),
        "uneven",
        loss=0.3,
        replay=0.5,
        menu=STORM,
        weight=12,
    ),
    Scenario(
        "idle",
        "silence between payments, until the heartbeat",
        (4, 7),
        clients=0,
        safety_ms=100,
        idle=True,
    ),
    Scenario(
        "last-block",
        "one burst, then nothing, with finalize votes lost",
        (4, 5),
        clients=2,
        gap_ms=3_000,
        censored=VoteKind.FINALIZE,
        loss=0.1,
    ),
    Scenario(
        "stuck-view",
        "dead leaders, nullify votes lost, everything restarts",
        (4, 5),
        clients=3,
        liars=("mute",),
        censored=VoteKind.NULLIFY,
        menu=Menu(full_stops=6),
        safety_ms=12_000,
    ),
    Scenario(
        "edge",
        "stakes at the edge: liars hold all but a unit of a third",
        (4, 5, 7),
        "edge",
        liars=ANY,
        loss=0.1,
        replay=0.2,
        menu=Menu(crashes=3, cuts=2),
        weight=12,
    ),
    Scenario(
        "crowd",
        "most heads are twins, with less than a third of stake",
        (7, 9),
        "crowd",
        liars=(TWIN,),
        menu=Menu(cuts=3, crashes=2),
        weight=8,
    ),
    Scenario(
        "twins",
        "keys that run twice, in different parts of the network",
        (4, 7),
        "uneven",
        liars=(TWIN,),
        menu=Menu(cuts=4, crashes=2),
        loss=0.05,
        weight=6,
    ),
    Scenario(
        "stale-disk",
        "a disk put back from a backup",
        (4, 7),
        "uneven",
        liars=(STALE_DISK,),
        menu=Menu(crashes=4, cuts=2),
        loss=0.05,
        weight=6,
    ),
    Scenario(
        "lost-journal",
        "a journal is gone, and its node may only watch",
        (4, 7),
        "uneven",
        liars=(LOST_JOURNAL,),
        menu=Menu(crashes=4, cuts=2),
        loss=0.05,
    ),
    Scenario(
        "lost-and-misled",
        "a journal is gone, and a liar answers who asks what may be forgotten",
        (7,),
        liars=(LOST_JOURNAL, "false-report"),
        each=True,
        menu=Menu(crashes=3),
        loss=0.05,
        weight=6,
    ),
    Scenario(
        "chaos",
        "liars of all kinds in a storm",
        (4, 5, 7, 10),
        "uneven",
        liars=ANY,
        loss=0.3,
        replay=0.5,
        menu=STORM,
        weight=24,
    ),
    Scenario(
        "coalition-below",
        "twins just below a third, the network split in two",
        (4, 7, 10),
        liars=(TWIN,),
        menu=Menu(cuts=6),
    ),
    Scenario(
        "coalition",
        "a third and more lie: the fork is seen and attributed",
        (4, 7, 10),
        liars=(TWIN,),
        forks=True,
        safety_ms=12_000,
        clients=6,
    ),
    Scenario(
        "medium",
        "16 validators in a storm, liars among them",
        (16,),
        "uneven",
        liars=ANY,
        loss=0.1,
        menu=Menu(crashes=6, cuts=2, clogs=2),
        safety_ms=4_000,
        clients=2,
        gap_ms=800,
        weight=4,
    ),
    Scenario(
        "large",
        "64 validators, some of them liars",
        (64,),
        "uneven",
        liars=ANY,
        loss=0.02,
        menu=Menu(crashes=3),
        safety_ms=700,
        clients=1,
        gap_ms=300,
        weight=1,
    ),
    Scenario(
        "huge",
        "100 validators",
        (100,),
        "uneven",
        loss=0.0,
        menu=Menu(crashes=2),
        safety_ms=500,
        clients=1,
        gap_ms=300,
        weight=1,
    ),
)

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*_BASE, *(_mock(name) for name in sorted(MASKS)))
}
ALL: Final = "all"


def find(name: str, seed: int) -> Scenario:
    """Find a scenario by name; `all` lets the seed choose, by weight."""
    if name == ALL:
        scenarios = list(SCENARIOS.values())
        weights = [scenario.weight for scenario in scenarios]
        return stream(seed, "choice of scenario").choices(scenarios, weights)[0]
    if name not in SCENARIOS:
        raise BadRequest(f"there is no scenario {name!r}: see `billcoin sim list`")
    return SCENARIOS[name]


@dataclass(frozen=True, slots=True)
class RoleAssignment:
    """Who has which stake, who lies how, and how many newcomers stand by."""

    stakes: tuple[int, ...]
    liars: dict[int, str]
    newcomers: int = 0


def assign_roles(scenario: Scenario, chance: Random) -> RoleAssignment:
    """Draw stakes and liars. Liars hold less than a third of stake, unless forks are wanted."""
    size = chance.choice(scenario.sizes)
    if scenario.forks or scenario.name == "coalition-below":
        count = (size - 1) // 3 + scenario.forks
        return RoleAssignment((10,) * size, dict.fromkeys(chance.sample(range(size), count), TWIN))
    if scenario.stakes in ("edge", "crowd"):
        return _at_the_edge(scenario, size, chance)
    uneven = scenario.stakes == "uneven"
    stakes = [scenario.unit * (_uneven_stake(chance) if uneven else 10) for _ in range(size)]
    liars = _choose_liars(scenario, stakes, chance)
    newcomers = chance.randint(1, scenario.newcomers) if scenario.newcomers else 0
    return RoleAssignment(tuple(stakes), liars, newcomers)


def _uneven_stake(chance: Random) -> int:
    return int(10 ** chance.uniform(0.8, 2.0))


def _choose_liars(scenario: Scenario, stakes: list[int], chance: Random) -> dict[int, str]:
    liars: dict[int, str] = {}
    order = list(range(len(stakes)))
    chance.shuffle(order)
    held = 0
    for member in order if scenario.liars else []:
        if 3 * (held + stakes[member]) < sum(stakes):
            held += stakes[member]
            turn = scenario.liars[len(liars) % len(scenario.liars)]
            liars[member] = turn if scenario.each else chance.choice(scenario.liars)
    return liars


def _at_the_edge(scenario: Scenario, size: int, chance: Random) -> RoleAssignment:
    """Give liars the most stake that is still below a third of all.

    F < W/3 with W = F + H means 2F < H: so F = (H - 1) // 2.
    """
    count = size // 2 + 1 if scenario.stakes == "crowd" else max(1, (size - 1) // 3)
    liars = sorted(chance.sample(range(size), count))
    stakes = [chance.randrange(20, 60) for _ in range(size)]
    honest = sum(stake for member, stake in enumerate(stakes) if member not in liars)
    left = (honest - 1) // 2
    for place, member in enumerate(liars):
        share = left // (len(liars) - place)
        stakes[member] = share
        left -= share
    return RoleAssignment(tuple(stakes), {m: chance.choice(scenario.liars) for m in liars})
