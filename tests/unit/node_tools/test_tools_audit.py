"""`billcoin audit`: whatever is changed in a store, the audit finds it and says where."""

import json
import shutil
from contextlib import contextmanager

import msgspec
import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner

from consensus.messages import Certificate
from ledger.errors.store import MissingStore
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.state.records import Account
from ledger.state.tables import ACCOUNTS
from ledger.store import Head, MemoryStore
from ledger.store.leveldb import plyvel
from ledger.store.schema import (
    ACCUMULATOR_KEY,
    BLOCK,
    COLLECTED,
    COMMITTEE,
    FARM_LOTS,
    FINALIZATION,
    HEAD_KEY,
    HEADER,
    HEIGHT_OF,
    HISTORY,
    KEPT_KEY,
    LOT_ORDER,
    LOT_PRODUCTS,
    RECEIPTS,
    STATE,
    TIMES,
    TRANSACTION,
    VERSION_KEY,
    height_key,
)
from ledger.types.block import Block, Receipt
from ledger.types.milk import PackLot
from node.cli.audit import audit
from node.errors import BadArgument
from node.tools.audit import NodeAudit, audit_homes, audit_store, compare, look_at
from node.tools.audit_replay import replay_members
from node.tools.findings import FINDINGS_MAX, Findings
from node.tools.homes import Home, find_homes
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.node.final_chain import fill, make_home

MIDDLE = 4


def made_cells(keep_blocks=0):
    cells = {}
    fill(MemoryStore(cells, keep_blocks))
    return cells


@pytest.fixture(scope="module")
def sound():
    return made_cells()


def audited(cells, quick=False):
    store = MemoryStore(dict(cells))
    findings, report = Findings(), NodeAudit("one")
    audit_store(store, store.head(), Dairy().genesis, report, findings, quick=quick)
    return [f"{each.where}: {each.what}" for each in findings.told], report


def first(cells, prefix):
    return min(key for key in cells if key[:1] == prefix)


def block_at(cells, height):
    return msgspec.msgpack.decode(cells[height_key(BLOCK, height)], type=Block)


def test_a_sound_store_has_no_findings_and_is_replayed(sound):
    found, report = audited(sound)
    assert found == []
    assert (report.height, report.transactions, report.finalizations) == (6, 12, 7)
    assert report.replayed
    assert report.minted_units > report.redeemed_units > 0


def test_a_pruned_store_is_sound_and_says_that_it_was_not_replayed():
    found, report = audited(made_cells(keep_blocks=2))
    assert found == []
    assert (report.replayed, report.kept_from) == (False, 5)
    assert report.not_checked == [9, 12]
    why = "the bodies of blocks 1 to 4 are pruned, and no other node here has them"
    assert report.notes == [f"not replayed: {why}"]


def looked_at(**stores):
    """Look at several nodes' stores, then replay them together."""
    members = [
        look_at(store, store.head(), Dairy().genesis, NodeAudit(name), Findings())
        for name, store in stores.items()
    ]
    replay_members(members)
    return members


def test_a_pruned_store_is_replayed_with_the_bodies_of_a_whole_one(sound):
    pruned, whole = looked_at(
        pruned=MemoryStore(made_cells(keep_blocks=2)), whole=MemoryStore(dict(sound))
    )
    assert pruned.report.replayed
    assert pruned.report.not_checked == []
    assert pruned.report.notes == ["replayed with the older bodies of whole"]
    assert whole.report.notes == []


def test_a_chain_is_executed_once_for_all_who_hold_it_and_apart_for_who_does_not(sound):
    begun, watched = [], []

    @contextmanager
    def watch(name, blocks):
        begun.append((name, blocks))
        yield lambda: watched.append(name)

    stores = {"short": MemoryStore(), "tall": MemoryStore(dict(sound)), "other": MemoryStore()}
    fill(stores["short"], payments=2)
    fill(stores["other"], payments=2).block(time_ms=stores["short"].head().time_ms + 7)
    members = [
        look_at(store, store.head(), Dairy().genesis, NodeAudit(name), Findings())
        for name, store in stores.items()
    ]
    replay_members(members, watch)
    heights = {name: store.head().height for name, store in stores.items()}
    assert begun == [("tall", heights["tall"]), ("other", heights["other"])]
    assert watched.count("tall") == heights["tall"]
    assert all(member.report.replayed for member in members)


