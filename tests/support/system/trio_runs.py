"""Trio tests without a plugin: a decorator that runs an async test to its end, within a bound."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

import trio

from tests.support.system.patience import PATIENCE_S

P = ParamSpec("P")
TEST_TIMEOUT_S = 280.0
"""Generous: a bound against hanging, on a machine that may be busy with other things."""
_TURN_S = 0.005


def in_trio(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test under trio; fail it after `TEST_TIMEOUT_S`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            with trio.fail_after(TEST_TIMEOUT_S):
                await test(*args, **kwargs)

        trio.run(bounded)

    return run


async def until(condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail if it does not come to hold."""
    with trio.fail_after(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
            await trio.sleep(_TURN_S)
