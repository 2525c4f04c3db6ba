"""Lines and permits of a genesis: made by words, they mint from the first block on."""

from functools import cached_property

import pytest

from ledger.errors.store import BadGenesis
from ledger.genesis import parse_genesis
from ledger.params import DAY_MS
from ledger.primitives.keys import address_of, format_address
from ledger.rules.permits import ALL_METERS
from ledger.state.records import NOBODY
from ledger.state.tables import LOTS
from ledger.transition import apply_block
from ledger.types.evidence import HeatProcess, Instrument
from node.cli.genesis import remarks
from node.home.key_file import read_key
from tests.support.ledger.dairy import FLOW_MAX_L_PER_H, GENESIS_MS, LINE, PLANT, TANK, Dairy, bill
from tests.support.ledger.milking import Milking
from tests.support.node.genesis_command import fault, made

UNTIL_MS = GENESIS_MS + 300 * DAY_MS


class MadeDairy(Dairy):
    """The usual dairy, on a chain whose genesis was made by the command."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    @cached_property
    def genesis(self):
        mmu = shown(self.mmu)
        farms = [shown(farm) for farm in self.farm_keys]
        meters = [
            f"{meter.public.hex()}:milk_meter:{PLANT}:{farm}:{UNTIL_MS}"
            for meter, farm in zip(self.meter_keys, farms, strict=True)
        ]
        devices = [self.line_keys[kind].public.hex() for kind in self.line_kinds]
        return made(
            self.path,
            *each("--account", [f"{mmu}:10"]),
            *each("--bond", [f"{mmu}:1000"]),
            *each("--role", [f"mmu:{mmu}", f"regulator:{shown(self.regulator)}"]),
            *each("--role", [f"attestor:{key.public.hex()}" for key in self.attestor_keys]),
            *each("--device", [*meters, *map(self._instrument, self.line_kinds)]),
            *each("--line", [line(mmu, f"continuous@{FLOW_MAX_L_PER_H}", devices)]),
            *each("--permit", [f"{farm}:{mmu}:*:*:1000000:{UNTIL_MS}" for farm in farms]),
        )

    def _instrument(self, kind):
        flow = f"@{FLOW_MAX_L_PER_H}" if kind is Instrument.FLOW_METER else ""
        key = self.line_keys[kind].public.hex()
        return f"{key}:{kind}{flow}:{PLANT}:{shown(self.mmu)}:{UNTIL_MS}"


def shown(key):
    return format_address(address_of(key.public), "dbill")


def each(option, texts):
    return [word for text in texts for word in (option, text)]


def line(mmu, process, devices):
    return f"{PLANT}:{LINE}:{mmu}:{process}:{TANK}:{','.join(devices)}"


def test_a_line_made_by_words_mints(tmp_path):
    dairy = MadeDairy(tmp_path / "g.json")
    assert dairy.genesis.lines == Dairy().genesis.lines
    assert dairy.genesis.permits == Dairy().genesis.permits
    batch, state = Milking(dairy).next(), dairy.state()
    for height, (sender, body) in enumerate(batch.steps, 1):
        transaction = dairy.next(state, body, sender)
        (receipt,) = apply_block(state, dairy.context(height), [transaction]).receipts
        assert receipt.code == ""
    assert LOTS.get(state, batch.lot).units == batch.claim.units > bill(99)
    assert not [each for each in remarks(dairy.genesis) if "MMU" in each or "farm" in each]


def words_of_a_vat(keys, process="batch@5000"):
    """Give the words of a line behind a vat, whose devices have names."""
    kinds = (*Dairy().line_kinds, Instrument.TANK_GAUGE)
    names = [kind.replace("_", "-") for kind in kinds]
    devices = [
        f"{name}:{kind}:{PLANT}:plant:{UNTIL_MS}" for name, kind in zip(names, kinds, strict=True)
    ]
    return [
        *("--keys", keys, "--role", "mmu:plant"),
        *each("--device", devices),
        *each("--line", [line("plant", process, names)]),
    ]


def test_a_line_behind_a_vat_has_the_vats_litres_and_no_flow(tmp_path):
    genesis = made(tmp_path / "g.json", *words_of_a_vat(tmp_path / "keys"))
    (vat,) = genesis.lines
    assert (vat.process, vat.vat_units, vat.flow_max_l_per_h) == (HeatProcess.BATCH, bill(5_000), 0)
    gauge = read_key(tmp_path / "keys" / "tank-gauge.key").public
    assert gauge in vat.devices
    assert list(vat.devices) == sorted(vat.devices)


def test_a_permit_may_be_for_one_meter_and_one_collector(tmp_path):
    meter = f"udder:milk_meter:{PLANT}:farm:{UNTIL_MS}"
    genesis = made(
        *(tmp_path / "g.json", "--role", "mmu:plant", "--role", "collector:driver"),
        *("--device", meter, "--permit", f"farm:plant:udder:driver:500:{UNTIL_MS}"),
        *("--permit", f"other:plant:*:*:9:{UNTIL_MS}"),
    )
    one, all_meters = genesis.permits
    keys = tmp_path / "keys"
    assert one.meter == read_key(keys / "udder.key").public
    assert one.collector == address_of(read_key(keys / "driver.key").public)
    assert (one.litres_a_day, one.until_ms) == (500, UNTIL_MS)
    assert (all_meters.meter, all_meters.collector) == (ALL_METERS, NOBODY)


def test_a_line_that_the_law_refuses_begins_no_chain(tmp_path):
    words = words_of_a_vat(tmp_path / "keys", "continuous@0")
    error = fault("new", "--out", tmp_path / "g.json", *words)
    assert isinstance(error, BadGenesis)
    assert "lines[0]" in str(error)
    assert not (tmp_path / "g.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "an MMU without a line"),
        (["--device", f"udder:milk_meter:{PLANT}:farm:{UNTIL_MS}"], "a farm that consents to no"),
    ],
)
def test_what_keeps_milk_from_being_minted_is_remarked(tmp_path, words, told):
    made(tmp_path / "g.json", "--role", "mmu:plant", *words)
    genesis = parse_genesis((tmp_path / "g.json").read_text())
    assert any(told in remark for remark in remarks(genesis))