def test_a_forged_block_is_told_to_those_who_hold_it_alone(sound):
    cells = {}
    chain = fill(MemoryStore(cells))
    honest = chain.dairy.next(chain.store, chain.dairy.pay(bytes([7]) * 32, 5), key("alice"))
    place, _ = honest.signatures[0]
    chain.block(replace(honest, signatures=((place, bytes(64)),)))
    forged, whole = looked_at(forged=MemoryStore(cells), whole=MemoryStore(dict(sound)))
    assert [each.what for each in forged.findings.told] == ["block 7: a signature does not hold"]
    assert whole.findings.told == []
    assert whole.report.replayed


PREFIXES = [BLOCK, RECEIPTS, FINALIZATION, HEIGHT_OF, TIMES, TRANSACTION, HISTORY, COMMITTEE]


# A block's own finalization is one of several proofs: the next one covers it, so it may be gone.
OWED = [prefix for prefix in PREFIXES if prefix != FINALIZATION]


@pytest.mark.parametrize("prefix", [*OWED, LOT_ORDER, FARM_LOTS, STATE])
def test_every_cell_that_is_dropped_is_missed(sound, prefix):
    for dropped in sorted(name for name in sound if name[:1] == prefix):
        cells = {name: value for name, value in sound.items() if name != dropped}
        # A mint pays farms that it doesn't name: only executing it tells whose histories have it.
        assert audited(cells, quick=prefix != HISTORY)[0], dropped.hex()


