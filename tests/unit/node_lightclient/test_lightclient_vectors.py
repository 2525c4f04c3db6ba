"""The vectors of finality proofs hold for the product, and for a stranger who read the text."""

import ast
import json

import pytest

from ledger.primitives.committee import COMMITTEE_MAX
from ledger.primitives.keys import POLICY_KEYS_MAX
from node.lightclient import ProofFault, find_fork, parse_anchor, verify_proof
from node.lightclient.errors import BadAnchor
from node.lightclient.types import LINKS_MAX, PATH_HEADERS_MAX, STEPS_MAX, decode_proof
from tests.support.ledger.strict_ed25519 import lenient
from tests.support.lightclient import stranger, stranger_genesis
from tests.vectors import proofs_edges_vectors, proofs_vectors

VECTORS = json.loads(proofs_vectors.FILE.read_text("utf-8"))
TRUSTING_MS = VECTORS["trusting_ms"]
EDGES = json.loads(proofs_edges_vectors.FILE.read_text("utf-8"))
GOOD, BROKEN = (VECTORS[name] + EDGES[name] for name in ("good", "broken"))
ANCHORS, FORKS = VECTORS["anchors"] | EDGES["anchors"], VECTORS["forks"]


def anchor_of(vector):
    return parse_anchor(json.dumps(ANCHORS[vector["anchor"]]).encode())


def name_of(vector):
    return vector["name"].replace(" ", "-")


def hexed(proven):
    return {name: v.hex() if isinstance(v, bytes) else v for name, v in proven.items()}


def test_the_vectors_are_what_the_code_makes():
    assert proofs_vectors.build() == VECTORS
    assert proofs_edges_vectors.build() == EDGES
    assert not VECTORS["anchors"].keys() & EDGES["anchors"].keys()


@pytest.mark.parametrize("vector", GOOD, ids=name_of)
def test_good_vectors_verify_and_give_the_next_anchor(vector):
    proven = verify_proof(bytes.fromhex(vector["proof"]), anchor_of(vector), vector["now_ms"])
    assert proven.txid.hex() == vector["proven"]["txid"]
    assert proven.receipt.code == vector["proven"]["code"]
    assert proven.anchor == parse_anchor(json.dumps(vector["next_anchor"]).encode())


@pytest.mark.parametrize("vector", BROKEN, ids=name_of)
def test_broken_vectors_are_refused_by_their_code(vector):
    with pytest.raises(ProofFault) as caught:
        verify_proof(bytes.fromhex(vector["proof"]), anchor_of(vector), vector["now_ms"])
    assert caught.value.code == vector["code"]


@pytest.mark.parametrize("vector", VECTORS["bad_anchors"], ids=name_of)
def test_what_could_be_read_as_two_anchors_or_none_is_refused(vector):
    with pytest.raises(BadAnchor):
        parse_anchor(vector["text"].encode())


def test_an_anchor_may_be_laid_out_in_any_way():
    """What RFC 8259 leaves free stays free: the order of fields, blanks, escapes."""
    fields = VECTORS["anchors"]["the largest numbers"]
    turned = json.dumps(dict(reversed(fields.items())), separators=(",", ":"))
    escaped = turned.replace("dbill", r"\u0064bill")
    assert parse_anchor(b"\n " + escaped.encode()) == parse_anchor(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "name",
    [
        "scalar above the order",
        "small order in a signature",
        "a key of small order",
        "a key that is not canonical",
    ],
)
def test_a_verifier_that_only_knows_the_equation_would_take_the_oddly_signed_proofs(name):
    vector = next(each for each in BROKEN if each["name"] == name)
    proof, committee = decode_proof(bytes.fromhex(vector["proof"])), anchor_of(vector).committee
    subject, votes = proof.finalization.subject, proof.finalization.votes
    text = subject.signing_bytes(proof.chain_id)
    assert all(lenient(committee.seats[member].key, text, signed) for member, signed in votes)


