"""The attestor's desk: takes requests, has them judged, signs, keeps, and never says two things.

What was said of a claim is said again, whoever asks. A refusal says by which blocks it was found:
who built the claim by later ones has it judged again. An attestor never goes back: it signs no
window that begins before one that it signed. It may sign several that begin at the same time, since
a claim that was lost is built anew; the chain takes one, because claims of a line tile its time.

Only a line's MMU asks about it. Its requests have turns of their own (`turns`), and what waits of
them to be minted is bounded (`quotas`): so the flood of one neither slows nor starves another.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from iot_minting.attestor.bundles import Numbered
from iot_minting.attestor.errors import (
    ForeignAsker,
    MissingEnvelopes,
    NodeBehind,
    PassedWindow,
    QuotaFull,
    StoreFull,
    UnfitRequest,
    UnknownAsker,
    UnknownLineHere,
)
from iot_minting.attestor.facts import LineSource
from iot_minting.attestor.judging import (
    Judgement,
    WindowFinding,
    check_devices,
    number_envelopes,
)
from iot_minting.attestor.keeping import Keeping
from iot_minting.attestor.metrics import AttestorMetrics
from iot_minting.attestor.quotas import check_quota
from iot_minting.attestor.store import AttestorStore, KeptAnswer
from iot_minting.attestor.turns import HeldPlace, Turns
from iot_minting.wire.windows import (
    ENVELOPES_MAX,
    REQUEST_BYTES_MAX,
    DeviceBundle,
    WindowAnswer,
    WindowHead,
    WindowRefusal,
    WindowRequest,
    sign_refusal,
)
from ledger.evidence import LineFacts
from ledger.primitives.codec import decode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey, SigningKey, address_of, verify
from ledger.state.records import NOBODY
from ledger.types.reading import Envelope
from ledger.types.window import WindowAttestation, WindowClaim
from node.client.errors import ClientFault

BEHIND_S: Final = 5.0
"""How long our node is waited for, if a claim was built by a later block."""
BEHIND_BLOCKS_MAX: Final = 100
"""Further ahead than this a height is not waited for."""
BEHIND_STEP_S: Final = 0.2

log = structlog.get_logger("attest")

_heads: Final = msgspec.msgpack.Decoder(WindowHead)


class WindowJudge(Protocol):
    """Who judges."""

    async def judge(self, asked: Judgement) -> WindowFinding:
        """Give what came out, or raise an `Unjudged`."""


class AttestorDesk:
    """One attestor over one store. Lives on one event loop."""

    def __init__(
        self,
        key: SigningKey,
        chain_id: Hash,
        store: AttestorStore,
        facts: LineSource,
        judge: WindowJudge,
        metrics: AttestorMetrics,
        *,
        now_ms: Callable[[], int],
        retention_ms: int,
        store_bytes_max: int,
    ) -> None:
        self._key, self._chain_id, self.store = key, chain_id, store
        self._facts, self._judge, self._metrics = facts, judge, metrics
        self._now_ms, self._retention_ms = now_ms, retention_ms
        self._store_bytes_max = store_bytes_max
        self.keeping = Keeping(store, facts, now_ms)
        self._turns = Turns()
        self._mmus = set(store.mmus())
        """Who is known to have a line. Others share one caller's places until a node says so."""

    async def answer(self, raw: bytes) -> WindowAnswer:
        """Judge a request and sign what comes out; raise an `Unjudged` if nothing does."""
        head = _read_head(raw)
        asker = self._check_signature(head)
        with self._turns.place(asker if asker in self._mmus else NOBODY) as place:
            self._metrics.waiting.set(len(self._turns))
            try:
                return await self._answer(raw, head, asker, place)
            finally:
                self._metrics.waiting.set(len(self._turns) - 1)

    async def _answer(
        self, raw: bytes, head: WindowHead, asker: Address, place: HeldPlace
    ) -> WindowAnswer:
        given = self._kept(head)
        if given is not None:
            return given
        height, facts = await self._learn(head, asker, place)
        await self._make_room(head.claim.line, asker)
        async with self._turns.turn(place):
            # Another request of the same claim may have been judged meanwhile.
            return self._kept(head) or await self._judge_now(await _read(raw), height, facts)

    def _check_signature(self, head: WindowHead) -> Address:
        """Give who asks; raise unless it signed that."""
        asker = PublicKey(head.asker)
        if not verify(asker, head.signing_bytes(self._chain_id), head.signature):
            raise UnknownAsker(asker)
        return address_of(asker)

    def _kept(self, head: WindowHead) -> WindowAnswer | None:
        """Give what was said of this claim before."""
        lot = head.claim.lot_id()
        attestation = self.store.attestation(lot)
        refusal = None if attestation else self.store.refusal(lot, head.height)
        if attestation is None and refusal is None:
            return None
        self._metrics.answers.labels("repeated").inc()
        return WindowAnswer(attestation, refusal)

    async def _learn(
        self, head: WindowHead, asker: Address, place: HeldPlace
    ) -> tuple[int, LineFacts]:
        """Ask our node for the line, once it has the block by which the claim was built."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + BEHIND_S
        while True:
            try:
                final = await self._facts.line(head.claim.line)
            except ClientFault as fault:
                raise NodeBehind(f"no node answers: {fault}") from fault
            if final.facts is not None:
                self._check_asker(final.facts, asker, place)
            missing = head.height - final.height
            if missing <= 0:
                break
            if missing > BEHIND_BLOCKS_MAX or loop.time() + BEHIND_STEP_S > until_s:
                raise NodeBehind(
                    f"our node is at block {final.height}, the claim was built by {head.height}"
                )
            await asyncio.sleep(BEHIND_STEP_S)
            place.check()
        if final.facts is None:
            raise UnknownLineHere(head.claim.line)
        return final.height, final.facts

    def _check_asker(self, facts: LineFacts, asker: Address, place: HeldPlace) -> None:
        """Raise unless a line's own MMU asks; it has its own places from then on."""
        if asker != facts.line.mmu:
            raise ForeignAsker(asker, facts.line_id, facts.line.mmu)
        self._mmus.add(asker)
        self._turns.rename(place, asker)

    async def _judge_now(
        self, request: WindowRequest, height: int, facts: LineFacts
    ) -> WindowAnswer:
        """Judge a claim, keep the answer, and give it. One claim of an MMU's at a time."""
        claim, mmu = request.claim, Address(facts.line.mmu)
        self._check_place(claim, facts)
        self._check_room(claim.line, mmu)
        bundle = self._gather(request)
        numbered = await asyncio.to_thread(number_envelopes, claim, bundle)
        with self._metrics.judge_seconds.time():
            found = await self._judge.judge(Judgement(self._key.public, facts, claim, bundle))
        answer = self._sign(claim, found, height)
        until_ms = self._now_ms() + self._retention_ms
        evidence: Sequence[Numbered] = numbered if found.authentic else ()
        kept = KeptAnswer(mmu, claim, answer, evidence, until_ms)
        await asyncio.to_thread(self.store.keep, kept)
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

    async def _make_room(self, line: Hash, mmu: Address) -> None:
        """Let go of what can't be minted any more, where no more would be kept else."""
        try:
            self._check_room(line, mmu)
        except QuotaFull:
            try:
                await self.keeping.settle(mmu)
            except ClientFault as fault:
                raise NodeBehind(f"no node answers: {fault}") from fault

    def _check_room(self, line: Hash, mmu: Address) -> None:
        """Raise unless one more claim of a line may be kept."""
        if self.store.size_bytes() >= self._store_bytes_max:
            raise StoreFull(self._store_bytes_max)
        check_quota(*self.store.held(line, mmu))

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
        self, claim: WindowClaim, found: WindowFinding, height: int
    ) -> WindowAttestation | WindowRefusal:
        key, lot, root = self._key, claim.lot_id(), found.evidence_root
        if found.code:
            log.warning("window refused", lot=lot.hex(), code=found.code, why=found.detail)
            self._metrics.answers.labels("refused").inc()
            return sign_refusal(key, self._chain_id, lot, height, found.code, found.detail)
        log.info("window attested", lot=lot.hex(), units=claim.units, line=claim.line.hex()[:16])
        self._metrics.answers.labels("attested").inc()
        signature = key.sign(claim.signing_bytes(self._chain_id, root))
        return WindowAttestation(key.public, root, signature)

    def measure(self, *, ready: bool) -> None:
        """Bring the gauges up to date."""
        self._metrics.ready.set(ready)
        self._metrics.store_bytes.set(self.store.size_bytes())
        for what, count in self.store.counts().items():
            self._metrics.kept.labels(what).set(count)


def _read_head(raw: bytes) -> WindowHead:
    """Read who asks for what: the envelopes are not looked at before it is known who asks."""
    if len(raw) > REQUEST_BYTES_MAX:
        raise UnfitRequest(f"a request has at most {REQUEST_BYTES_MAX} bytes: cut a shorter window")
    try:
        return _heads.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise UnfitRequest(f"no WindowRequest (docs/spec/minting.md §4.2): {fault}") from fault


async def _read(raw: bytes) -> WindowRequest:
    try:
        request = await asyncio.to_thread(decode, raw, WindowRequest, REQUEST_BYTES_MAX)
    except CodecFault as fault:
        raise UnfitRequest(f"no WindowRequest (docs/spec/minting.md §4.2): {fault}") from fault
    check_devices(request)
    return request
