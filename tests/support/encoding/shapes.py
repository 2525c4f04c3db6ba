"""The tables of shapes in the specification, made from the structs that the code decodes.

`python -m tests.support.encoding.shapes` writes them anew, each between its two marks in a page of
docs/spec. A stranger reads there in which order fields are encoded and within which bounds; that
the pages are current, a test watches.
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, IntEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NewType, Union, get_args, get_origin, get_type_hints

import msgspec

import consensus.messages as messages
import node.core.wire as wire
from iot_minting.wire.leases import SignedLease
from iot_minting.wire.loans import SignedLoan, SignedWant
from iot_minting.wire.receipts import SignedReceipt
from ledger.genesis import types as genesis
from ledger.heat_rules import HeatRuleSet
from ledger.params import Doubting, Parameters, Pricing, Split, Staking
from ledger.primitives.committee import Committee, Seat
from ledger.primitives.keys import Policy
from ledger.primitives.votes import VoteKind
from ledger.state import tables
from ledger.state.lines import LineDevice, PermitTerms
from ledger.state.market import Change, Feed, PriceHour
from ledger.state.proven import ClaimedSpan, JudgedBy, ProvenInterval, ProvenSource
from ledger.state.records import LotStatus, Reason
from ledger.state.table import Table
from ledger.state.tanks import MeterGap, MeterPoint, Portion
from ledger.types import (
    block,
    evidence,
    mandate,
    market,
    milk,
    reading,
    registry,
    vat,
    votes,
    window,
)
from ledger.types.doubt import DoubtBody, ReadingPlace
from ledger.types.governance import GovernanceBody
from ledger.types.line import LineBody
from ledger.types.price import PriceBody
from ledger.types.staking import StakingBody
from ledger.types.tank import CondemnReason, TankBody
from ledger.types.transaction import Body, Intent, Transaction
from ledger.types.transfer import Redemption, TransferBody
from ledger.types.window import WindowBody

SPEC: Final = Path(__file__).parents[3] / "docs/spec"
Kinds = tuple[type, ...]

NAMED: Final = {
    "Hash": ("hash", 32),
    "TxId": ("hash", 32),
    "PublicKey": ("key", 32),
    "Address": ("address", 32),
    "Signature": ("signature", 64),
}
"""Byte strings that have names in the specification, and how long they are."""
WHOLE: Final = {
    (0, 2**53): "u53",
    (0, 2**63 - 1): "u63",
    (0, 2**32 - 1): "u32",
    (-(2**63), 2**63 - 1): "i63",
}
"""Whole numbers by their bounds; others are told by the bounds."""

FAMILIES: Final = {
    "transfer": TransferBody,
    "registry": registry.RegistryBody,
    "milk": milk.MilkBody,
    "tank": TankBody,
    "doubt": DoubtBody,
    "staking": StakingBody,
    "price": PriceBody,
    "market": market.MarketBody,
    "mandate": mandate.MandateBody,
    "governance": GovernanceBody,
    "line": LineBody,
    "window": WindowBody,
}


def bodies(union: Any) -> Kinds:
    """List the bodies of a family, which may have but one."""
    return get_args(union) or (union,)


ENVELOPE: Final[Kinds] = (Transaction, Intent, Policy)
WITHIN: Final[Kinds] = (
    Redemption,
    reading.Envelope,
    reading.Reading,
    window.WindowClaim,
    window.Interval,
    window.DeviceWindow,
    vat.VatState,
    vat.GaugeLow,
    window.WindowAttestation,
    ReadingPlace,
    votes.SignedVote,
)
BLOCKS: Final[Kinds] = (block.Block, block.Header, block.Receipt, Seat)
GENESIS: Final[Kinds] = (
    genesis.Genesis,
    genesis.GenesisValidator,
    genesis.GenesisAccount,
    genesis.GenesisStock,
    genesis.GenesisRole,
    genesis.GenesisDevice,
    genesis.GenesisBond,
    genesis.GenesisLine,
    genesis.GenesisPermit,
    Parameters,
    Split,
    Staking,
    Pricing,
    Doubting,
)
INSIDE: Final[Kinds] = (
    Change,
    Feed,
    PriceHour,
    PermitTerms,
    LineDevice,
    ProvenInterval,
    ClaimedSpan,
    ProvenSource,
    JudgedBy,
    Portion,
    MeterPoint,
    MeterGap,
)
WORDS: Final[Kinds] = (
    CondemnReason,
    registry.LicensedRole,
    evidence.Instrument,
    evidence.MilkKind,
    evidence.HeatProcess,
    reading.Unit,
    milk.LossReason,
    market.ServiceKind,
    mandate.PriceMode,
    HeatRuleSet,
    LotStatus,
    VoteKind,
    votes.FaultKind,
    Reason,
)
CONSENSUS: Final[Kinds] = (*get_args(messages.Message), messages.Subject)
SYNC: Final[Kinds] = (wire.TransactionBatch, *get_args(wire.SyncMessage))


def form(kind: Any) -> str:
    """Say what a value is, as the specification's notation has it."""
    if kind is NoneType:
        return "nil"
    if kind == Body:
        return "body"
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(form(each) for each in get_args(kind))
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        return _bounded(inner, [note for note in notes if isinstance(note, msgspec.Meta)])
    return _bounded(kind, [])


def _bounded(kind: Any, notes: list[msgspec.Meta]) -> str:
    """Say what a value is within the bounds that its notes tell."""
    base = kind
    while isinstance(base, NewType):
        base = base.__supertype__
    if get_origin(base) is Annotated:
        inner, *more = get_args(base)
        return _bounded(inner, [*notes, *(n for n in more if isinstance(n, msgspec.Meta))])
    if base is int:
        return _whole(notes)
    lengths = _range([n.min_length for n in notes], [n.max_length for n in notes])
    if base is bytes:
        name, size = NAMED.get(getattr(kind, "__name__", ""), ("", 0))
        assert not name or lengths in {"", str(size)}, f"{kind} is not of {size} bytes"
        return name or f"bytes {lengths}".strip()
    if base is str:
        return f"text {lengths}".strip()
    return _composed(base, lengths)


