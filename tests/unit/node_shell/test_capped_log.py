"""Lines that others cause: bounded for each kind, and what is left out is counted."""

import logging

import pytest
import structlog

from node.capped_log import KINDS_MAX, LINES_A_SECOND, LINES_AT_ONCE_MAX, CappedLog

FLOOD = 10_000


class Clock:
    """Time that stands until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(clock):
    return CappedLog(structlog.get_logger("capped"), clock)


def flood(log, lines, kind=None):
    for number in range(lines):
        log.log(logging.INFO, "refused", kind, number=number)


def test_a_flood_writes_a_bounded_number_of_lines_and_the_next_tells_what_was_left_out(log, clock):
    with structlog.testing.capture_logs() as lines:
        flood(log, FLOOD)
        assert len(lines) == LINES_AT_ONCE_MAX
        assert all("left_out" not in line for line in lines)
        clock.now_s = 1 / LINES_A_SECOND
        flood(log, FLOOD)
    assert len(lines) == LINES_AT_ONCE_MAX + 1
    assert lines[-1]["left_out"] == FLOOD - LINES_AT_ONCE_MAX


def test_over_a_day_a_flood_writes_its_rate_and_no_more(log, clock):
    seconds = 86_400
    with structlog.testing.capture_logs() as lines:
        for second in range(seconds):
            clock.now_s = float(second)
            flood(log, 2 * LINES_A_SECOND)
    assert len(lines) <= LINES_AT_ONCE_MAX + seconds * LINES_A_SECOND


def test_a_flood_of_one_kind_hides_no_other(log):
    with structlog.testing.capture_logs() as lines:
        flood(log, FLOOD, 401)
        log.log(logging.WARNING, "refused", 503)
        log.log(logging.ERROR, "bug")
    assert [line["log_level"] for line in lines[LINES_AT_ONCE_MAX:]] == ["warning", "error"]


def test_kinds_that_a_stranger_invents_are_bounded_too(log):
    with structlog.testing.capture_logs() as lines:
        for kind in range(FLOOD):
            log.log(logging.INFO, "refused", kind)
    assert len(lines) == KINDS_MAX + LINES_AT_ONCE_MAX


def test_who_comes_back_after_a_rest_has_all_lines_again(log, clock):
    with structlog.testing.capture_logs() as lines:
        flood(log, FLOOD)
        clock.now_s = 1e6
        flood(log, FLOOD)
    assert len(lines) == 2 * LINES_AT_ONCE_MAX
