"""A proof from a real chain's store over real HTTP, and the command that verifies it offline."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

from consensus.params import Params
from ledger.genesis import format_genesis
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of, format_address
from node.cli.main import build
from node.client.errors import Rejected
from node.core import events as node_events
from node.core.proving import Prover
from node.lightclient import anchor_of, format_anchor, parse_anchor, verify_proof
from tests.support.ledger.dairy import Dairy, key
from tests.support.lightclient.broken_proofs import forged
from tests.support.lightclient.proof_chain import grown
from tests.support.node.cluster import Cluster
from tests.support.node.rpc_runs import rpc_app, run_async
from tests.support.node.toy_backend import ToyBackend, toy_node

BOB = address_of(key("bob").public)
AGES = ("--trusting-days", "36500")  # The dairy's genesis is of 2023.


class ProvingBackend(ToyBackend):
    """A toy node that proves from a real store."""

    def __init__(self, store) -> None:
        super().__init__()
        self.prover = Prover(store)

    def proof(self, txid, from_epoch):
        return self.prover.collect(txid, from_epoch)


@pytest.fixture(scope="module")
def dairy():
    return Dairy()


@pytest.fixture(scope="module")
def paid(dairy):
    return dairy.transaction(dairy.pay(BOB, 1_800_000), key("alice"), 0)


@pytest.fixture(scope="module")
def cluster(dairy, paid):
    made = Cluster(dairy.genesis, dairy.validator_keys, Params(heartbeat_ms=3_000))
    made.run(50)
    made.feed(0, node_events.Submit(1, (encode(paid),)))
    made.run(4_000)
    return made


def billcoin(*words, code=0):
    done = CliRunner().invoke(build([str(word) for word in words]), [str(word) for word in words])
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def with_node(cluster, folder, test):
    async def whole():
        with toy_node(folder / "rpc.sock", ProvingBackend(cluster.nodes[1].store)):
            async with rpc_app(folder) as client:
                await test(client)

    run_async(whole)


def test_a_client_gets_a_proof_that_verifies_from_the_genesis(cluster, dairy, paid, tmp_path):
    async def ask(client):
        raw = await client.proof(paid.id)
        proven = verify_proof(raw, anchor_of(dairy.genesis), cluster.now_ms)
        assert proven.transaction == paid
        with pytest.raises(Rejected) as caught:
            await client.proof(bytes(32))
        assert (caught.value.code, caught.value.status) == ("not_final", 404)

    with_node(cluster, tmp_path, ask)


def test_the_command_fetches_a_proof_and_verifies_it_without_the_node(
    cluster, dairy, paid, tmp_path
):
    file, genesis = tmp_path / "payment.proof", tmp_path / "genesis.json"
    genesis.write_text(format_genesis(dairy.genesis))

    async def fetch(client):
        words = ("proof", "get", paid.id.hex(), "--node", client.base_url, "--out", file)
        assert "not verified" in await asyncio.to_thread(billcoin, *words)

    with_node(cluster, tmp_path, fetch)
    shown = json.loads(billcoin("proof", "verify", file, "--anchor", genesis, "--json", *AGES))
    assert shown["verified"]
    assert shown["took_effect"]
    assert (shown["bill"], shown["to"]) == ("1.800000", format_address(BOB, "dbill"))
    assert shown["txid"] == paid.id.hex()
    assert 3 * shown["signed_stake"] > 2 * shown["total_stake"]
    told_people = billcoin("proof", "verify", file, "--anchor", genesis, *AGES)
    for value in (
        "final, and it took effect",
        shown["to"],
        shown["reference"],
        shown["block_hash"],
    ):
        assert value in told_people


@pytest.fixture
def files(tmp_path):
    """A chain's proofs as files, with an anchor."""
    chain = grown()
    (tmp_path / "anchor.json").write_text(format_anchor(chain.anchor()))
    (tmp_path / "good").write_bytes(encode(chain.proof(9)))
    (tmp_path / "failed").write_bytes(encode(chain.proof(3, 2)))
    (tmp_path / "forged").write_bytes(encode(forged(chain)))
    (tmp_path / "fork").write_bytes(encode(grown(branch=1).proof(9)))
    return tmp_path


def verify(files, name, *more, code=0):
    words = ("proof", "verify", files / name, "--anchor", files / "anchor.json", *AGES, *more)
    return billcoin(*words, code=code)


def test_a_verified_proof_can_leave_a_newer_anchor(files):
    verify(files, "good", "--save-anchor", files / "newer.json")
    newer = parse_anchor((files / "newer.json").read_bytes())
    assert newer.epoch == 2
    billcoin("proof", "verify", files / "good", "--anchor", files / "newer.json", *AGES)


def test_a_failed_payment_is_proven_as_one_and_ends_with_1(files):
    assert "FAILED with insufficient_funds" in verify(files, "failed", code=1)
    shown = json.loads(verify(files, "failed", "--json", code=1))
    assert (shown["verified"], shown["took_effect"]) == (True, False)


def test_a_forged_proof_is_refused_by_its_code(files):
    assert "wrong_signature" in verify(files, "forged", code=1)
    shown = json.loads(verify(files, "forged", "--json", code=1))
    assert (shown["verified"], shown["code"]) == (False, "wrong_signature")


def test_an_old_anchor_is_refused_unless_its_user_says_otherwise(files):
    (files / "old.json").write_text(
        json.dumps(json.loads((files / "anchor.json").read_text()) | {"time_ms": 0})
    )
    words = ("proof", "verify", files / "good", "--anchor", files / "old.json")
    assert "anchor_expired" in billcoin(*words, code=1)
    billcoin(*words, *AGES)


def test_what_is_no_anchor_is_told_by_its_code(files):
    words = ("proof", "verify", files / "good", "--anchor", files / "failed", "--json")
    assert json.loads(billcoin(*words, code=1))["code"] == "bad_anchor"


def test_two_proofs_are_compared_and_a_fork_is_an_alarm(files):
    words = ("proof", "compare", files / "good")
    more = ("--anchor", files / "anchor.json", *AGES)
    assert "no fork" in billcoin(*words, files / "failed", *more)
    assert json.loads(billcoin(*words, files / "failed", *more, "--json")) == {"fork": False}
    alarm = billcoin(*words, files / "fork", *more, code=1)
    assert "FORK at height 4" in alarm
    assert "slashable" in alarm
    shown = json.loads(billcoin(*words, files / "fork", *more, "--json", code=1))
    assert (shown["fork"], shown["height"], len(shown["slashable"])) == (True, 4, 2)
