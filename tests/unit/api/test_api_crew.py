"""The rules of a crew of workers: started, renewed one by one, restarted with patience, ended."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from api.workers.crew import Crew, CrewPolicy, WorkerStage
from api.workers.words import (
    DIED,
    KEPT,
    KILLED,
    RENEWED,
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

POLICY = CrewPolicy()


class Story:
    """A crew and its clock, told event by event."""

    def __init__(self, size: int = 2) -> None:
        self.crew, self.now_ms = Crew(size, POLICY), 0
        self.told: list[str] = []

    def goes_on(self, event: Event, after_ms: int = 0) -> list[Effect]:
        """Let something happen; give what is to be done, lines of the log aside."""
        self.now_ms += after_ms
        effects = self.crew.handle(event, self.now_ms)
        self.told += [effect.event for effect in effects if isinstance(effect, CrewNews)]
        return [effect for effect in effects if not isinstance(effect, CrewNews)]

    def begins(self) -> "Story":
        """Start everyone, and let them serve."""
        self.goes_on(CrewTicked())
        for number in range(self.crew.size):
            self.goes_on(WorkerReady(number))
        return self

    def stages(self) -> dict[int, WorkerStage]:
        """Give how far everyone is."""
        return {number: worker.stage for number, worker in self.crew.workers.items()}


def test_one_begins_alone_and_who_comes_while_others_serve_waits_to_be_level() -> None:
    story = Story()
    assert story.goes_on(CrewTicked()) == [StartWorker(0, Patience.NONE)]
    assert story.goes_on(CrewTicked()) == []
    assert story.goes_on(WorkerReady(0)) == [StartWorker(1, Patience.SOME)]
    story.goes_on(WorkerReady(1))
    assert story.goes_on(WorkerEnded(1, -9)) == []
    again = [StartWorker(1, Patience.SOME)]
    assert story.goes_on(CrewTicked(), POLICY.restart_min_ms) == again
    for number in (0, 1):
        story.goes_on(WorkerEnded(number, -9))
    both = [StartWorker(0, Patience.NONE), StartWorker(1, Patience.NONE)]
    assert story.goes_on(CrewTicked(), POLICY.restart_max_ms) == both


def test_the_pause_before_a_restart_doubles_has_a_bound_and_is_forgiven() -> None:
    story, pauses = Story(1).begins(), []
    for _ in range(8):
        story.goes_on(WorkerEnded(0, -11))
        began_ms = story.now_ms
        while story.goes_on(CrewTicked(), 50) == []:
            pass
        pauses.append(story.now_ms - began_ms)
    assert pauses == [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
    story.goes_on(WorkerReady(0))
    story.goes_on(WorkerEnded(0, -9), POLICY.steady_ms)
    assert story.goes_on(CrewTicked(), POLICY.restart_min_ms) == [StartWorker(0, Patience.NONE)]
    assert set(story.told) == {DIED}


def test_what_only_a_person_can_mend_ends_a_service_that_was_just_started() -> None:
    story = Story()
    story.goes_on(CrewTicked())
    assert story.goes_on(WorkerEnded(0, WorkerEnd.FAULT)) == []
    assert (story.crew.done, story.crew.exit_code, story.told) == (True, 1, [])


def test_the_same_fault_later_leaves_the_others_serving() -> None:
    story = Story().begins()
    assert story.goes_on(WorkerEnded(1, WorkerEnd.FAULT)) == []
    assert story.crew.exit_code is None
    assert story.stages() == {0: WorkerStage.SERVING}


def test_a_node_of_another_chain_ends_everything_at_any_time() -> None:
    story = Story().begins()
    assert story.goes_on(WorkerEnded(0, WorkerEnd.CHAIN)) == [StopWorker(1)]
    story.goes_on(WorkerEnded(1, WorkerEnd.DONE))
    assert (story.crew.done, story.crew.exit_code) == (True, 1)


def test_a_renewal_starts_the_new_one_first_and_goes_from_place_to_place() -> None:
    story = Story().begins()
    assert story.goes_on(RenewalAsked()) == [StartWorker(2, Patience.ALL)]
    assert story.goes_on(CrewTicked()) == []
    assert story.goes_on(WorkerReady(2)) == [LetWorkerGo(0)]
    assert story.goes_on(CrewTicked()) == [], "at most one process more than there are places"
    assert story.goes_on(WorkerEnded(0, WorkerEnd.DONE)) == [StartWorker(0, Patience.ALL)]
    assert story.goes_on(WorkerReady(0)) == [LetWorkerGo(1)]
    assert story.goes_on(WorkerEnded(1, WorkerEnd.DONE)) == []
    assert story.stages() == {2: WorkerStage.SERVING, 0: WorkerStage.SERVING}
    assert story.told[-1] == RENEWED


def test_a_new_one_that_ends_or_hangs_leaves_the_old_one_serving() -> None:
    story = Story().begins()
    story.goes_on(RenewalAsked())
    assert story.goes_on(WorkerEnded(2, WorkerEnd.NOT_LEVEL)) == []
    assert story.stages() == {0: WorkerStage.SERVING, 1: WorkerStage.SERVING}
    assert story.told == [KEPT]
    story.goes_on(RenewalAsked())
    assert story.goes_on(CrewTicked(), POLICY.ready_ms - 1) == []
    assert story.goes_on(CrewTicked(), 1) == [KillWorker(2)]
    assert story.goes_on(WorkerReady(2)) == [], "too late"
    assert story.goes_on(WorkerEnded(2, -9)) == []
    assert story.stages() == {0: WorkerStage.SERVING, 1: WorkerStage.SERVING}
    assert story.told[1:] == [KILLED, KEPT]


def test_who_was_replaced_and_does_not_end_is_killed() -> None:
    story = Story(1).begins()
    story.goes_on(RenewalAsked())
    story.goes_on(WorkerReady(1))
    assert story.goes_on(CrewTicked(), POLICY.leave_ms - 1) == []
    assert story.goes_on(CrewTicked(), 1) == [KillWorker(0)]
    assert story.goes_on(CrewTicked(), 1) == [], "once is enough"
    story.goes_on(WorkerEnded(0, -9))
    assert story.stages() == {1: WorkerStage.SERVING}
    assert story.crew.handle(CrewTicked(), story.now_ms + POLICY.restart_max_ms) == []


def test_asked_again_amid_a_round_everyone_is_renewed_again() -> None:
    story = Story(1).begins()
    story.goes_on(RenewalAsked())
    story.goes_on(RenewalAsked())
    story.goes_on(WorkerReady(1))
    assert story.goes_on(WorkerEnded(0, 0)) == []
    assert story.goes_on(CrewTicked()) == [StartWorker(0, Patience.ALL)]


def test_an_old_one_that_dies_while_its_successor_starts_is_not_started_beside_it() -> None:
    story = Story(1).begins()
    story.goes_on(RenewalAsked())
    assert story.goes_on(WorkerEnded(0, -9)) == []
    assert story.goes_on(CrewTicked(), POLICY.restart_max_ms) == []
    story.goes_on(WorkerReady(1))
    assert story.stages() == {1: WorkerStage.SERVING}


def test_a_stop_reaches_everyone_and_kills_who_stays() -> None:
    story = Story().begins()
    story.goes_on(RenewalAsked())
    assert story.goes_on(EndAsked()) == [StopWorker(0), StopWorker(1), StopWorker(2)]
    assert story.goes_on(WorkerEnded(1, 0)) == []
    assert story.goes_on(RenewalAsked()) == []
    assert story.goes_on(CrewTicked(), POLICY.stop_ms) == [KillWorker(0), KillWorker(2)]
    story.goes_on(WorkerEnded(0, -9))
    story.goes_on(WorkerEnded(2, -9))
    assert (story.crew.done, story.crew.exit_code) == (True, 0)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(("ready", "die", "fault", "renew", "tick")),
        st.integers(0, 4),
        st.sampled_from((0, 100, 5_000, 50_000)),
    ),
    max_size=60,
)


@given(st.integers(1, 4), EVENTS)
def test_whatever_happens_a_renewal_never_leaves_fewer_serving(
    size: int, happens: Iterable[tuple[str, int, int]]
) -> None:
    story = Story(size).begins()
    for what, which, after_ms in happens:
        story.goes_on(CrewTicked(), after_ms)
        numbers = sorted(story.crew.workers)
        number = numbers[which % len(numbers)] if numbers else None
        serving = sum(stage is WorkerStage.SERVING for stage in story.stages().values())
        if what == "renew" or number is None:
            effects = story.goes_on(RenewalAsked())
        elif what == "ready":
            effects = story.goes_on(WorkerReady(number))
        elif what == "tick":
            effects = story.goes_on(CrewTicked())
        else:
            served = story.stages()[number] is WorkerStage.SERVING
            effects = story.goes_on(WorkerEnded(number, -9 if what == "die" else WorkerEnd.FAULT))
            serving -= served
        now = sum(stage is WorkerStage.SERVING for stage in story.stages().values())
        assert now >= serving, effects
        assert len(story.crew.workers) <= size + 1
        assert all(number <= size for number in story.crew.workers), "numbers stay low"
        assert story.crew.exit_code is None
    # Left alone, everyone serves again.
    for _ in range(4):
        story.goes_on(CrewTicked(), POLICY.restart_max_ms)
        for number, stage in story.stages().items():
            if stage is WorkerStage.STARTING:
                story.goes_on(WorkerReady(number))
        for number, stage in story.stages().items():
            if stage in (WorkerStage.LEAVING, WorkerStage.KILLED):
                story.goes_on(WorkerEnded(number, 0))
    assert sum(stage is WorkerStage.SERVING for stage in story.stages().values()) >= size