@pytest.mark.parametrize("vector", FORKS, ids=lambda v: f"height-{v['height']}")
def test_forks_are_found_where_they_are(vector):
    one, other = (bytes.fromhex(vector[name]) for name in ("one", "other"))
    fork = find_fork(one, other, anchor_of(vector), vector["now_ms"])
    if vector["height"] is None:
        assert fork is None
        assert vector["signers"] == vector["slashable"] == []
        return
    assert fork.height == vector["height"]
    assert [key.hex() for key in fork.signers] == vector["signers"]
    assert [double.key.hex() for double in fork.evidence] == vector["slashable"]


@pytest.mark.parametrize("vector", GOOD, ids=name_of)
def test_a_stranger_believes_the_good_vectors_and_reads_the_same(vector):
    proven, (epoch, time_ms, seats) = stranger.verify(
        bytes.fromhex(vector["proof"]),
        ANCHORS[vector["anchor"]],
        vector["now_ms"],
        TRUSTING_MS,
    )
    assert hexed(proven) == vector["proven"]
    _, next_epoch, next_ms, next_seats = stranger.read_anchor(vector["next_anchor"])
    assert (epoch, time_ms, seats) == (next_epoch, next_ms, next_seats)


@pytest.mark.parametrize("vector", BROKEN, ids=name_of)
def test_a_stranger_refuses_the_broken_vectors_for_the_same_reason(vector):
    with pytest.raises(stranger.Refused) as caught:
        stranger.verify(
            bytes.fromhex(vector["proof"]),
            ANCHORS[vector["anchor"]],
            vector["now_ms"],
            TRUSTING_MS,
        )
    assert caught.value.args == (vector["code"],)


@pytest.mark.parametrize("vector", EDGES["genesis_anchors"], ids=name_of)
def test_a_genesis_file_is_the_anchor_that_the_text_says(vector):
    anchor = ANCHORS[vector["anchor"]]
    assert parse_anchor(vector["text"].encode()) == anchor_of(vector)
    read = stranger_genesis.read_genesis(vector["text"])
    assert read == stranger.read_anchor(anchor)
    unsorted = [each["vote_key"] for each in json.loads(vector["text"])["validators"]]
    assert unsorted != sorted(unsorted), "a file's validators may stand in any order"


@pytest.mark.parametrize("vector", EDGES["other_kinds"], ids=name_of)
def test_a_kind_that_a_verifier_does_not_know_proves_nothing_to_it_alone(vector):
    raw, now_ms = bytes.fromhex(vector["proof"]), vector["now_ms"]
    proven = verify_proof(raw, anchor_of(vector), now_ms)
    assert proven.transaction.intent.body.__struct_config__.tag == vector["proven"]["kind"]
    with pytest.raises(stranger.Refused) as caught:
        stranger.verify(raw, ANCHORS[vector["anchor"]], now_ms, TRUSTING_MS)
    assert caught.value.args == ("bad_transaction",)


def test_each_list_of_a_proof_is_shown_at_its_bound_and_one_past_it():
    full = [decode_proof(bytes.fromhex(each["proof"])) for each in GOOD]
    lengths = [
        max(len(proof.links) for proof in full),
        max(len(proof.path) for proof in full),
        max(len(proof.transaction_steps) for proof in full),
        max(len(proof.receipt_steps) for proof in full),
        max(len(link.seats) for proof in full for link in proof.links),
    ]
    assert lengths == [LINKS_MAX, PATH_HEADERS_MAX, STEPS_MAX, STEPS_MAX, COMMITTEE_MAX]
    broken = {each["name"]: each["code"] for each in BROKEN}
    for bound, what in (
        (LINKS_MAX, "{} links"),
        (PATH_HEADERS_MAX, "a path of {} headers"),
        (STEPS_MAX, "{} steps"),
        (COMMITTEE_MAX, "{} seats"),
        (COMMITTEE_MAX, "{} votes"),
    ):
        assert broken[what.format(bound + 1)] == "bad_encoding"
    assert broken[f"{POLICY_KEYS_MAX + 1} keys and signatures"] == "bad_transaction"


@pytest.mark.parametrize("one", [stranger, stranger_genesis])
def test_the_strangers_share_no_code_with_the_product(one):
    with open(one.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        node.module.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }
    assert imported <= {"hashlib", "itertools", "json", "msgpack", "nacl", "pathlib", "re"}
