"""The chain of the simulated plant: the ledger's own law on one state, a block for each body."""

from types import SimpleNamespace
from typing import Final

from msgspec.structs import replace

from iot_minting.gateway.facts import ChainFacts
from iot_minting.gateway.views import read_meter, read_tank
from iot_minting.wire.line_facts import read_facts
from ledger.evidence import LineFacts, check_window, claimed_envelopes, evidence_root
from ledger.params import DAY_MS, default_parameters
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import PublicKey, address_of
from ledger.state.records import NOBODY
from ledger.state.tables import DEVICES, LINES, MILK_TANKS
from ledger.types.evidence import HeatProcess, Instrument
from ledger.types.line import PermitCollector, RegisterLine, line_id
from ledger.types.milk import tank_id
from ledger.types.registry import RegisterDevice
from ledger.types.window import MintWindow, WindowAttestation, WindowClaim
from node.shell.rpc.lines import device_view, line_view, milk_tank_view, permit_views
from tests.support.ledger.dairy import PLANT, Dairy, bill, key
from tests.support.ledger.town import Town

LINE: Final = "line-of-the-year"
TANK: Final = "raw"
FOREVER_MS: Final = 2**53
CALIBRATED_MS: Final = 180 * DAY_MS
FLOW_MAX_L_PER_H: Final = 10_000


class Chain(Town):
    """A town with one line, its farms' permits, and what a gateway asks of it."""

    def __init__(self, farms: int, start_ms: int) -> None:
        rules = default_parameters(development=True)
        rules = replace(rules, challenge_window_ms=14 * DAY_MS)
        purses = {f"farm-{number}": bill(100) for number in range(farms)}
        dairy = Dairy(
            farms=farms,
            parameters=rules,
            bond=bill(500_000),
            flow_max_l_per_h=FLOW_MAX_L_PER_H,
            balances={**purses, "mmu": bill(100_000), "regulator": bill(100_000)},
        )
        super().__init__(dairy)
        self.time_ms = start_ms
        self.farms = [address_of(each.public) for each in dairy.farm_keys]
        self.mmu = address_of(dairy.mmu.public)
        self.line_id = line_id(PLANT, LINE)
        self.tank_id = tank_id(self.mmu, PLANT, TANK)
        self.devices: dict[PublicKey, Instrument] = {}
        self.refusals: dict[str, int] = {}

    def register(self, name: str, kind: Instrument) -> PublicKey:
        """Admit a device."""
        device = key(name)
        flow = FLOW_MAX_L_PER_H if kind is Instrument.FLOW_METER else 0
        self.must(
            "regulator",
            RegisterDevice(
                device.public, kind.value, PLANT, self.mmu, self.time_ms + CALIBRATED_MS, flow
            ),
        )
        return device.public

    def register_line(self, devices: list[PublicKey]) -> None:
        """Admit the line, and let every farm permit its milk."""
        body = RegisterLine(
            PLANT,
            LINE,
            self.mmu,
            HeatProcess.CONTINUOUS,
            FLOW_MAX_L_PER_H,
            0,
            TANK,
            tuple(sorted(devices)),
        )
        self.must("regulator", body)
        for number in range(len(self.farms)):
            self.permit(number, self.time_ms + 399 * DAY_MS)

    def permit(self, farm: int, until_ms: int) -> None:
        """Let a farm's milk be collected up to a time."""
        body = PermitCollector(self.mmu, PublicKey(ZERO_HASH), NOBODY, 10_000, until_ms)
        self.must(f"farm-{farm}", body)

    def must(self, who: str, body: object) -> None:
        """Have a body done that nothing may refuse."""
        code = self.do(who, body)
        assert code == "", (type(body).__name__, code)

    def try_do(self, body: object) -> str:
        """Have the MMU send a body; count what it is refused for."""
        code = self.do("mmu", body)
        if code:
            name = f"{type(body).__name__}: {code}"
            self.refusals[name] = self.refusals.get(name, 0) + 1
        return code

    def minting(self, claim: WindowClaim, bundle: dict) -> MintWindow:
        """Have a window attested: one attestor's judge looks at all, the others' would as well."""
        check_window(self.line_facts(), claim, bundle)
        envelopes = claimed_envelopes(claim, bundle)
        given = []
        for attestor in self.dairy.attestor_keys:
            root = evidence_root(attestor.public, envelopes)
            signature = attestor.sign(claim.signing_bytes(self.dairy.chain_id, root))
            given.append(WindowAttestation(attestor.public, root, signature))
        return MintWindow(claim, tuple(given))

    # What a gateway asks, by the node's own views.

    def _store(self) -> SimpleNamespace:
        head = SimpleNamespace(height=self.height, time_ms=self.time_ms)
        return SimpleNamespace(get=self.state.get, head=lambda: head, records=self._records)

    def _records(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        raw = self.state.get(prefix + ZERO_HASH)
        return [(prefix + ZERO_HASH, raw)] if raw else []

    def line_facts(self) -> LineFacts:
        """Give what final blocks say of the line."""
        return read_facts(line_view(self._store(), self.line_id))

    def facts(self) -> ChainFacts:
        """Give all that the gateway acts by."""
        store, line = self._store(), self.line_facts()
        meters = {}
        for farm, meter in zip(self.farms, self.dairy.meter_keys, strict=True):
            view, permits = device_view(self.state, meter.public), permit_views(store, farm, 100)
            meters[meter.public] = read_meter(view, permits, self.mmu, TANK, self.time_ms)
        tank = milk_tank_view(store, self.tank_id, 10_000)
        milk = read_tank(tank, lambda device, at_ms: False) if tank else ()
        return ChainFacts(
            self.mmu,
            self.height,
            self.time_ms,
            line.rules,
            {self.line_id: line},
            {self.tank_id: milk},
            meters,
            tuple(each.public for each in self.dairy.attestor_keys),
        )

    def tank(self):
        """Give the tank's record."""
        return MILK_TANKS.get(self.state, self.tank_id)

    def line(self):
        """Give the line's record."""
        return LINES.get(self.state, self.line_id)

    def device(self, name: PublicKey):
        """Give a device's record."""
        return DEVICES.get(self.state, name)

    @property
    def chain_id(self) -> Hash:
        """Give the chain's id."""
        return self.dairy.chain_id
