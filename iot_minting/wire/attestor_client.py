"""Asking attestors for a window: all at once, until enough agree.

Nobody here is trusted: an attestor may be dead, slow, or lie. What it answers is bounded in bytes
and time, and counts only if its signature is over this very claim. One that is busy, or whose node
lags, is asked again as long as there is time.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import httpx
import msgspec

from iot_minting.errors import OversizedBundle
from iot_minting.wire.windows import (
    REQUEST_BYTES_MAX,
    DeviceBundle,
    WindowAnswer,
    WindowRefusal,
    sign_request,
)
from ledger.evidence import Bundle, claimed_envelopes, evidence_root
from ledger.primitives.codec import decode, encode
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, SigningKey, verify
from ledger.types.window import WindowAttestation, WindowClaim
from node.client.queries import MSGPACK

WINDOWS_PATH: Final = "/v1/windows"
ANSWER_BYTES_MAX: Final = 64 * 1024
CONNECT_S: Final = 3.0
RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 5.0
SHOWN_MAX: Final = 300
"""How much of a stranger's words is repeated."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking: attestations by key, ascending; signed refusals; and who is silent, why.

    Every attestation and refusal bears a good signature over the claim that was asked for.
    """

    attestations: tuple[WindowAttestation, ...]
    refusals: tuple[WindowRefusal, ...]
    silent: Mapping[PublicKey, str]


@dataclass(slots=True)
class _Talk:
    """One attestor's part: what it answered, and why it has not yet."""

    key: PublicKey
    url: str
    attestation: WindowAttestation | None = None
    refusal: WindowRefusal | None = None
    why: str = "no answer in time"


@dataclass(frozen=True, slots=True)
class _Question:
    """What all are asked."""

    claim: WindowClaim
    bundle: Bundle
    chain_id: Hash
    body: bytes = field(repr=False)


class _NoAnswer(Exception):
    """An answer that says nothing; `again` tells whether to ask once more."""

    def __init__(self, why: str, again_s: float | None = None) -> None:
        super().__init__(why)
        self.again_s = again_s


async def ask(
    urls_by_key: Mapping[PublicKey, str],
    claim: WindowClaim,
    bundle: Bundle,
    chain_id: Hash,
    quorum: int,
    deadline_s: float,
    *,
    asker: SigningKey,
    height: int = 0,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Asked:
    """Ask attestors to sign a window; return as soon as a quorum has, or none can any more.

    - `urls_by_key`: where each attestor listens (`http://HOST:PORT`), by its key.
    - `bundle`: all envelopes behind the claim, each device's in order.
    - `quorum`: how many must sign.
    - `deadline_s`: when to give up. Nothing is raised then: see `silent` of the answer.
    - `asker`: the key of the line's MMU.
    - `height`: the final block by which the claim was built; lagging attestors wait for it.

    Raise `OversizedBundle` for a window that no attestor reads: cut a shorter one. To ask again
    for the same claim is harmless, and gives the same answers.
    """
    body = _write(claim, bundle, chain_id, asker, height)
    question = _Question(claim, bundle, chain_id, body)
    talks = [_Talk(key, url) for key, url in urls_by_key.items()]
    async with httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(deadline_s, connect=CONNECT_S),
        headers={"accept": MSGPACK, "accept-encoding": "identity", "content-type": MSGPACK},
        trust_env=False,
    ) as http:
        going = {asyncio.create_task(_talk(http, question, talk)) for talk in talks}
        await _wait(going, talks, quorum, deadline_s)
    return _gather(talks)


async def _wait(
    going: set[asyncio.Task[None]], talks: list[_Talk], quorum: int, deadline_s: float
) -> None:
    """Let attestors answer until it is decided, or time is up; end the others."""
    try:
        async with asyncio.timeout(deadline_s):
            while going and not _decided(talks, len(going), quorum):
                done, going = await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()  # A bug of ours is not an attestor's silence.
    except TimeoutError:
        pass
    finally:
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


def _decided(talks: list[_Talk], going: int, quorum: int) -> bool:
    signed = sum(talk.attestation is not None for talk in talks)
    return signed >= quorum or signed + going < quorum


