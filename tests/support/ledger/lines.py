"""A registered line for tests: the dairy's devices, and readings that tell of tampering."""

from functools import cached_property

from msgspec.structs import replace

from ledger.genesis import Genesis, GenesisLine, GenesisPermit
from ledger.params import DAY_MS
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, SigningKey
from ledger.rules.permits import ALL_METERS
from ledger.types.evidence import HeatProcess
from ledger.types.line import AmendLine, RegisterLine, line_id
from ledger.types.reading import READING_VERSION, Envelope, Reading, Stream, Unit, sign_reading
from ledger.types.registry import RegisterDevice
from tests.support.ledger.dairy import GENESIS_MS, LINE, PLANT, RUN_STARTED_MS, Dairy, key
from tests.support.ledger.town import PURSES, Town

NAME = line_id(PLANT, LINE)


def line_devices(dairy: Dairy) -> tuple[PublicKey, ...]:
    """The dairy's instruments, in order."""
    return tuple(sorted(each.public for each in dairy.line_keys.values()))


def register(dairy: Dairy, **changes: object) -> RegisterLine:
    """The body that registers the dairy's line, or one that differs from it."""
    fields: dict[str, object] = {
        "plant": PLANT,
        "line": LINE,
        "mmu": Town.address("mmu"),
        "process": HeatProcess.CONTINUOUS,
        "flow_max_l_per_h": 12_000,
        "vat_units": 0,
        "tank": "tank-1",
        "devices": line_devices(dairy),
    }
    return RegisterLine(**{**fields, **changes})  # type: ignore[arg-type]  # Fields by name.


def with_line(genesis: Genesis) -> Genesis:
    """The dairy's genesis with its line, and the first farm's permit for all its meters."""
    body, mmu = register(Dairy()), Town.address("mmu")
    line = GenesisLine(*(getattr(body, name) for name in body.__struct_fields__))
    permit = GenesisPermit(
        Town.address("farm-0"), mmu, ALL_METERS, Town.address("alice"), 2_000, GENESIS_MS + DAY_MS
    )
    return replace(genesis, lines=(line,), permits=(permit,))


def bare_town() -> Town:
    """A town whose dairy has no line yet, and no farm's consent."""
    return Town(Dairy(balances=PURSES, lined=False))


class LinedDairy(Dairy):
    """A dairy whose chain begins with a line of all its instruments."""

    @cached_property
    def genesis(self) -> Genesis:
        """The genesis with a line and a permit."""
        return with_line(super().genesis)


def admit(town: Town, name: str, kind: str, plant: str = PLANT, operator: str = "mmu") -> PublicKey:
    """Register a device, and give its key."""
    until_ms = town.time_ms + 10**9
    device = PublicKey(key(name).public)
    body = RegisterDevice(device, kind, plant, town.address(operator), until_ms)
    assert town.do("regulator", body) == ""
    return device


def amend(
    town: Town,
    joining: list[PublicKey] | None = None,
    leaving: list[PublicKey] | None = None,
    who: str = "regulator",
    line: Hash = NAME,
) -> str:
    """Amend a line; give the receipt's code."""
    lists = (tuple(sorted(joining or ())), tuple(sorted(leaving or ())))
    return town.do(who, AmendLine(line, *lists))


def tampered(
    dairy: Dairy,
    device: SigningKey | None = None,
    seq: int = 0,
    t0_ms: int = RUN_STARTED_MS,
    *,
    boot: int = 1,
    tamper: bool = True,
) -> Envelope:
    """A reading of two samples that says its device was opened; the first meter's."""
    signer = device or dairy.meter_keys[0]
    samples = ((0, 5), (1_000, 6))
    reading = Reading(
        READING_VERSION, signer.public, boot, seq, t0_ms, Stream.VOLUME_TOTAL, Unit.MILLILITRE,
        samples, "cal-1", "fw-1", tamper, ZERO_HASH,
    )  # fmt: skip
    return sign_reading(reading, dairy.chain_id, signer)
