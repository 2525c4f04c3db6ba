"""A running testnet's milk, counted twice: by its chain, and by all that its instruments signed.

What instruments signed lies in the gateway's archive and, without a receipt yet, in their journals.
Both are read as they lie there, and must be whole chains: so what was lost on the way shows.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from msgspec.structs import replace

from iot_minting.gateway.store import STORE_NAME
from iot_minting.wire.line_facts import read_facts
from ledger.evidence import Bundle, LineFacts, claim_window
from ledger.genesis import Genesis, parse_genesis
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import PublicKey
from ledger.state.lines import Line
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.line import line_id
from ledger.types.reading import Envelope, decode_envelope
from simulator.dairy.setup import LINE, PLANT, DeviceIdentity, identify, read_seed
from simulator.testnet.figures import UNITS_PER_LITRE
from tests.support.testnet.running import RunningTestnet

NAME = line_id(PLANT, LINE)
LOTS_MAX = 500


@dataclass(frozen=True, slots=True)
class Books:
    """Microlitres up to `through_ms`: on the chain, by the law in one window, by the flow meter."""

    through_ms: int
    minted: int
    provable: int
    flowed: int


def line_of(net: RunningTestnet) -> LineFacts:
    """Give what the chain says of the dairy's line now."""
    return read_facts(net.ask("node-0", lambda client: client.line(NAME)))


def through_ms(net: RunningTestnet) -> int:
    """Tell up to when the line's claims are final; 0 while no node answers."""
    try:
        return line_of(net).line.through_ms
    except Exception:
        return 0


def keep_books(net: RunningTestnet) -> Books:
    """Count everything up to where the chain's claims reach now."""
    facts, minted = _on_chain(net)
    genesis = _genesis(net)
    to_ms = facts.line.through_ms
    begun = replace(facts.line, through_ms=genesis.time_ms, **_UNCLAIMED)
    first = LineFacts(facts.line_id, begun, facts.devices, {}, facts.rules, facts.chain_id)
    bundle = signed_by_line(net)
    claim = claim_window(
        first, bundle, MilkKind.WHOLE, to_ms, choose=lambda window: window.intervals()
    )
    return Books(to_ms, minted, claim.counted_steps, _flowed(facts, bundle))


_UNCLAIMED = {"flow_device": PublicKey(bytes(32)), "flow_value": 0, "flow_unit": None}


def _on_chain(net: RunningTestnet) -> tuple[LineFacts, int]:
    """Give the line, and what is minted of it, as of one moment."""
    while True:
        before = line_of(net)
        lots = net.ask("node-0", lambda client: client.lots(LOTS_MAX))
        if line_of(net).line == before.line:
            assert len(lots) < LOTS_MAX
            ours = [lot for lot in lots if (lot.plant, lot.line) == (PLANT, LINE)]
            return before, sum(lot.minted_units for lot in ours)


def _genesis(net: RunningTestnet) -> Genesis:
    return parse_genesis(net.layout.genesis_path.read_bytes())


def signed_by_line(net: RunningTestnet) -> Bundle:
    """List all that each instrument of the line ever signed; assert that nothing is missing."""
    devices = identify(read_seed(net.layout.home("dairy")), 0).devices
    return {
        each.key: _signed_by(net, each)
        for each in devices
        if each.kind is not Instrument.MILK_METER
    }


def _signed_by(net: RunningTestnet, device: DeviceIdentity) -> list[Envelope]:
    folder = net.layout.home("dairy") / "devices" / net.chain_id().hex()[:16] / device.plant
    # Journal first: what a receipt takes from it afterwards stands in the archive before.
    waiting, (end,) = _rows(
        folder / f"{device.name}.sqlite",
        "SELECT raw FROM journal ORDER BY boot, seq",
        "SELECT digest FROM chain_end",
    )
    (stored,) = _rows(
        net.layout.home("mint") / STORE_NAME,
        f"SELECT raw FROM readings WHERE device = X'{device.key.hex()}' ORDER BY boot, seq",
    )
    known = {envelope.digest(): envelope for envelope in map(_read, [*stored, *waiting])}
    chain, previous = [], ZERO_HASH
    following = {envelope.reading().previous: envelope for envelope in known.values()}
    while (envelope := following.get(previous)) is not None:
        chain.append(envelope)
        previous = envelope.digest()
    assert len(chain) == len(known), f"{device.name} has envelopes that link to nothing"
    assert end[0] in known, f"what {device.name} signed last is lost"
    return chain


def _read(row: tuple[bytes]) -> Envelope:
    return decode_envelope(row[0])


def _rows(path: Path, *queries: str) -> list[list[tuple]]:
    """Ask a file that others write, as of one moment."""
    with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as db:
        db.execute("BEGIN")
        return [db.execute(query).fetchall() for query in queries]


def _flowed(facts: LineFacts, bundle: Bundle) -> int:
    """Give what the flow meter says has flowed by then."""
    line: Line = facts.line
    (meter,) = (key for key in bundle if facts.devices[key].instrument is Instrument.FLOW_METER)
    readings = [envelope.reading() for envelope in bundle[meter]]
    samples = [
        (reading.t0_ms + offset_ms, value)
        for reading in readings
        for offset_ms, value in reading.samples
    ]
    return max(value for at_ms, value in samples if at_ms <= line.through_ms) - samples[0][1]


def litres_of(text: str) -> int:
    """Give written litres in units."""
    return int(Decimal(text) * UNITS_PER_LITRE)
