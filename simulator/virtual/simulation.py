"""One seed of one scenario, from the first step to the verdict.

Safety first: faults everywhere, invariants checked after every step. Then liveness: one core with
more than two thirds of stake is healed, everything else stays broken, and a payment must become
final in all of the core within a bound.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

from consensus.messages import Message, Vote
from ledger.invariants import audit
from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Hash
from ledger.state.tables import parameters
from node.core.effects import Submitted
from simulator.virtual.byzantine import MASKS
from simulator.virtual.disk import Disk
from simulator.virtual.errors import Breach
from simulator.virtual.faults import Faults, draw_cut
from simulator.virtual.network import Cut, LinkConditions, Network, split
from simulator.virtual.oracle.checkers import Holdings, Oracle
from simulator.virtual.oracle.light_clients import LightClients
from simulator.virtual.process import Environment, Process
from simulator.virtual.scenario import Scenario
from simulator.virtual.scenarios import LOST_JOURNAL, STALE_DISK, TWIN, RoleAssignment, assign_roles
from simulator.virtual.signatures import remember_signatures
from simulator.virtual.topology import Topology, make_topology
from simulator.virtual.trace import EPOCH_STEP, WORLD, SimulationTrace
from simulator.virtual.workload.milk import MilkWorkload
from simulator.virtual.workload.payments import Workload
from simulator.virtual.workload.staking import StakingWorkload
from simulator.virtual.world import World, stream

VERIFY_MS: Final = (0, 4, 30, 200)
"""How long verification takes at most: a seed draws one, from instant to overloaded."""
LAG_FROM_MS: Final = 1_000
"""When the one that is to lag is cut off."""
STAKERS_GAP_MS: Final = 1_500
"""How long an owner rests between two deeds, on average."""
PUNISHED_MS: Final = 200_000
"""What the healed core can prove must be punished within so long.

