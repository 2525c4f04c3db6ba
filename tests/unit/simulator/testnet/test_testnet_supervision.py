"""The supervisor's decisions, under a clock that the test holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.testnet.supervision import (
    ALIVE,
    Answered,
    Effect,
    End,
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

POLICY = RestartPolicy(
    delay_min_ms=100, delay_max_ms=1_000, steady_ms=5_000, drain_ms=1_000, kill_ms=3_000
)


def service_and_client() -> Supervision:
    return Supervision(
        [SupervisedProcess("client", needs=("service",)), SupervisedProcess("service")], POLICY
    )


def run_both(supervision: Supervision) -> None:
    assert supervision.handle(Ticked(), 0) == [Spawn("service")]
    supervision.handle(Spawned("service", 11), 0)
    assert supervision.handle(Answered("service"), 10) == [Spawn("client")]
    supervision.handle(Spawned("client", 12), 10)
    assert supervision.handle(Answered("client"), 20) == []


def test_a_process_waits_until_what_it_needs_is_ready():
    supervision = service_and_client()
    assert supervision.handle(Ticked(), 0) == [Spawn("service")]
    supervision.handle(Spawned("service", 11), 0)
    assert supervision.handle(Ticked(), 5_000) == []
    assert supervision.handle(Answered("service"), 5_001) == [Spawn("client")]


def test_a_dead_process_is_started_again_after_its_delay_and_not_before():
    supervision = service_and_client()
    run_both(supervision)
    assert supervision.handle(Exited("client", "exit code 1"), 30) == []
    assert supervision.handle(Ticked(), 129) == []
    assert supervision.handle(Ticked(), 130) == [Spawn("client")]
    assert supervision.processes["client"].restarts == 1
    assert supervision.processes["client"].exits == ["exit code 1"]


def test_deaths_in_a_row_wait_longer_each_time_up_to_the_limit():
    supervision = Supervision([SupervisedProcess("service")], POLICY)
    now, waits = 0, []
    supervision.handle(Ticked(), now)
    for _ in range(6):
        supervision.handle(Exited("service", "could not start"), now)
        died = now
        while Spawn("service") not in supervision.handle(Ticked(), now):
            now += 10
        waits.append(now - died)
    assert waits == [100, 200, 400, 800, 1_000, 1_000]


def test_a_steady_life_is_forgiven_its_earlier_deaths():
    supervision = Supervision([SupervisedProcess("service")], POLICY)
    supervision.handle(Ticked(), 0)
    for at in (0, 1_000, 2_000):
        supervision.handle(Spawned("service", 11), at)
        supervision.handle(Exited("service", "exit code 1"), at)
        supervision.handle(Ticked(), at + 1_000)
    supervision.handle(Spawned("service", 11), 3_000)
    supervision.handle(Exited("service", "exit code 1"), 3_000 + POLICY.steady_ms)
    assert supervision.processes["service"].due_ms == 8_000 + POLICY.delay_min_ms


def test_a_client_is_not_restarted_while_its_service_is_down():
    supervision = service_and_client()
    run_both(supervision)
    supervision.handle(Exited("service", "killed by SIGKILL"), 100)
    supervision.handle(Exited("client", "exit code 1"), 100)
    assert supervision.handle(Ticked(), 60_000) == [Spawn("service")]
    supervision.handle(Spawned("service", 21), 60_000)
    assert supervision.handle(Answered("service"), 60_010) == [Spawn("client")]


def test_stopping_ends_the_client_before_the_service_that_it_needs():
    supervision = service_and_client()
    run_both(supervision)
    assert supervision.handle(StopAsked(), 100) == [End("client")]
    assert supervision.handle(Ticked(), 200) == []
    assert supervision.handle(Exited("client", "exit code 0"), 300) == [End("service")]
    assert not supervision.done
    supervision.handle(Exited("service", "exit code 0"), 400)
    assert supervision.done


def test_a_slow_client_does_not_keep_its_service_past_the_drain():
    supervision = service_and_client()
    run_both(supervision)
    supervision.handle(StopAsked(), 100)
    assert supervision.handle(Ticked(), 1_099) == []
    assert supervision.handle(Ticked(), 1_100) == [End("service")]


def test_what_does_not_end_when_asked_is_killed():
    supervision = service_and_client()
    run_both(supervision)
    supervision.handle(StopAsked(), 100)
    supervision.handle(Ticked(), 1_100)
    assert supervision.handle(Ticked(), 3_100) == [Kill("client"), Kill("service")]


def test_nothing_is_started_after_a_stop():
    supervision = service_and_client()
    run_both(supervision)
    supervision.handle(Exited("client", "exit code 1"), 50)
    supervision.handle(StopAsked(), 60)
    assert supervision.handle(Ticked(), 10_000) == [Kill("service")]
    assert supervision.processes["client"].phase is Phase.ENDED


def test_a_stop_before_anything_runs_is_done_at_once():
    supervision = service_and_client()
    supervision.handle(StopAsked(), 0)
    assert supervision.done


def test_a_need_that_does_not_exist_is_a_bug():
    with pytest.raises(AssertionError):
        Supervision([SupervisedProcess("client", needs=("nobody",))], POLICY)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3_000)), max_size=40))
def test_a_process_never_has_two_incarnations(history):
    """Whatever dies, and whenever: one `Spawn` a death, and the end always comes."""
    supervision = Supervision(
        [SupervisedProcess("a"), SupervisedProcess("b", ("a",)), SupervisedProcess("c", ("b",))],
        POLICY,
    )
    running: set[str] = set()
    now = 0

    def carry_out(effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Spawn(name):
                    assert name not in running
                    running.add(name)
                    carry_out(supervision.handle(Spawned(name, len(running) + 1), now))
                    carry_out(supervision.handle(Answered(name), now))
                case End(name):
                    assert name in running
                case Kill(name):
                    running.discard(name)
                    carry_out(supervision.handle(Exited(name, "killed by SIGKILL"), now))

    for name, passed_ms in history:
        now += passed_ms
        if name in running:
            running.discard(name)
            carry_out(supervision.handle(Exited(name, "exit code 1"), now))
        carry_out(supervision.handle(Ticked(), now))
    carry_out(supervision.handle(StopAsked(), now))
    now += POLICY.kill_ms
    carry_out(supervision.handle(Ticked(), now))
    carry_out(supervision.handle(Ticked(), now))
    assert supervision.done
    assert not running
    assert not any(p.phase in ALIVE for p in supervision.processes.values())


def three_at(policy: RestartPolicy) -> Supervision:
    return Supervision([SupervisedProcess(name) for name in ("first", "second", "third")], policy)


def test_processes_start_in_their_order_and_no_more_at_once_than_may():
    supervision = three_at(RestartPolicy(starting_max=2, slow_ms=4_000))
    assert supervision.handle(Ticked(), 0) == [Spawn("first"), Spawn("second")]
    assert supervision.handle(Spawned("first", 11), 0) == []
    assert supervision.handle(Spawned("second", 12), 0) == []
    assert supervision.handle(Answered("second"), 900) == [Spawn("third")]


def test_a_process_that_is_slow_to_be_ready_keeps_nobody_waiting():
    supervision = three_at(RestartPolicy(starting_max=2, slow_ms=4_000))
    supervision.handle(Ticked(), 0)
    supervision.handle(Spawned("first", 11), 100)
    supervision.handle(Spawned("second", 12), 200)
    assert supervision.handle(Ticked(), 4_099) == []
    assert supervision.handle(Ticked(), 4_100) == [Spawn("third")]


def test_a_process_that_dies_while_it_starts_makes_room():
    supervision = three_at(RestartPolicy(starting_max=1))
    assert supervision.handle(Ticked(), 0) == [Spawn("first")]
    assert supervision.handle(Exited("first", "could not start"), 10) == [Spawn("second")]
