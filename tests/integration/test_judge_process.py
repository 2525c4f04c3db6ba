"""The judge in its process: it judges, it can be ended, and it ends with whoever asks it."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager

import psutil
import pytest

from iot_minting.attestor.errors import JudgeFailed, TooHard
from iot_minting.attestor.judge_process import JudgeProcess
from iot_minting.attestor.judging import Judgement, judge
from tests.support.api.service_rig import until
from tests.support.evidence.rig import LineRig
from tests.support.ledger.dairy import key
from tests.support.minting.windows import make_window
from tests.support.node.rpc_runs import run_async

ATTESTOR = key("attestor-0").public
RIG = LineRig()
WINDOW = make_window(RIG)


def asked(window=WINDOW):
    bundle = {device: tuple(envelopes) for device, envelopes in window.bundle.items()}
    return Judgement(ATTESTOR, RIG.facts, window.claim, bundle)


@asynccontextmanager
async def judging(**more):
    process = JudgeProcess(**more)
    try:
        yield process
    finally:
        await process.end()


def children():
    return {
        each.pid: each
        for each in psutil.Process().children()
        if any("judge_process" in part for part in each.cmdline())
    }


def test_another_process_finds_the_same():
    async def run():
        async with judging() as process:
            more = asked(WINDOW.but(units=WINDOW.claim.units + 1))
            for each in (asked(), more, asked()):
                assert await process.judge(each) == judge(each)
            assert len(children()) == 1

    run_async(run)


def test_a_judge_that_dies_fails_once():
    async def run():
        async with judging() as process:
            await process.judge(asked())
            (child,) = children().values()
            child.suspend()
            going = asyncio.create_task(process.judge(asked()))
            # It is written down in a thread first; who is killed before that is replaced unseen.
            await until(process._alone.locked)  # noqa: SLF001  # Nothing else shows it.
            os.kill(child.pid, signal.SIGKILL)
            with pytest.raises(JudgeFailed):
                await going
            assert not (await process.judge(asked())).code

    run_async(run)


def test_a_judge_that_does_not_come_to_an_end_is_ended():
    async def run():
        async with judging(limit_s=20.0) as process:
            await process.judge(asked())
            (child,) = children().values()
            child.suspend()
            process.limit_s = 0.2
            with pytest.raises(TooHard):
                await process.judge(asked())
            assert not child.is_running()
            process.limit_s = 20.0
            assert not (await process.judge(asked())).code

    run_async(run)


def test_who_gives_up_waiting_gets_nobody_elses_finding():
    async def run():
        async with judging() as process:
            await process.judge(asked())
            (child,) = children().values()
            child.suspend()
            going = asyncio.create_task(process.judge(asked()))
            await asyncio.sleep(0.05)
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going
            more = asked(WINDOW.but(units=WINDOW.claim.units + 1))
            assert (await process.judge(more)).code == "claim_differs"

    run_async(run)