A report that was lost is made again after eight blocks (`node.core.informer.RETRY_BLOCKS`), and an
idle chain has one in ten seconds: time for two attempts.
"""
QUIET_AFTER_MS: Final = 3_000
"""So long after the last block is final everywhere, an idle network must be silent."""


@dataclass(frozen=True, slots=True)
class SeedOutcome:
    """What a seed gave. `breach` is empty if every invariant held."""

    seed: int
    scenario: str
    breach: str
    digest: str
    members: int
    height: int
    views: int
    virtual_ms: int
    recovery_ms: int
    """How long the healed core took to finalize its payment; -1 if that was not reached."""
    messages: int
    steps: int


class Simulation:
    """A scenario under one seed, ready to run once."""

    def __init__(self, scenario: Scenario, seed: int, *, recording: bool = False) -> None:
        remember_signatures()
        self.scenario = scenario
        self.seed = seed
        self.world = World(seed)
        self.trace = SimulationTrace(recording)
        self.roles: RoleAssignment = assign_roles(scenario, stream(seed, f"cast {scenario.name}"))
        self.topology: Topology = make_topology(
            self.roles.stakes,
            scenario.epoch_blocks,
            self.roles.newcomers,
            staking=scenario.staking,
            milk=scenario.milk,
        )
        self.network = Network(self.world, stream(seed, "network"), self._conditions())
        lying = {Member(m) for m, how in self.roles.liars.items() if how != LOST_JOURNAL}
        honest = set(map(Member, self.topology.members)) - lying
        self.oracle = Oracle(self.topology, honest, tolerates_forks=scenario.forks)
        self.env = Environment(
            self.world,
            self.network,
            self.topology,
            scenario.params,
            self.trace,
            self.oracle,
            [],
            self._answered,
            stream(seed, "processes"),
            stream(seed, "verification").choice(VERIFY_MS),
        )
        self.recovery_ms = -1
        self.note = ""
        """What a scenario that expects a breach found."""
        self._build()
        self.workload = Workload(self.env, self.oracle.chronicle, stream(seed, "workload"))
        self.staking = StakingWorkload(
            self.workload, self.oracle.committees.book, self._liars(), stream(seed, "stakers")
        )
        self.plant = MilkWorkload(self.workload, stream(seed, "plant"))
        self.faults = Faults(self.world, self.network, self.processes, stream(seed, "faults"))

    @property
    def processes(self) -> list[Process]:
        """List all processes: members in order, then twins."""
        return self.env.processes

    def _conditions(self) -> LinkConditions:
        chance, scenario = stream(self.seed, "weather"), self.scenario
        return LinkConditions(
            chance.randint(*scenario.delay_ms),
            chance.uniform(0, scenario.loss),
            chance.uniform(0, scenario.replay),
            scenario.steady,
        )

    # Who is there.

    def _build(self) -> None:
        for member in self.topology.members:
            self._add(Member(member))
        self.oracle.chronicle.begin(self.processes[0].disk.open_store())
        accomplices = frozenset(map(Member, self.roles.liars))
        for number, (member, how) in enumerate(sorted(self.roles.liars.items())):
            process = self.processes[member]
            chance = stream(self.seed, f"liar {number}")
            if how in MASKS:
                process.mask = MASKS[how](process, chance, accomplices)
            if how == TWIN:
                self.oracle.distrust(self._add(Member(member)))
            process.is_relentless = how in MASKS
            if how == STALE_DISK:
                self._plan_stale_disk(process)
            if how == LOST_JOURNAL:
                self._plan_lost_journal(process)
            else:
                self.oracle.distrust(process)
            self.trace.tell(0, process.place, "liar", -1, how)

    def _add(self, member: Member) -> Process:
        place = len(self.processes)
        disk = Disk(stream(self.seed, f"disk {place}"), dict(self.topology.cells))
        process = Process(self.env, place, member, disk)
        self.processes.append(process)
        return process

    def _plan_stale_disk(self, process: Process) -> None:
        chance, most_ms = stream(self.seed, f"stale disk {process.place}"), self.scenario.safety_ms
        copied_ms = chance.randrange(most_ms)
        restored_ms = chance.randrange(copied_ms, most_ms + 1)
        self.world.at(copied_ms, process.disk.copy)
        self.world.at(restored_ms, partial(self._restore, process))

    def _restore(self, process: Process) -> None:
        process.crash("its disk is put back from a backup")
        process.disk.restore()
        self.world.after(100, process.start)

    def _plan_lost_journal(self, process: Process) -> None:
        chance = stream(self.seed, f"lost journal {process.place}")
        lost_ms = chance.randrange(self.scenario.safety_ms)
        self.world.at(lost_ms, partial(self._lose_journal, process))

    def _lose_journal(self, process: Process) -> None:
        process.crash("its journal is lost")
        process.disk.lose_journal()
        # What it signed stays signed; all else that it held is gone with the journal.
        held = self.oracle.holding(process)
        self.oracle.holdings[process.place] = Holdings(
            votes=held.votes, floor=held.floor, final_spot=held.floor[0], current=held.current
        )
        self.world.after(100, process.start)

    # The two phases.

    def run(self) -> SeedOutcome:
        """Run both phases; a `Breach` is in the outcome."""
        breach = ""
        try:
            self._run_safety()
            if self.scenario.forks:
                self._expect_fork()
            else:
                self._run_liveness()
            if self.scenario.punished:
                self._expect_punishment()
            self._close_the_books()
            if self.scenario.idle:
                self._expect_silence()
        except Breach as found:
            breach = str(found)
            self.trace.tell(self.world.now_ms, WORLD, "BREACH", -1, breach)
        views = [held.seen[0] % EPOCH_STEP for held in self.oracle.holdings.values()]
        return SeedOutcome(
            self.seed,
            self.scenario.name,
            breach,
            self.trace.digest(),
            len(self.topology.keys),
            self.oracle.chronicle.height,
            max(views, default=0),
            self.world.now_ms,
            self.recovery_ms,
            self.network.traffic.messages,
            self.world.steps,
        )

    def _run_safety(self) -> None:
        scenario = self.scenario
        for process in self.processes:
            self.world.at(self.env.chance.randrange(30), process.start)
        self.workload.begin(scenario.clients, scenario.gap_ms)
        if scenario.staking:
            self.staking.begin(STAKERS_GAP_MS)
        if scenario.milk:
            self.plant.begin()
        self.faults.plan(scenario.menu, scenario.safety_ms)
        self.env.censors = self._censors if scenario.censored else None
        self._divide_twins()
        if scenario.lagging:
            self.world.at(LAG_FROM_MS, self._cut_off)
        self.world.run(scenario.safety_ms)

    def _cut_off(self) -> None:
        """Isolate the member that is to lag."""
        place = self._good()[0].place
        rest = [process.place for process in self.processes if process.place != place]
        cut = split(f"v{place} alone", [[place], rest])
        self.network.cut(cut)
        self.trace.tell(self.world.now_ms, WORLD, "fault", -1, f"cut, {cut.name}, for long")

    def _censors(self, message: Message) -> bool:
        """Lose one kind of vote: what carries the last block over the line, or ends a view."""
        return isinstance(message, Vote) and message.subject.kind is self.scenario.censored

    def _divide_twins(self) -> None:
        """Put twins into different parts of the network, for a while or for good."""
        extra = self.processes[len(self.topology.keys) :]
        if not extra:
            return
        chance = stream(self.seed, "division")
        first = [process.place for process in self.processes if process.member in self._liars()]
        first = [place for place in first if place < len(self.topology.keys)]
        honest = [p for p in range(len(self.topology.keys)) if p not in first]
        chance.shuffle(honest)
        half = len(honest) // 2
        sides = [first + honest[:half], [p.place for p in extra] + honest[half:]]
        cut = split("the coalition's two halves", sides)
        self.network.cut(cut)
        self.trace.tell(0, WORLD, "fault", -1, f"cut, {cut.name}, for long")
        if not self.scenario.forks:
            mended_ms = chance.randrange(self.scenario.safety_ms)
            self.world.at(mended_ms, partial(self._mend, cut))

    def _mend(self, cut: Cut) -> None:
        self.network.mend(cut)
        self.trace.tell(self.world.now_ms, WORLD, "fault", -1, f"mended, {cut.name}")

    def _liars(self) -> set[Member]:
        return {Member(m) for m in self.roles.liars}

    def _expect_fork(self) -> None:
        """A third and more must be able to fork, be seen, and be named by their own votes."""
        ballots, chronicle = self.oracle.ballots, self.oracle.chronicle
        if not chronicle.forks:
            raise Breach("I7", f"a coalition of {sorted(self._liars())} could not make a fork")
        if not ballots.forks:
            raise Breach("I6", "a fork, and no two quorums that contradict each other")
        guilty = set(ballots.guilty)
        stake = self.topology.stake(guilty)
        if guilty - self._liars():
            raise Breach("I9", f"honest {sorted(guilty - self._liars())} are among the guilty")
        if 3 * stake < self.topology.total:
            raise Breach("I9", f"only {stake} of {self.topology.total} can be attributed")
        names = ", ".join(f"v{member}" for member in sorted(guilty))
        self.note = f"a fork was made and seen; signed votes convict {names}, {stake} of "
        self.note += f"{self.topology.total} at stake"
        self.trace.tell(self.world.now_ms, WORLD, "fork", -1, self.note)

    def _expect_punishment(self) -> None:
        """What an honest member of the core can prove must come to be punished (spec §4.3)."""
        book = self.oracle.committees.book

        def unpunished() -> list[str]:
            known = {
                (bytes(case.validator), case.first.epoch)
                for process in self._core()
                if process.machine is not None
                for case in process.machine.informer.evidence
            }
            punished = {
                (bytes(key), epoch)
                for key, one in book.standing.items()
                for epoch, _, _ in one.faults
            }
            return sorted(f"{key.hex()[:8]} in epoch {epoch}" for key, epoch in known - punished)

        if not self.world.run(self.world.now_ms + PUNISHED_MS, lambda: not unpunished()):
            raise Breach("SLASH", "proven and not punished: " + ", ".join(unpunished()))

    def _close_the_books(self) -> None:
        """Let light clients verify what is final, and audit the ledger of one honest node."""
        trusted = [p.disk.open_store() for p in self.processes if p.trusted]
        liars = {self.topology.keys[member].public for member in self._liars()}
        clients = LightClients(self.topology, stream(self.seed, "light clients"))
        if self.scenario.forks:
            proven = int(clients.expect_alarm(trusted, liars))
        else:
            proven = clients.check(trusted, self.oracle.chronicle.transactions)
        self.trace.tell(self.world.now_ms, WORLD, "proofs", -1, f"{proven} verified")
        store = stream(self.seed, "auditor").choice(trusted)
        found = audit(store.state(), store.accumulator, parameters(store))
        if found.findings:
            raise Breach("BOOKS", "; ".join(found.findings[:3]))

    # Liveness.

    def _good(self) -> list[Process]:
        """List the honest in the seed's order."""
        good = [p for p in self.processes if p.member not in self._liars()]
        stream(self.seed, "core").shuffle(good)
        return good

    def _core(self) -> list[Process]:
        """Choose honest members, in random order, until they hold a quorum.

        They must hold one in each epoch that one of them may be in, and in each committee that the
        present stakes will make.
        """
        good, known = self._good(), self.oracle.committees
        lowest = min(self.oracle.holding(p).seen[2] for p in good)
        epochs = range(lowest // self.topology.epoch_blocks, known.latest + 1)
        committees = [known.of(epoch).committee for epoch in epochs] + known.book.prospects()
        core: list[Process] = []
        while len(core) < len(good) and not all(self._holds(core, c) for c in committees):
            core.append(good[len(core)])
        return core

    def _holds(self, core: list[Process], committee: Committee) -> bool:
        keys = {self.topology.keys[process.member].public for process in core}
        held = sum(seat.stake for seat in committee.seats if seat.key in keys)
        return 3 * held > 2 * sum(seat.stake for seat in committee.seats)

    def _run_liveness(self) -> None:
        core = self._core()
        self._heal(core)
        began_ms = self.world.now_ms
        txid = self.workload.probe(core)

        def done() -> bool:
            height = self.oracle.chronicle.transactions.get(txid)
            return height is not None and all(
                self.oracle.holding(process).seen[2] >= height for process in core
            )

        if not self.world.run(began_ms + self.scenario.liveness_ms, done):
            raise Breach("LIVE", self._why_stuck(core, txid))
        self.recovery_ms = self.world.now_ms - began_ms

    def _heal(self, core: list[Process]) -> None:
        """Mend the core for good; break the rest, each in its way, and leave it so."""
        self.faults.end()
        self.workload.stop()
        self.env.censors = None
        names = ",".join(str(process.place) for process in sorted(core, key=lambda p: p.place))
        self.trace.tell(self.world.now_ms, WORLD, "heal", -1, f"core {names}")
        if self.scenario.lagging:
            self.network.cuts.clear()  # The liars must be heard, too.
        self.network.heal([process.place for process in core])
        for process in core:
            process.heal()
        chance = stream(self.seed, "the rest")
        for process in self.processes:
            if process in core:
                continue
            fate = chance.randrange(4)
            if fate == 0:
                process.crash("for good")
                process.is_broken = True
            elif fate == 1:
                others = [p.place for p in self.processes if p is not process]
                self.network.cut(split(f"v{process.place} for good", [[process.place], others]))
            elif fate == 2:
                cut = draw_cut(chance, [p.place for p in self.processes])
                core_ways = {(a.place, b.place) for a in core for b in core}
                self.network.cut(type(cut)(cut.name, cut.severed - core_ways))

    def _why_stuck(self, core: list[Process], txid: Hash) -> str:
        states = []
        for process in core:
            machine = process.machine
            if machine is None:
                states.append(f"v{process.place} down")
                continue
            engine = machine.engine
            states.append(
                f"v{process.place} view {engine.view} final {engine.finalized_view} "
                f"height {machine.application.height} pool {len(machine.mempool)}"
            )
        height = self.oracle.chronicle.transactions.get(txid)
        within = f"in {self.scenario.liveness_ms} ms (probe at {height}): "
        return f"no progress of the core {within}" + "; ".join(states)

    def _expect_silence(self) -> None:
        """I11: between the last block and the heartbeat nobody says anything."""
        self.world.run(self.world.now_ms + QUIET_AFTER_MS)
        if any(self.oracle.is_owed_finality(process) for process in self._good()):
            return  # Outside the healed core one lacks a block that it knows of, and asks for it.
        before = self.network.traffic.messages
        until_ms = self.world.now_ms + self.scenario.params.heartbeat_ms - 2 * QUIET_AFTER_MS
        self.world.run(until_ms)
        said = self.network.traffic.messages - before
        if said:
            raise Breach("I11", f"{said} messages while there was nothing to do")

    def _answered(self, process: Process, answer: Submitted) -> None:
        for submission in answer.submissions:
            count = self.workload.refusals.get(submission.code, 0)
            self.workload.refusals[submission.code] = count + 1


def run_seed(scenario: Scenario, seed: int) -> SeedOutcome:
    """Run one seed without recording."""
    return Simulation(scenario, seed).run()