@pytest.mark.parametrize("prefix", [*PREFIXES, STATE, ACCUMULATOR_KEY])
def test_every_cell_in_which_a_bit_flips_is_found(sound, prefix):
    for flipped in sorted(name for name in sound if name[:1] == prefix):
        raw = bytearray(sound[flipped])
        raw[len(raw) // 2] ^= 4
        found, _ = audited({**sound, flipped: bytes(raw)}, quick=True)
        assert found, flipped.hex()


@pytest.mark.parametrize("prefix", [*PREFIXES, LOT_ORDER, FARM_LOTS])
def test_every_index_with_an_entry_too_many_is_told(sound, prefix):
    key = first(sound, prefix)
    stranger = key[:-1] + bytes([key[-1] ^ 0x55])
    assert stranger not in sound
    found, _ = audited({**sound, stranger: sound[key]}, quick=True)
    assert any("no block accounts for" in each or "no such lot" in each for each in found)


def test_what_is_wrong_is_told_with_its_place(sound):
    raw = height_key(BLOCK, MIDDLE)
    found, report = audited({k: v for k, v in sound.items() if k != raw})
    assert found[0] == f"block {MIDDLE}: it is missing"
    assert not report.replayed
    name = STATE + ACCOUNTS.prefix + address_of(key("alice").public)
    richer = replace(ACCOUNTS.decode(sound[name]), units=Units(10**15))
    found, _ = audited({**sound, name: encode(richer)})
    assert any(each.startswith("state: ") and "supply" in each for each in found)
    assert "state: the state root is not the hash over the records" in found


def test_the_very_record_that_is_wrong_is_named(sound):
    accounts = STATE + ACCOUNTS.prefix
    alice, bob = (address_of(key(name).public) for name in ("alice", "bob"))
    poorer = replace(ACCOUNTS.decode(sound[accounts + alice]), units=Units(1))
    cells = {**sound, accounts + alice: encode(poorer), accounts + bytes(32): encode(poorer)}
    del cells[accounts + bob]
    found, report = audited(cells)
    assert report.replayed
    assert f"record of accounts {alice.hex()}: it is not what the blocks give" in found
    assert f"record of accounts {bob.hex()}: it is missing" in found
    assert f"record of accounts {'00' * 32}: no block made it" in found
    assert sum(each.startswith("record of") for each in found) == 3


def test_swapped_blocks_are_told(sound):
    one, two = (height_key(BLOCK, height) for height in (3, 4))
    found, _ = audited({**sound, one: sound[two], two: sound[one]})
    assert "block 3: it says that its height is 4" in found
    assert any(each.startswith("block 4: its parent is not") for each in found)


def test_a_receipt_that_hides_a_failure_is_told(sound):
    at = height_key(RECEIPTS, MIDDLE)
    receipts = msgspec.msgpack.decode(sound[at], type=tuple[Receipt, ...])
    changed = (replace(receipts[0], code="short_lot"), *receipts[1:])
    found, _ = audited({**sound, at: encode(changed)})
    assert f"block {MIDDLE}: its receipts are not those that its header commits to" in found


def test_receipts_whose_text_is_none_are_told(sound):
    at = height_key(RECEIPTS, MIDDLE)
    receipts = msgspec.msgpack.decode(sound[at], type=tuple[Receipt, ...])
    changed = encode((replace(receipts[0], code="text"), *receipts[1:]))
    found, _ = audited({**sound, at: changed.replace(b"text", b"\xff\xff\xff\xff")})
    assert any(f"block {MIDDLE}: its receipts do not decode" in each for each in found)


def test_a_block_that_was_made_anew_is_told_by_its_finalization_and_its_child(sound):
    block = block_at(sound, MIDDLE)
    header = replace(block.header, time_ms=block.header.time_ms + 1)
    found, _ = audited(
        {**sound, height_key(BLOCK, MIDDLE): encode(Block(header, block.transactions))}
    )
    assert f"finalization {MIDDLE}: it does not make this block final" in found
    assert f"block {MIDDLE + 1}: its parent is not block {MIDDLE}" in found


def test_a_certificate_of_too_few_votes_is_told(sound):
    at = height_key(FINALIZATION, MIDDLE)
    certificate = msgspec.msgpack.decode(sound[at], type=Certificate)
    weak = replace(certificate, votes=certificate.votes[:-1])
    found, _ = audited({**sound, at: encode(weak)})
    assert any(each.startswith(f"finalization {MIDDLE}: it does not hold: stake") for each in found)


@pytest.mark.parametrize("change", [{"view": 77}, {"finalization": b""}, {"state_root": bytes(32)}])
def test_a_head_that_says_another_thing_than_its_block_is_told(sound, change):
    head = replace(msgspec.msgpack.decode(sound[HEAD_KEY], type=Head), **change)
    found, _ = audited({**sound, HEAD_KEY: encode(head)}, quick=True)
    assert any(each.startswith("head: ") for each in found)


def test_a_pruned_block_without_its_header_is_told():
    cells = made_cells(keep_blocks=2)
    del cells[height_key(HEADER, 3)]
    assert "block 3: its body is pruned, and its header is missing" in audited(cells)[0]


def test_bodies_said_to_be_pruned_that_are_not_are_told(sound):
    found, _ = audited({**sound, KEPT_KEY: (3).to_bytes(8, "big")})
    assert "block 1: its body is pruned, and its header is missing" in found


def test_a_store_that_began_otherwise_is_told(sound):
    other = Dairy(balances={**Dairy().balances, "bob": 51_000_000, "alice": 999_000_000})
    store = MemoryStore(dict(sound))
    findings, report = Findings(), NodeAudit("one")
    audit_store(store, store.head(), other.genesis, report, findings)
    assert ("block 0", "it is not what the genesis file begins with") in [
        (each.where, each.what) for each in findings.told
    ]


def test_what_a_quorum_agreed_to_against_the_law_is_told_by_the_replay():
    """Links, roots and certificates hold; only executing the block again shows the forgery."""
    cells = {}
    chain = fill(MemoryStore(cells))
    dairy = chain.dairy
    honest = dairy.next(chain.store, dairy.pay(bytes([7]) * 32, 5), key("alice"))
    place, _ = honest.signatures[0]
    chain.block(replace(honest, signatures=((place, bytes(64)),)))
    assert audited(cells, quick=True)[0] == []
    assert audited(cells)[0] == ["replay: block 7: a signature does not hold"]


@pytest.fixture(scope="module")
def tanked():
    """A chain whose newest block mints out of a tank: it pays a farm that it doesn't name."""
    cells = {}
    chain = fill(MemoryStore(cells), payments=0)
    return cells, address_of(chain.dairy.farm_keys[0].public)


def test_an_entry_of_a_history_that_only_executing_tells_of_is_missed_by_the_replay(tanked):
    cells, farm = tanked
    assert audited(cells)[0] == []
    minted = max(key for key in cells if key.startswith(HISTORY + farm))
    without = {key: value for key, value in cells.items() if key != minted}
    assert audited(without, quick=True)[0] == []
    found, report = audited(without)
    place = f"block {report.height}: it is not in the index of histories of accounts"
    assert found == [f"{place}: {minted[1:].hex()}"]


def test_an_entry_in_the_history_of_one_who_had_no_part_is_told_by_the_replay(tanked):
    cells, farm = tanked
    minted = max(key for key in cells if key.startswith(HISTORY + farm))
    stranger = HISTORY + bytes(32) + minted[33:]
    found, _ = audited({**cells, stranger: cells[minted]})
    assert found == ["index of histories of accounts: 1 entries that no block accounts for"]


def test_the_index_of_collections_is_checked(tanked):
    cells, _ = tanked
    key = first(cells, COLLECTED)
    without = {each: value for each, value in cells.items() if each != key}
    assert any("index of collections by meter" in each for each in audited(without)[0])
    other = COLLECTED + bytes(32) + key[33:]
    found, _ = audited({**cells, other: cells[key]}, quick=True)
    assert found == ["index of collections by meter: 1 entries that no block accounts for"]


def test_the_index_of_product_lots_is_checked():
    cells = {}
    chain = fill(MemoryStore(cells))
    lot = chain.store.lots(1)[0].id
    chain.block(chain.dairy.next(chain.store, PackLot(lot, 5, bill(1)), chain.dairy.mmu))
    assert audited(cells, quick=True)[0] == []
    key = first(cells, LOT_PRODUCTS)
    without = {each: value for each, value in cells.items() if each != key}
    (missed,) = audited(without, quick=True)[0]
    assert missed == f"lot {key[-32:].hex()}: it is missing in the index of lots"
    other = LOT_PRODUCTS + bytes(32) + key[33:]
    assert audited({**cells, other: b""}, quick=True)[0]


def test_unknown_cells_are_told(sound):
    assert any("schema does not know" in each for each in audited({**sound, b"?x": b""})[0])


def test_a_ruined_store_is_told_in_a_bounded_list():
    findings = Findings()
    for number in range(FINDINGS_MAX + 5):
        findings.tell(f"block {number}", "it is missing")
    assert (len(findings.told), findings.count) == (FINDINGS_MAX, FINDINGS_MAX + 5)


# On disk, by the command.


def run(*words):
    app = typer.Typer()
    app.command()(audit)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def testnet(tmp_path):
    for number in range(3):
        make_home(tmp_path / f"node-{number}", payments=2 + number)
    return tmp_path


def test_nodes_at_different_heights_of_one_chain_agree(testnet):
    result = run(testnet)
    assert result.exit_code == 0, result.output
    assert "all nodes hold the same chain up to block 4" in result.output
    shown = json.loads(run(testnet, "--json").stdout)
    assert (shown["ok"], shown["not_checked"], shown["common_height"]) == (True, [], 4)
    assert all(node["replayed"] for node in shown["nodes"])
    assert [node["height"] for node in shown["nodes"]] == [4, 5, 6]


def test_one_home_is_audited_alone(testnet):
    result = run(testnet / "node-1", "--quick")
    assert result.exit_code == 0
    assert "note: not replayed: a quick audit was asked for" in result.output
    assert "not checked: 9, 12 of the 13 invariants\nwhat was checked is well" in result.output
    shown = json.loads(run(testnet / "node-1", "--quick", "--json").stdout)
    assert (shown["ok"], shown["not_checked"]) == (True, [9, 12])
    assert shown["nodes"][0]["not_checked"] == [9, 12]


def test_a_change_on_disk_is_told_and_fails(testnet):
    with plyvel.DB(str(testnet / "node-1" / "ledger")) as raw:
        raw.delete(height_key(BLOCK, 2))
    result = run(testnet)
    assert result.exit_code == 1
    assert "WRONG  block 2: it is missing" in result.output


def test_nodes_on_different_chains_are_told_with_the_block_where_they_part():
    stores = {name: MemoryStore() for name in ("one", "two", "three")}
    for name, store in stores.items():
        chain = fill(store, payments=2)
        for _ in range(5):
            chain.block(time_ms=None if name != "three" else store.head().time_ms + 7)
    findings = Findings()
    assert compare(stores, findings) == 9
    assert [(each.where, each.what) for each in findings.told] == [
        ("one and three", "they hold different chains from block 5 on")
    ]


def test_nodes_with_one_head_and_two_states_are_told(sound):
    other = MemoryStore({**sound, ACCUMULATOR_KEY: bytes(2048)})
    findings = Findings()
    compare({"one": MemoryStore(dict(sound)), "two": other}, findings)
    assert "states differ after block 6" in findings.told[0].what


def test_a_running_node_is_refused_politely(testnet):
    with plyvel.DB(str(testnet / "node-2" / "ledger")):
        error = run(testnet).exception
    assert isinstance(error, BadArgument)
    assert "in use by a running node: stop it" in str(error)


def test_a_damaged_database_is_a_finding_and_the_others_are_audited(testnet):
    for log in (testnet / "node-0" / "ledger").glob("*.log"):
        raw = bytearray(log.read_bytes())
        raw[len(raw) // 2] ^= 1
        log.write_bytes(raw)
    report = audit_homes(find_homes(testnet))
    assert [bool(node.findings) for node in report.nodes] == [True, False, False]
    assert "damaged" in report.nodes[0].findings[0].what
    told = run(testnet).output
    assert "node-0: its chain can't be read" in told
    assert "the nodes that can be read hold the same chain up to block 5" in told
    assert "b'" not in told


def test_any_flipped_byte_of_a_table_file_is_told(testnet):
    """Bytes at rest, as a failing disk would change them: LevelDB's checksums are all looked at."""
    folder = testnet / "node-0" / "ledger"
    plyvel.DB(str(folder)).close()  # What the log held becomes a table, overwritten cells too.
    (table,) = folder.glob("*.ldb")
    whole = table.read_bytes()
    for place in range(0, len(whole) * 9 // 10, len(whole) // 25):
        raw = bytearray(whole)
        raw[place] ^= 0x10
        table.write_bytes(raw)
        report = audit_homes([Home(testnet / "node-0")], quick=True)
        assert not report.ok, place
        table.write_bytes(whole)
    assert audit_homes([Home(testnet / "node-0")]).ok


def test_an_older_schema_is_a_finding_with_its_remedy(testnet):
    with plyvel.DB(str(testnet / "node-0" / "ledger")) as raw:
        raw.put(VERSION_KEY, b"\x01")
    report = audit_homes([Home(testnet / "node-0")])
    assert "move the folder away" in report.nodes[0].findings[0].what


def test_a_foreign_or_missing_genesis_file_is_told(testnet):
    home = testnet / "node-0"
    (home / "genesis.json").unlink()
    assert "can't be read" in audit_homes([Home(home)]).nodes[0].findings[0].what
    shutil.copytree(testnet / "node-1", testnet / "copy")
    text = json.loads((testnet / "node-1" / "genesis.json").read_text())
    text["name"] = "another"
    (home / "genesis.json").write_text(json.dumps(text))
    found = audit_homes([Home(home)]).nodes[0].findings[0]
    assert found.where == "genesis file"
    assert "begins chain" in found.what


def test_a_folder_without_nodes_is_named(tmp_path):
    with pytest.raises(MissingStore, match="no store at"):
        find_homes(tmp_path)


def test_an_unknown_account_record_breaks_the_books(sound):
    name = STATE + ACCOUNTS.prefix + bytes(32)
    found, _ = audited({**sound, name: encode(Account(Units(5), 0))}, quick=True)
    assert any("are held by accounts" in each for each in found)
