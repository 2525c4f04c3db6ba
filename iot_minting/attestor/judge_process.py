"""The judge: a process of its own, so that a hard claim stops nothing else, and can be ended.

The parent (`JudgeProcess`) writes one `Judgement` at a time to its standard input, as a frame of
four bytes of length and MessagePack; a `WindowFinding` comes back the same way. A judge that is
slower than a limit is killed, and the next judgement begins with a new process. It ends with its
parent: the kernel closes its input whatever way that dies.
"""

import asyncio
import contextlib
import signal
import sys
from typing import BinaryIO, Final

import msgspec

from iot_minting.attestor.errors import JudgeFailed, TooHard
from iot_minting.attestor.judging import Judgement, WindowFinding, judge

JUDGE_S: Final = 60.0
"""How long one judgement may take: a day of a full line takes some seconds."""
HEAD_BYTES: Final = 4
FINDING_BYTES_MAX: Final = 64 * 1024


class JudgeProcess:
    """The parent's end. One judgement at a time: whoever comes meanwhile waits."""

    def __init__(self, limit_s: float = JUDGE_S) -> None:
        self.limit_s = limit_s
        self._alone = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None

    async def judge(self, asked: Judgement) -> WindowFinding:
        """Judge a claim; raise `TooHard` after the limit, `JudgeFailed` for a judge that died."""
        raw = await asyncio.to_thread(msgspec.msgpack.encode, asked)
        async with self._alone:
            try:
                async with asyncio.timeout(self.limit_s):
                    return await self._ask(raw)
            except TimeoutError:
                await self.end()
                raise TooHard(self.limit_s) from None
            except (OSError, EOFError, msgspec.MsgspecError, UnicodeDecodeError) as fault:
                await self.end()
                raise JudgeFailed(f"the judge ended: {fault!r}") from fault
            except asyncio.CancelledError:
                await self.end()  # Its answer would be taken for the next one's.
                raise

    async def _ask(self, raw: bytes) -> WindowFinding:
        child = self._child
        if child is None or child.returncode is not None:
            child = self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "iot_minting.attestor.judge_process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(len(raw).to_bytes(HEAD_BYTES, "big") + raw)
        await child.stdin.drain()
        size = int.from_bytes(await child.stdout.readexactly(HEAD_BYTES), "big")
        if size > FINDING_BYTES_MAX:
            raise OSError(f"a finding of {size} bytes")
        return msgspec.msgpack.decode(await child.stdout.readexactly(size), type=WindowFinding)

    async def end(self) -> None:
        """Kill the child, if there is one, and wait for its end."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # Until its pipes are closed too.


class JudgePool:
    """Several judges: as many claims are judged at once, and the next waits for one of them."""

    def __init__(self, judges: int) -> None:
        self._judges = [JudgeProcess() for _ in range(judges)]
        self._idle: asyncio.LifoQueue[JudgeProcess] = asyncio.LifoQueue()
        for each in self._judges:
            self._idle.put_nowait(each)

    async def judge(self, asked: Judgement) -> WindowFinding:
        """Judge a claim; raise `TooHard` after the limit, `JudgeFailed` for a judge that died."""
        judge = await self._idle.get()
        try:
            return await judge.judge(asked)
        finally:
            self._idle.put_nowait(judge)

    async def end(self) -> None:
        """Kill every child."""
        for each in self._judges:
            await each.end()


def main() -> None:
    """Judge what comes in until the parent is gone. A bug ends the process, with its trace."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches us too: the parent ends us.
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    decoder = msgspec.msgpack.Decoder(Judgement)
    while raw := _read_frame(source):
        found = msgspec.msgpack.encode(judge(decoder.decode(raw)))
        sink.write(len(found).to_bytes(HEAD_BYTES, "big") + found)
        sink.flush()


def _read_frame(source: BinaryIO) -> bytes:
    """Read a frame; empty at the end."""
    head = source.read(HEAD_BYTES)
    return source.read(int.from_bytes(head, "big")) if len(head) == HEAD_BYTES else b""


if __name__ == "__main__":
    main()