def _gather(talks: list[_Talk]) -> Asked:
    by_key = sorted(talks, key=lambda talk: talk.key)
    return Asked(
        tuple(talk.attestation for talk in by_key if talk.attestation),
        tuple(talk.refusal for talk in by_key if talk.refusal),
        {talk.key: talk.why for talk in by_key if not (talk.attestation or talk.refusal)},
    )


def _write(
    claim: WindowClaim, bundle: Bundle, chain_id: Hash, asker: SigningKey, height: int
) -> bytes:
    devices = tuple(DeviceBundle(key, (), tuple(bundle[key])) for key in sorted(bundle))
    body = encode(sign_request(asker, chain_id, height, claim, devices))
    if len(body) > REQUEST_BYTES_MAX:
        raise OversizedBundle(len(body), REQUEST_BYTES_MAX)
    return body


async def _talk(http: httpx.AsyncClient, question: _Question, talk: _Talk) -> None:
    """Ask one attestor until it answers, or says that asking again won't help."""
    delay_s = RETRY_FIRST_S
    while True:
        try:
            answer = await _post(http, question, talk.url)
            talk.attestation, talk.refusal = await asyncio.to_thread(
                _check, answer, question, talk.key
            )
            return
        except _NoAnswer as fault:
            talk.why = str(fault)
            if fault.again_s is None:
                return
            await asyncio.sleep(min(max(delay_s, fault.again_s), RETRY_MAX_S))
            delay_s = min(2 * delay_s, RETRY_MAX_S)


async def _post(http: httpx.AsyncClient, question: _Question, url: str) -> WindowAnswer:
    """Post once, and read as much as an answer can be."""
    try:
        async with http.stream(
            "POST", url.rstrip("/") + WINDOWS_PATH, content=question.body
        ) as got:
            raw = bytearray()
            async for chunk in got.aiter_bytes():
                raw += chunk
                if len(raw) > ANSWER_BYTES_MAX:
                    raise _NoAnswer(f"its answer is above {ANSWER_BYTES_MAX} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _NoAnswer(f"not reached: {error!r}"[:SHOWN_MAX], RETRY_FIRST_S) from error
    if got.status_code != HTTPStatus.OK:
        raise _NoAnswer(_read_problem(got.status_code, bytes(raw)), _again_s(got))
    try:
        return decode(bytes(raw), WindowAnswer, ANSWER_BYTES_MAX)
    except CodecFault as fault:
        raise _NoAnswer(f"its answer can't be read: {fault}"[:SHOWN_MAX]) from fault


def _again_s(response: httpx.Response) -> float | None:
    """Tell when to ask an attestor again that could not answer now; None if that is no use."""
    if response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    try:
        return max(0.0, min(float(response.headers.get("retry-after", "1")), RETRY_MAX_S))
    except ValueError:
        return RETRY_MAX_S


class _ToldProblem(msgspec.Struct):
    """What is read of a problem."""

    code: str = ""
    detail: str = ""


def _read_problem(status: int, raw: bytes) -> str:
    try:
        told = msgspec.json.decode(raw, type=_ToldProblem)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        told = _ToldProblem()
    return f"{status} {told.code}: {told.detail}"[:SHOWN_MAX]


def _check(
    answer: WindowAnswer, question: _Question, key: PublicKey
) -> tuple[WindowAttestation | None, WindowRefusal | None]:
    """Give back what an attestor signed over this claim; raise for anything else."""
    claim, chain_id = question.claim, question.chain_id
    match answer:
        case WindowAnswer(attestation=WindowAttestation() as given, refusal=None):
            root = evidence_root(key, claimed_envelopes(claim, question.bundle))
            message = claim.signing_bytes(chain_id, root)
            good = (given.attestor, given.evidence_root) == (key, root)
            signature = given.signature
        case WindowAnswer(attestation=None, refusal=WindowRefusal() as refused):
            message, signature = refused.signing_bytes(chain_id), refused.signature
            good = (refused.attestor, refused.lot) == (key, claim.lot_id())
        case _:
            raise _NoAnswer("it answers neither yes nor no, or both")
    if not good or not verify(key, message, signature):
        raise _NoAnswer("its answer is not its own over this claim")
    return answer.attestation, answer.refusal
