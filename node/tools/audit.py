"""The audit of stopped nodes: their blocks, their state, their indexes, and each other.

    open, strictly   -> a damaged LevelDB is a finding, a running node is a fault
    blocks           links, roots, finalizations, indexes       (`audit_blocks`)
    epochs           committees, and the draws of leaders       (`audit_epochs`)
    state            all invariants, the root over every record (`ledger.invariants`)
    lots             by height and by farm; every one leads back to its farms
    replay           executing all blocks again gives the same roots (`audit_replay`);
                     where the state is wrong, which records are (`audit_records`)
    nodes            hold the same chain up to the height that all have

It changes nothing that was stored; LevelDB itself may tidy its log when it is opened.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import msgspec
from msgspec import Struct

from ledger.errors.base import LedgerFault
from ledger.errors.store import StoreFault
from ledger.genesis import Genesis
from ledger.invariants import Place
from ledger.invariants import audit as audit_state
from ledger.primitives.hashing import Hash
from ledger.state.lattice import state_root
from ledger.state.tables import LOTS, PRODUCTS, PROVEN, parameters
from ledger.store.chain import ChainStore
from ledger.store.schema import FARM_LOTS, LOT_ORDER, LOT_PRODUCTS, Head, lot_cells, product_cell
from ledger.trace import trace
from node.errors import NodeFault
from node.tools.audit_blocks import BlockWalk
from node.tools.audit_replay import Member, Watch, replay_members, skip_members
from node.tools.findings import Finding, Findings
from node.tools.homes import Home, open_stopped

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, IndexError)
"""What reading a damaged record raises; here it is a finding, not a bug."""


class NodeAudit(Struct):
    """What the audit of one node saw, and what it found."""

    node: str
    height: int = -1
    head: str = ""
    state_root: str = ""
    kept_from: int = 1
    transactions: int = 0
    finalizations: int = 0
    records: int = 0
    accounts: int = 0
    lots: int = 0
    minted_units: int = 0
    redeemed_units: int = 0
    replayed: bool = False
    not_checked: list[int] = []
    """Invariants (spec, §9) that were not checked here; the notes say why."""
    notes: list[str] = []
    findings: list[Finding] = []
    findings_count: int = 0


class AuditReport(Struct):
    """The whole audit: every node, and how they compare.

    `ok` says that nothing is wrong in what was checked, `not_checked` which invariants were not.
    """

    ok: bool
    not_checked: list[int]
    nodes: list[NodeAudit]
    common_height: int
    findings: list[Finding]


def audit_homes(
    homes: Sequence[Home], *, quick: bool = False, watch: Watch | None = None
) -> AuditReport:
    """Audit stopped nodes and compare them; `quick` leaves out the replay."""
    reports: list[NodeAudit] = []
    members: list[Member] = []
    found: list[Findings] = []
    stores: dict[str, ChainStore] = {}
    with ExitStack() as stack:
        for home in homes:
            report, findings = NodeAudit(home.name), Findings()
            reports.append(report)
            found.append(findings)
            try:
                store = open_stopped(home)
                stack.callback(store.close)
                stores[home.name] = store
                members += _audit_home(home, store, report, findings)
            except StoreFault as fault:
                findings.tell("store", str(fault))
        _replay(members, quick=quick, watch=watch)
        for report, findings in zip(reports, found, strict=True):
            report.findings, report.findings_count = findings.told, findings.count
        compared = Findings()
        common = compare(stores, compared)
    clean = not compared.count and not any(report.findings_count for report in reports)
    not_checked = sorted({law for report in reports for law in report.not_checked})
    return AuditReport(clean, not_checked, reports, common, compared.told)


def _replay(members: Sequence[Member], *, quick: bool, watch: Watch | None) -> None:
    if quick:
        skip_members(members, "a quick audit was asked for")
    else:
        replay_members(members, watch)


def _audit_home(
    home: Home, store: ChainStore, report: NodeAudit, findings: Findings
) -> list[Member]:
    head = store.head()
    if head is None:
        findings.tell("head", "there is none: the store was never begun")
        return []
    genesis = _genesis(home, head, findings)
    return [look_at(store, head, genesis, report, findings)]


def _genesis(home: Home, head: Head, findings: Findings) -> Genesis | None:
    try:
        genesis = home.genesis()
    except (LedgerFault, NodeFault) as fault:
        findings.tell("genesis file", str(fault))
        return None
    if genesis.chain_id != head.chain_id:
        told = f"it begins chain {genesis.chain_id.hex()}, the store holds {head.chain_id.hex()}"
        findings.tell("genesis file", told)
        return None
    return genesis


def audit_store(
    store: ChainStore,
    head: Head,
    genesis: Genesis | None,
    report: NodeAudit,
    findings: Findings,
    *,
    quick: bool = False,
) -> None:
    """Audit one store against its genesis, and fill its report."""
    member = look_at(store, head, genesis, report, findings)
    _replay([member], quick=quick, watch=None)


def look_at(
    store: ChainStore,
    head: Head,
    genesis: Genesis | None,
    report: NodeAudit,
    findings: Findings,
) -> Member:
    """Look at all that a store holds; what executing it gives comes afterwards."""
    report.height, report.head = head.height, head.hash.hex()
    report.state_root, report.kept_from = head.state_root.hex(), store.kept_from
    report.notes = []
    walk = BlockWalk(store, head, genesis, findings)
    walk.walk()
    report.transactions, report.finalizations = walk.transactions, walk.finalizations
    if walk.unverified:
        report.notes.append(
            f"{walk.unverified} finalizations were not verified: nothing here tells of their "
            f"committees"
        )
    if walk.undrawn:
        report.notes.append(
            f"{walk.undrawn} draws were not verified: what they build on is wrong or not here"
        )
    sound, before = not findings.count, findings.count
    _state(store, head, report, findings)
    _lots(store, findings)
    right = findings.count == before
    return Member(report.node, store, genesis, report, findings, sound, right)


def _state(store: ChainStore, head: Head, report: NodeAudit, findings: Findings) -> None:
    if state_root(store.accumulator) != head.state_root:
        findings.tell("state", "the accumulator is not that of the head's state root")
    try:
        rules = parameters(store)
    except (AssertionError, *UNREADABLE) as error:
        findings.tell("state", f"the parameters can't be read: {error}")
        return
    found = audit_state(store.state(), store.accumulator, rules, _place(store, head))
    report.records, report.accounts, report.lots = found.records, found.accounts, found.lots
    report.minted_units, report.redeemed_units = found.minted_units, found.redeemed_units
    for each in found.findings:
        findings.tell("state", each)


def _place(store: ChainStore, head: Head) -> Place | None:
    """Say where the state stands, by the head's own header; None if that is not there."""
    try:
        header = store.header(head.height)
    except StoreFault:
        return None  # The walk over the blocks told of it.
    if header is None:
        return None
    epoch, seated = header.epoch, {header.epoch: Hash(header.committee_hash)}
    seated[epoch + 1] = Hash(header.next_committee_hash)
    return Place(Hash(head.chain_id), head.height, header.time_ms, seated)


