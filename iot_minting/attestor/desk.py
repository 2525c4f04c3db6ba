"""The attestor's desk: takes requests, has them judged, signs, keeps, and never says two things.

What was said of a claim is said again, whoever asks. A refusal says by which blocks it was found:
who built the claim by later ones has it judged again. An attestor never goes back: it signs no
window that begins before one that it signed. It may sign several that begin at the same time, since
a claim that was lost is built anew; the chain takes one, because claims of a line tile its time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from iot_minting.attestor.errors import (
    MissingEnvelopes,
    NodeBehind,
    PassedWindow,
    QueueFull,
    StoreFull,
    UnfitRequest,
    UnknownLineHere,
)
from iot_minting.attestor.facts import LineSource
from iot_minting.attestor.judging import (
    Judgement,
    WindowFinding,
    check_devices,
    number_envelopes,
)
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.store import AttestorStore, KeptAnswer, Numbered
from iot_minting.wire.windows import (
    ENVELOPES_MAX,
    REQUEST_BYTES_MAX,
    DeviceBundle,
    WindowAnswer,
    WindowRefusal,
    WindowRequest,
    sign_refusal,
)
from ledger.evidence import LineFacts
from ledger.primitives.codec import decode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.types.reading import Envelope
from ledger.types.window import WindowAttestation, WindowClaim
from node.client.errors import ClientFault

WAITING_MAX: Final = 8
"""Requests that are read or judged, or wait for it; the next is told to come again."""
BEHIND_S: Final = 5.0
"""How long our node is waited for, if a claim was built by a later block."""
BEHIND_BLOCKS_MAX: Final = 100
"""Further ahead than this a height is not waited for."""
BEHIND_STEP_S: Final = 0.2
LOOK_AGAIN_MS: Final = 86_400_000
"""How long evidence is kept until it is asked whether its lot may be doubted yet."""
FORGOTTEN_AT_ONCE: Final = 100

log = structlog.get_logger("attest")


class WindowJudge(Protocol):
    """Who judges."""

    async def judge(self, asked: Judgement) -> WindowFinding:
        """Give what came out, or raise an `Unjudged`."""


class AttestorDesk:
    """One attestor over one store. Lives on one event loop."""

    def __init__(
        self,
        key: SigningKey,
        store: AttestorStore,
        facts: LineSource,
        judge: WindowJudge,
        metrics: AttestorMetrics,
        *,
        now_ms: Callable[[], int],
        retention_ms: int,
        store_bytes_max: int,
    ) -> None:
        self._key, self.store, self._facts, self._judge = key, store, facts, judge
        self._metrics, self._now_ms = metrics, now_ms
        self._retention_ms, self._store_bytes_max = retention_ms, store_bytes_max
        self._waiting = 0
        self._alone = asyncio.Lock()
        """Held by the one request that is read from its bytes or judged."""

    async def answer(self, raw: bytes) -> WindowAnswer:
        """WindowJudge a request and sign what comes out; raise an `Unjudged` if nothing does."""
        async with self._place():
            request = await self._read(raw)
            given = self._kept(request)
            if given is None:
                given = await self._judge_once(request, *await self._learn(request))
            return given

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Take one of the places there are while the block runs."""
        if self._waiting >= WAITING_MAX:
            raise QueueFull(self._waiting)
        self._waiting += 1
        self._metrics.waiting.set(self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            self._metrics.waiting.set(self._waiting)

    async def _read(self, raw: bytes) -> WindowRequest:
        async with self._alone:
            try:
                request = await asyncio.to_thread(decode, raw, WindowRequest, REQUEST_BYTES_MAX)
            except CodecFault as fault:
                raise UnfitRequest(str(fault)) from fault
        check_devices(request)
        return request

    def _kept(self, request: WindowRequest) -> WindowAnswer | None:
        """Give what was said of this claim before."""
        lot = request.claim.lot_id()
        attestation = self.store.attestation(lot)
        refusal = None if attestation else self.store.refusal(lot, request.height)
        if attestation is None and refusal is None:
            return None
        self._metrics.answers.labels("repeated").inc()
        return WindowAnswer(attestation, refusal)

    async def _learn(self, request: WindowRequest) -> tuple[int, LineFacts]:
        """Ask our node for the line, once it has the block by which the claim was built."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + BEHIND_S
        while True:
            try:
                final = await self._facts.line(request.claim.line)
            except ClientFault as fault:
                raise NodeBehind(f"no node answers: {fault}") from fault
            missing = request.height - final.height
            if missing <= 0:
                break
            if missing > BEHIND_BLOCKS_MAX or loop.time() + BEHIND_STEP_S > until_s:
                raise NodeBehind(
                    f"our node is at block {final.height}, the claim was built by {request.height}"
                )
            await asyncio.sleep(BEHIND_STEP_S)
        if final.facts is None:
            raise UnknownLineHere(request.claim.line)
        return final.height, final.facts

    async def _judge_once(
        self, request: WindowRequest, height: int, facts: LineFacts
    ) -> WindowAnswer:
        """WindowJudge alone, unless it was done while we waited; keep the answer, and give it."""
        async with self._alone:
            given = self._kept(request)
            if given is not None:
                return given
            claim = request.claim
            self._check_place(claim, facts)
            if self.store.size_bytes() >= self._store_bytes_max:
                raise StoreFull(self._store_bytes_max)
            bundle = self._gather(request)
            numbered = await asyncio.to_thread(number_envelopes, claim, bundle)
            with self._metrics.judge_seconds.time():
                found = await self._judge.judge(Judgement(self._key.public, facts, claim, bundle))
            answer = self._sign(claim, found, height, facts.chain_id)
            await self._keep(claim, answer, numbered if found.authentic else ())
        if isinstance(answer, WindowRefusal):
            return WindowAnswer(None, answer)
        return WindowAnswer(answer, None)

    def _check_place(self, claim: WindowClaim, facts: LineFacts) -> None:
        """Raise unless a window is the line's next, and not before one that was signed here."""
        through_ms = max(facts.line.through_ms, self.store.latest_from_ms(claim.line))
        if claim.from_ms > through_ms:
            raise NodeBehind(
                f"the window begins at {claim.from_ms} ms, our node knows of claims to "
                f"{through_ms} ms"
            )
        if claim.from_ms < through_ms:
            raise PassedWindow(claim.from_ms, through_ms)

    def _gather(self, request: WindowRequest) -> dict[PublicKey, tuple[Envelope, ...]]:
        """Put named envelopes and sent ones together; raise if some are not kept here."""
        named = sum(k.last - k.first + 1 for each in request.devices for k in each.kept)
        if named > ENVELOPES_MAX or any(k.last < k.first for d in request.devices for k in d.kept):
            raise UnfitRequest(
                f"a range is named backwards, or more than {ENVELOPES_MAX} envelopes"
            )
        missing: list[tuple[PublicKey, int, int]] = []
        bundle = {
            each.device: (*self._named(each, missing), *each.envelopes) for each in request.devices
        }
        if missing:
            raise MissingEnvelopes(missing)
        return bundle

    def _named(
        self, part: DeviceBundle, missing: list[tuple[PublicKey, int, int]]
    ) -> list[Envelope]:
        """Find the envelopes that are only named; of a number that is kept twice, neither."""
        found = []
        for kept in part.kept:
            for seq in range(kept.first, kept.last + 1):
                match self.store.numbered(part.device, kept.boot, seq):
                    case [envelope]:
                        found.append(envelope)
                    case _:
                        missing.append((part.device, kept.boot, seq))
        return found

    def _sign(
        self, claim: WindowClaim, found: WindowFinding, height: int, chain_id: Hash
    ) -> WindowAttestation | WindowRefusal:
        key, lot, root = self._key, claim.lot_id(), found.evidence_root
        if found.code:
            log.warning("window refused", lot=lot.hex(), code=found.code, why=found.detail)
            self._metrics.answers.labels("refused").inc()
            return sign_refusal(key, chain_id, lot, height, found.code, found.detail)
        log.info("window attested", lot=lot.hex(), units=claim.units, line=claim.line.hex()[:16])
        self._metrics.answers.labels("attested").inc()
        return WindowAttestation(key.public, root, key.sign(claim.signing_bytes(chain_id, root)))

    async def _keep(
        self,
        claim: WindowClaim,
        answer: WindowAttestation | WindowRefusal,
        evidence: Sequence[Numbered],
    ) -> None:
        """Keep an answer durably; a refusal for as long as anything is, other evidence is due."""
        now_ms = self._now_ms()
        refused = isinstance(answer, WindowRefusal)
        until_ms = now_ms + (self._retention_ms if refused else LOOK_AGAIN_MS)
        await asyncio.to_thread(
            self.store.keep, KeptAnswer(claim, answer, evidence, now_ms, until_ms)
        )

    async def tidy_up(self) -> None:
        """Forget evidence of lots that can't be doubted any longer; raise a `ClientFault`."""
        now_ms, over = self._now_ms(), []
        async with self._alone:
            for lot, kept_ms in self.store.due(now_ms, FORGOTTEN_AT_ONCE):
                last_ms = kept_ms + self._retention_ms
                contestable_ms = await self._facts.contestable_until_ms(lot)
                # A lot that is not there may yet be minted; once the line has gone on, it won't.
                until_ms = now_ms + LOOK_AGAIN_MS if contestable_ms is None else contestable_ms
                if min(until_ms, last_ms) <= now_ms:
                    over.append(lot)
                else:
                    self.store.postpone(lot, min(until_ms, last_ms))
            await asyncio.to_thread(self.store.forget, over, now_ms)

    def measure(self, *, ready: bool) -> None:
        """Bring the gauges up to date."""
        self._metrics.ready.set(ready)
        self._metrics.store_bytes.set(self.store.size_bytes())
        for what, count in self.store.counts().items():
            self._metrics.kept.labels(what).set(count)
