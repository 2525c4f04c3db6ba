"""Kills between any two steps: of the statements that a test's own task sends, one is the last.

`killed_at(k)` lets the k-th statement (or commit) of this task and its children raise instead of
being sent. The transaction is rolled back, as PostgreSQL does it for a process that is gone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine


class Killed(Exception):
    """The process is gone."""


@dataclass
class Countdown:
    """How many statements are still sent; `struck` once one was not."""

    left: int
    struck: bool = False
    over: bool = False
    """Tasks that were begun meanwhile live on."""

    def step(self) -> None:
        self.left -= 1
        if self.left < 0 and not self.struck and not self.over:
            self.struck = True
            raise Killed


_COUNTDOWN: ContextVar[Countdown | None] = ContextVar("countdown", default=None)


@contextmanager
def killed_at(place: int) -> Iterator[Countdown]:
    """Kill this task at its statement number `place`; the countdown tells whether it came to it."""
    countdown = Countdown(place)
    token = _COUNTDOWN.set(countdown)
    try:
        yield countdown
    except Killed:
        assert countdown.struck
    finally:
        _COUNTDOWN.reset(token)
        countdown.over = True


def make_mortal(engine: AsyncEngine) -> None:
    """Let statements and commits of an engine count."""

    def step(*args: object) -> None:
        countdown = _COUNTDOWN.get()
        if countdown is not None:
            countdown.step()

    event.listen(engine.sync_engine, "before_cursor_execute", step)
    event.listen(engine.sync_engine, "commit", step)
