"""The works: plant, farms, instruments, gateway and chain go through virtual days together.

Nothing here decides what counts: readings go through the gateway's minter (`MinterCore`), an
attestor's judge and the ledger's law. What was minted is held against what truly flowed.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from iot_minting.gateway.collecting import MeterCollection
from iot_minting.gateway.cutting import WindowRules
from iot_minting.gateway.minting import Claim, MinterCore, Waits
from iot_minting.gateway.pieces import Piece
from ledger.errors.bundle import BundleFault
from ledger.evidence import Bundle, LineFacts, claim_window
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.keys import PublicKey
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.line import AmendLine
from ledger.types.registry import CalibrateDevice
from ledger.types.window import CollectMilk, WindowClaim
from tests.support.ledger.dairy import GENESIS_MS, PLANT
from tests.year.chain import CALIBRATED_MS, TANK, Chain
from tests.year.devices import Device
from tests.year.farms import MILKING_ML, MILKING_MS, MILKINGS, Farm
from tests.year.instruments import PLACES, Fitter
from tests.year.plant import DAY_MS, HOUR_MS, MINUTE_MS, Causes, DayPlan, Plant
from tests.year.reckoning import Reckoning

FARMS: Final = 4
TICK_MS: Final = 10 * MINUTE_MS
WINDOW_MS: Final = 2 * HOUR_MS
LITTLE_UNITS: Final = 50 * UNITS_PER_BILL
"""Who has more milk left after a claim wanted none for it."""
START_MS: Final = (GENESIS_MS // DAY_MS + 1) * DAY_MS


@dataclass
class Works:
    """Everything, from a seed and causes of trouble."""

    causes: Causes
    seed: int = 1
    silence_ms: int = HOUR_MS // 2
    milk_ms: int = 26 * HOUR_MS
    coarse: float = 1.0
    now_ms: int = START_MS
    waits: Counter = field(default_factory=Counter)
    happened: Counter = field(default_factory=Counter)
    """How often each trouble befell."""

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.plant = Plant()
        self.days = DayPlan(self.plant, self.causes, self.rng)
        self.farms = [Farm(number) for number in range(FARMS)]
        self.chain = Chain(FARMS, START_MS)
        self.fitter = Fitter(self.plant, self.chain, self.causes, self.seed, self.coarse)
        self.core = MinterCore(
            WindowRules(MilkKind.WHOLE, WINDOW_MS, self.silence_ms, self.milk_ms, 20_000),
            MINUTE_MS,
            START_MS,
        )
        self.outages: list[tuple[int, int]] = []
        self.lapses: list[tuple[int, int, int]] = []
        self.todo: list[tuple[int, object]] = []
        self.line_devices = [self.fitter.line_device(f"{k.value}-a", k, START_MS) for k in PLACES]
        self.spares = {Instrument.HOLD_THERMOMETER: 0, Instrument.OUTLET_THERMOMETER: 0}
        self.meters = [self.fitter.meter(farm, START_MS) for farm in self.farms]
        self.chain.register_line([each.public for each in self.line_devices])
        self.reckoning = Reckoning(self.plant)

    # Days.

    def day(self) -> None:
        """Go through one day."""
        seen = len(self.plant.events)
        day_ms = self.now_ms
        self._milk(day_ms)
        produced = None
        if day_ms > START_MS:
            begin_ms = day_ms + 8 * HOUR_MS + self.rng.randint(0, HOUR_MS)
            produced = self.days.day(day_ms, begin_ms)
        self._trouble(day_ms, produced)
        self.plant.settle(day_ms - DAY_MS)
        while self.now_ms < day_ms + DAY_MS:
            self._tick()
        self.happened.update(name for _, _, name in self.plant.events[seen:])

    def _milk(self, day_ms: int) -> None:
        for at_ms, _ in MILKINGS:
            for farm in self.farms:
                begun_ms = day_ms + at_ms + self.rng.randint(0, HOUR_MS // 2)
                volume_ml = MILKING_ML + self.rng.randint(-100_000, 100_000)
                farm.milk(begun_ms, volume_ml)
                if self._falls(self.causes.late):
                    half = begun_ms // (DAY_MS // 2)
                    self.happened["late milking"] += 1
                    self.fitter.late[farm.number, half] = self.rng.randint(HOUR_MS, 23 * HOUR_MS)
                if not self._is_lapsed(farm.number, begun_ms):
                    poured_ms = begun_ms + MILKING_MS + self.rng.randint(20, 60) * MINUTE_MS
                    self.plant.pour(poured_ms, volume_ml)

    def _is_lapsed(self, farm: int, at_ms: int) -> bool:
        return any(
            number == farm and from_ms <= at_ms < to_ms for number, from_ms, to_ms in self.lapses
        )

    def _trouble(self, day_ms: int, produced: tuple[int, int] | None) -> None:
        causes, number = self.causes, (day_ms - START_MS) // DAY_MS
        night_ms = day_ms + 2 * HOUR_MS
        if causes.exchanges and number % 7 == 3:
            self.todo.append((night_ms, self._exchange))
        if self._falls(causes.idle_restarts):
            self.todo.append((night_ms + HOUR_MS, self._restart))
        if causes.renewals and number % causes.renewals == causes.renewals - 1:
            self.todo.append((day_ms + 23 * HOUR_MS, self._renew))
        if self._falls(causes.lapses):
            farm, from_ms = self.rng.randrange(FARMS), day_ms + 12 * HOUR_MS
            self.happened["lapse"] += 1
            self.lapses.append((farm, from_ms, from_ms + DAY_MS))
            self.todo.append((from_ms, lambda at: self.chain.permit(farm, at)))
            until_ms = day_ms + 1_000 * DAY_MS
            self.todo.append(
                (
                    from_ms + DAY_MS,
                    lambda at: self.chain.permit(farm, min(until_ms, at + 399 * DAY_MS)),
                )
            )
            self._unpour(farm, from_ms)
        if produced is None:
            self.todo.sort(key=lambda each: each[0])
            return
        within_ms = self.rng.randint(produced[0] + 20 * MINUTE_MS, produced[1] - 10 * MINUTE_MS)
        if self._falls(causes.restarts):
            self.todo.append((within_ms, self._restart))
        if self._falls(causes.lost_journals):
            self.todo.append((within_ms, lambda at: self._restart(at, lost=True)))
        if self._falls(causes.outages):
            from_ms = produced[0] + self.rng.randint(-HOUR_MS, HOUR_MS // 2)
            self.outages = [(from_ms, from_ms + 3 * HOUR_MS)]
            self.plant.events.append((from_ms, from_ms + 3 * HOUR_MS, "outage"))
        self.todo.sort(key=lambda each: each[0])

    def _unpour(self, farm: int, from_ms: int) -> None:
        """Take back that this evening's milk of a farm is poured, whose permit has lapsed."""
        begun_ms = self.farms[farm].begun_ms[-1]
        assert begun_ms >= from_ms
        volume = self.farms[farm].total_ml - self.farms[farm].before_ml[-1]
        for place in range(len(self.plant.pour_ms) - 1, -1, -1):
            near = self.plant.pour_ms[place] >= begun_ms
            if near and self.plant.poured[place] == volume:
                del self.plant.pour_ms[place], self.plant.poured[place]
                return
        raise AssertionError("it was poured")

    def _falls(self, often: int) -> bool:
        return self.rng.random() * 100 < often

    def _exchange(self, at_ms: int) -> None:
        """Put a newly calibrated thermometer in the place of one."""
        kind = self.rng.choice(sorted(self.spares))
        self.spares[kind] += 1
        self.happened["exchange"] += 1
        new = self.fitter.line_device(f"{kind.value}-{self.spares[kind]}", kind, self.now_ms)
        old = next(each for each in self.line_devices if each.kind is kind and each.powered)
        new.next_ms = at_ms - 10_000
        self.chain.must("regulator", AmendLine(self.chain.line_id, (new.public,), (old.public,)))
        self.line_devices.append(new)
        self.todo.append((at_ms + 30 * MINUTE_MS, lambda at: self._put_away(old, at)))
        self.todo.sort(key=lambda each: each[0])

    def _put_away(self, device: Device, at_ms: int) -> None:
        device.sign(at_ms, self.outages)
        device.powered = False

    def _restart(self, at_ms: int, *, lost: bool = False) -> None:
        device = self.rng.choice([each for each in self.line_devices if each.powered])
        device.restart(at_ms, 20_000, self.outages, lost=lost)
        self.plant.events.append((at_ms, at_ms + 20_000, "lost journal" if lost else "restart"))

    def _renew(self, at_ms: int) -> None:
        self.happened["renewal"] += 1
        devices = [each for each in self.line_devices if each.powered] + self.meters
        for device in devices:
            body = CalibrateDevice(device.public, at_ms + CALIBRATED_MS)
            self.chain.must("regulator", body)

    # Time.

    def _tick(self) -> None:
        until_ms = self.now_ms + TICK_MS
        while self.todo and self.todo[0][0] < until_ms:
            at_ms, act = self.todo.pop(0)
            self._measure(at_ms)
            self.chain.time_ms = at_ms
            act(at_ms)
        self._measure(until_ms)
        self.now_ms = self.chain.time_ms = until_ms
        for _ in range(30):
            if not self._step():
                break

    def _measure(self, until_ms: int) -> None:
        for device in (*self.line_devices, *self.meters):
            device.run(until_ms, self.outages)
            device.deliver(until_ms)

    def _pieces(self, device: PublicKey, number: tuple[int, int], since_ms: int) -> list[Piece]:
        return self._by_key()[device].after(number, since_ms)

    def _by_key(self) -> dict[PublicKey, Device]:
        return {each.public: each for each in (*self.line_devices, *self.meters)}

    def _step(self) -> bool:
        """Let the gateway decide and the chain answer; tell whether anything moved."""
        devices = self._by_key()
        actions = self.core.step(
            self.now_ms,
            self.chain.facts(),
            self._pieces,
            lambda device: devices[device].arrival_ms,
            frozenset(),
        )
        moved = False
        for action in actions:
            match action:
                case Waits(reason=reason):
                    self.waits[reason] += 1
                case MeterCollection():
                    moved |= self._collect(action)
                case Claim():
                    moved |= self._claim(action)
                case _:
                    raise AssertionError(action)
        return moved

    def _collect(self, action: MeterCollection) -> bool:
        meter = action.meter
        body = CollectMilk(
            self.chain.mmu,
            PLANT,
            TANK,
            meter.key,
            Units(action.units),
            action.first,
            action.last,
        )
        return self._sent(meter.key, self.chain.try_do(body))

    def _claim(self, action: Claim) -> bool:
        claim, bundle = action.cut.claim, dict(action.cut.bundle)
        before, facts = self.chain.line(), self.chain.line_facts()
        try:
            body = self.chain.minting(claim, bundle)
        except BundleFault as fault:
            self.waits[f"attestor: {fault.code}"] += 1
            self.core.refused(action.line, self.now_ms)
            return False
        done = self._sent(action.line, self.chain.try_do(body))
        if done:
            flow = next(e for e in self.line_devices if e.kind is Instrument.FLOW_METER)
            short_ml = self._short_of(claim, bundle, facts)
            self.reckoning.take(claim, flow, before.through_ms, self.now_ms, short_ml)
        return done

    def _short_of(self, claim: WindowClaim, bundle: Bundle, facts: LineFacts) -> int:
        """Give what a claim left out for want of milk in the tank."""
        tank = self.chain.facts().tanks[self.chain.tank_id]
        left = sum(milk.units for milk in tank if milk.last_ms <= claim.to_ms)
        if not claim.counted_steps or left > LITTLE_UNITS:
            return 0
        silent = {each.device for each in claim.devices if each.silent}
        whole = claim_window(facts, bundle, claim.kind, claim.to_ms, silent=silent)
        return whole.counted_steps - claim.counted_steps

    def _sent(self, subject: bytes, code: str) -> bool:
        if code:
            self.core.refused(subject, self.now_ms)
            return False
        self.core.brought(subject)
        return True
