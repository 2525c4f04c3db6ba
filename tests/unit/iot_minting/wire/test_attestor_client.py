"""Asking attestors: enough of them suffice; dead, slow and lying ones only cost their own word."""

import asyncio
from functools import partial

import httpx
import pytest

from iot_minting.errors import OversizedBundle
from iot_minting.wire import attestor_client
from iot_minting.wire.attestor_client import ANSWER_BYTES_MAX, ask
from iot_minting.wire.windows import (
    REFUSAL_DETAIL_MAX,
    WindowAnswer,
    WindowRequest,
    asking_bytes,
    sign_refusal,
)
from ledger.evidence import evidence_root
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import verify
from ledger.types.window import WindowAttestation
from tests.support.evidence.rig import CHAIN, MMU_KEY
from tests.support.ledger.dairy import key
from tests.support.minting.windows import Window, devices_of, make_window

WINDOW = make_window()
ATTESTORS = {f"attestor-{i}": key(f"attestor-{i}") for i in range(4)}
URLS = {signer.public: f"http://{name}" for name, signer in ATTESTORS.items()}
ASCENDING = sorted(URLS)


def attestation(signer, window=WINDOW, chain_id=CHAIN):
    root = evidence_root(signer.public, window.envelopes)
    signature = signer.sign(window.claim.signing_bytes(chain_id, root))
    return WindowAttestation(signer.public, root, signature)


def yes(signer, **changes):
    return httpx.Response(200, content=encode(WindowAnswer(attestation(signer, **changes), None)))


LOT = WINDOW.claim.lot_id()


def no(signer, *, lot=LOT, chain_id=CHAIN, detail="it is not"):
    refused = sign_refusal(signer, chain_id, lot, 7, "wrong_sum", detail)
    return httpx.Response(200, content=encode(WindowAnswer(None, refused)))


def asked(answers, quorum=3, deadline_s=5.0, window=WINDOW):
    """Ask attestors of which each does what its name says, or signs; give what came of it."""

    async def handle(request):
        name = request.url.host
        signer = ATTESTORS[name]
        answer = answers.get(name, yes)(signer)
        return await answer if asyncio.iscoroutine(answer) else answer

    transport = httpx.MockTransport(handle)
    window = window.claim, window.bundle, CHAIN
    going = ask(URLS, *window, quorum, deadline_s, asker=MMU_KEY, transport=transport)
    return asyncio.run(going)


async def hang(_):
    await asyncio.Event().wait()


def test_attestations_stand_in_the_order_of_their_keys():
    told = asked({}, quorum=4)
    assert [given.attestor for given in told.attestations] == ASCENDING
    assert (told.refusals, dict(told.silent)) == ((), {})


def test_a_quorum_is_enough_whatever_the_others_do():
    told = asked({"attestor-2": hang})
    assert len(told.attestations) == 3
    assert list(told.silent) == [ATTESTORS["attestor-2"].public]


def test_what_can_no_longer_be_a_quorum_is_not_waited_for():
    told = asked({"attestor-0": no, "attestor-1": no, "attestor-2": hang}, deadline_s=60.0)
    assert len(told.refusals) == 2
    assert len(told.attestations) <= 1


def test_time_is_up_whoever_hangs():
    told = asked(dict.fromkeys(ATTESTORS, hang), deadline_s=0.05)
    assert set(told.silent.values()) == {"no answer in time"}


def test_the_whole_window_is_sent_with_the_height_it_was_built_by():
    seen = []

    def handle(request):
        seen.append(decode(request.content, WindowRequest, len(request.content)))
        return yes(ATTESTORS[request.url.host])

    transport = httpx.MockTransport(handle)
    window = WINDOW.claim, WINDOW.bundle, CHAIN
    asyncio.run(ask(URLS, *window, 4, 5.0, asker=MMU_KEY, height=41, transport=transport))
    assert {request.height for request in seen} == {41}
    assert {request.claim for request in seen} == {WINDOW.claim}
    assert [each.devices for each in seen] == [devices_of(WINDOW.bundle)] * 4
    signed = asking_bytes(CHAIN, LOT, 41)
    assert all(verify(MMU_KEY.public, signed, request.signature) for request in seen)


def lie(content, status=200, **headers):
    return lambda _: httpx.Response(status, content=content, headers=headers)


LIES = {
    "another's key": lambda _: yes(key("attestor-3")),
    "a stranger's key": lambda _: yes(key("stranger")),
    "another claim": partial(yes, window=WINDOW.but(units=1)),
    "another chain": partial(yes, chain_id=Hash(bytes(32))),
    "envelopes not seen": partial(yes, window=Window(WINDOW.claim, {})),
    "a refusal of another lot": partial(no, lot=Hash(bytes(32))),
    "a refusal for another chain": partial(no, chain_id=Hash(bytes(32))),
    "neither": lie(encode(WindowAnswer(None, None))),
    "both": lambda s: lie(
        encode(WindowAnswer(attestation(s), sign_refusal(s, CHAIN, Hash(bytes(32)), 0, "c", "")))
    )(s),
    "garbage": lie(b"\xc1" * 9),
    "nothing": lie(b""),
    "endless": lie(bytes(ANSWER_BYTES_MAX + 1)),
    "a problem": lie(b'{"code": "wrong_bundle", "detail": "x"}', 422),
    "a problem that is none": lie(b"\xff{", 404),
    "a redirect": lie(b"", 307, location="http://attestor-1/"),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_liar_costs_its_own_word_alone(lie):
    told = asked({"attestor-0": lie}, quorum=4)
    liar = ATTESTORS["attestor-0"].public
    assert liar in told.silent
    assert liar not in {each.attestor for each in (*told.attestations, *told.refusals)}
    assert told.silent[liar] != "no answer in time", "it says what is wrong"
    assert len(told.silent[liar]) <= attestor_client.SHOWN_MAX


def test_a_busy_attestor_is_asked_again():
    left = [2]

    def busy(signer):
        left[0] -= 1
        return httpx.Response(503, headers={"retry-after": "0"}) if left[0] >= 0 else yes(signer)

    assert len(asked({"attestor-0": busy}, quorum=4).attestations) == 4


def test_one_that_stays_busy_says_so():
    told = asked({"attestor-0": lie(b"{}", 503, **{"retry-after": "soon"})}, 4, deadline_s=0.3)
    assert told.silent[ATTESTORS["attestor-0"].public].startswith("503")


def test_one_that_is_not_there_is_tried_again():
    left = [1]

    def away(signer):
        left[0] -= 1
        if left[0] >= 0:
            raise httpx.ConnectError("away")
        return yes(signer)

    assert len(asked({"attestor-0": away}, quorum=4).attestations) == 4


def test_a_refusal_says_no_more_than_fits():
    told = asked({"attestor-0": partial(no, detail="x" * 9_999)}, quorum=4)
    assert len(told.refusals[0].detail) == REFUSAL_DETAIL_MAX


def test_a_window_that_nobody_reads_is_never_sent(monkeypatch):
    monkeypatch.setattr(attestor_client, "REQUEST_BYTES_MAX", 100)
    with pytest.raises(OversizedBundle):
        asked({})


def test_whoever_has_not_seen_an_envelope_has_another_root():
    signer = ATTESTORS["attestor-0"].public
    whole = evidence_root(signer, WINDOW.envelopes)
    assert whole != evidence_root(signer, WINDOW.envelopes[:-1])
    assert whole != evidence_root(ATTESTORS["attestor-1"].public, WINDOW.envelopes)