def _lots(store: ChainStore, findings: Findings) -> None:
    """Check the indexes of lots, and that every one leads back to farms (invariant 13)."""
    owed: set[bytes] = set()
    for key, raw in store.state():
        if key[:1] != LOTS.prefix:
            continue
        lot_id = Hash(key[1:])
        where = f"lot {lot_id.hex()}"
        try:
            owed |= {cell for cell, _ in lot_cells(lot_id, LOTS.decode(raw), store.get)}
            traced = PROVEN.get(store, lot_id) is None or trace(store, lot_id).milk[0].farms
        except (AssertionError, StoreFault, *UNREADABLE) as error:
            findings.tell(where, f"it can't be traced: {error}")
            continue
        if not traced:
            findings.tell(where, "it leads to no farm")
    owed |= _owed_by_products(store, findings)
    indexes = (LOT_ORDER, FARM_LOTS, LOT_PRODUCTS)
    present = {key for prefix in indexes for key, _ in store.cells(prefix)}
    for key in sorted(owed - present):
        findings.tell(f"lot {key[-32:].hex()}", "it is missing in the index of lots")
    for key in sorted(present - owed):
        findings.tell("index of lots", f"it names {key[-32:].hex()}, which is no such lot")


def _owed_by_products(store: ChainStore, findings: Findings) -> set[bytes]:
    """Name the cells that the product lots of the state should have in the index."""
    owed: set[bytes] = set()
    for key, raw in store.state():
        if key[:1] == PRODUCTS.prefix:
            try:
                owed.add(product_cell(Hash(key[1:]), PRODUCTS.decode(raw)))
            except UNREADABLE as error:
                findings.tell(f"product lot {key[1:].hex()}", f"it can't be read: {error}")
    return owed


def compare(stores: dict[str, ChainStore], findings: Findings) -> int:
    """Compare nodes up to the height that all have; give that height, -1 if there is none."""
    heads = {name: head for name, store in stores.items() if (head := store.head()) is not None}
    if not heads:
        return -1
    common = min(head.height for head in heads.values())
    first, *others = heads
    for name in others:
        try:
            _compare_two(stores, first, name, common, findings)
        except (StoreFault, *UNREADABLE) as error:
            findings.tell(f"{first} and {name}", f"they can't be compared: {error}")
    return common


def _compare_two(
    stores: dict[str, ChainStore], one: str, other: str, common: int, findings: Findings
) -> None:
    """Find where two chains part: hashes commit to all before, so halving finds the place."""

    def differ(height: int) -> bool:
        headers = [stores[name].header(height) for name in (one, other)]
        return headers[0] is None or headers[0] != headers[1]

    if differ(common):
        low, high = 0, common
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if differ(middle) else (middle + 1, high)
        findings.tell(f"{one} and {other}", f"they hold different chains from block {low} on")
        return
    mine, yours = stores[one].head(), stores[other].head()
    assert mine is not None, "both have a head, or they would not be compared"
    assert yours is not None, "both have a head, or they would not be compared"
    same_height = mine.height == yours.height
    if same_height and stores[one].accumulator != stores[other].accumulator:
        findings.tell(f"{one} and {other}", f"their states differ after block {mine.height}")