def _composed(base: Any, lengths: str) -> str:
    """Say what an array, a map or a named type is."""
    if get_origin(base) is tuple:
        items = get_args(base)
        if items[-1] is Ellipsis:
            return f"[{form(items[0])} …]" + (f" {lengths}" if lengths else "")
        return f"[{', '.join(form(item) for item in items)}]"
    if get_origin(base) is dict:
        name, value = get_args(base)
        return "{" + f"{form(name)}: {form(value)} …" + "}"
    assert isinstance(base, type), base
    return base.__name__


def _whole(notes: list[msgspec.Meta]) -> str:
    least = max((n.ge for n in notes if n.ge is not None), default=None)
    mosts = [n.le for n in notes if n.le is not None]
    most = min([*mosts, *(n.lt - 1 for n in notes if n.lt is not None)], default=None)
    if least is None and most is None:
        return "integer"
    return WHOLE.get((least, most)) or f"{_number(least)}…{_number(most)}"


def _number(value: Any) -> str:
    return "2⁶³ − 1" if value == 2**63 - 1 else f"{value:,}"


def _range(least: Iterable[int | None], most: Iterable[int | None]) -> str:
    low = max((each for each in least if each is not None), default=0)
    high = min((each for each in most if each is not None), default=None)
    if high is None:
        return f"{low:,}…" if low else ""
    return f"{low:,}" if low == high else f"{low:,}…{high:,}"


def fields(kind: Any) -> str:
    """List a struct's fields in the order in which they are encoded, each with its form."""
    hints = get_type_hints(kind, include_extras=True)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return ", ".join(f"`{encoded}` {form(hints[name])}" for name, encoded in names) or "none"


def head(kind: Any) -> str:
    """Say what stands before a struct's fields: its tag, or that it is a map."""
    config = kind.__struct_config__
    if not config.array_like:
        return "map"
    return f"`{config.tag}`" if config.tag is not None else "array"


def _structs(kinds: Iterable[type]) -> Iterator[str]:
    yield "| struct | begins with | fields, in this order |"
    yield "|---|---|---|"
    for kind in kinds:
        yield f"| {kind.__name__} | {head(kind)} | {fields(kind)} |"


def _bodies() -> Iterator[str]:
    yield "| family | body | begins with | fields, in this order |"
    yield "|---|---|---|---|"
    for family, union in FAMILIES.items():
        for kind in bodies(union):
            yield f"| {family} | {kind.__name__} | {head(kind)} | {fields(kind)} |"


def _words() -> Iterator[str]:
    yield "| word | one of |"
    yield "|---|---|"
    for kind in WORDS:
        assert issubclass(kind, Enum)
        told = [
            f"{each.value} {each.name.lower()}" if issubclass(kind, IntEnum) else f"`{each.value}`"
            for each in kind
        ]
        yield f"| {kind.__name__} | {', '.join(told)} |"


def state_tables() -> dict[str, Table[Any]]:
    """Find the tables of the state, each by its prefix."""
    found = [each for each in vars(tables).values() if isinstance(each, Table)]
    return {table.prefix.decode(): table for table in found}


def _records() -> Iterator[str]:
    yield "| key begins with | record | fields, in this order |"
    yield "|---|---|---|"
    for prefix, table in state_tables().items():
        if not (isinstance(table.kind, type) and issubclass(table.kind, msgspec.Struct)):
            yield f"| `{prefix}` | | {form(table.kind)} |"
        elif table.kind is Parameters:
            yield f"| `{prefix}` | Parameters | as above |"
        elif table.kind is Committee:
            yield f"| `{prefix}` | Committee | {fields(Committee)}: an array in an array |"
        else:
            yield f"| `{prefix}` | {table.kind.__name__} | {fields(table.kind)} |"


def shown() -> dict[tuple[str, str], str]:
    """Give every table by its page and mark."""
    found = {
        ("encoding.md", "envelope"): _structs(ENVELOPE),
        ("encoding.md", "bodies"): _bodies(),
        ("encoding.md", "within"): _structs(WITHIN),
        ("encoding.md", "blocks"): _structs(BLOCKS),
        ("encoding.md", "genesis"): _structs(GENESIS),
        ("encoding.md", "records"): _records(),
        ("encoding.md", "inside records"): _structs(INSIDE),
        ("encoding.md", "words"): _words(),
        ("wire.md", "consensus"): _structs(CONSENSUS),
        ("wire.md", "sync"): _structs(SYNC),
        ("minting.md", "receipt"): _structs((SignedReceipt, SignedLease, SignedWant, SignedLoan)),
    }
    return {place: "\n".join(lines) for place, lines in found.items()}


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- shapes: {name} -->\n\n", "\n\n<!-- end -->"


def pages(*, written: bool) -> dict[tuple[str, str], str]:
    """Give what stands between each table's marks; put the current table there if asked to."""
    found = {}
    for (page, name), table in shown().items():
        path, (begin, end) = SPEC / page, _marks(name)
        text = path.read_text("utf-8")
        place = re.compile(re.escape(begin) + "(.*?)" + re.escape(end), re.DOTALL)
        match = place.search(text)
        assert match is not None, f"{page} has no marks for {name}"
        if written:
            path.write_text(text[: match.start(1)] + table + text[match.end(1) :], "utf-8")
        found[page, name] = table if written else match[1]
    return found


if __name__ == "__main__":
    pages(written=True)
