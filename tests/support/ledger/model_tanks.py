"""The model's raw milk: what meters counted, what farms permitted, and tanks as lists of portions.

Part of `tests.support.ledger.model`, which has the clock. No meter is ever stopped, and each farm
has one: so no milk is void but what is condemned.
"""

import copy
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.ledger.dairy import bill
from tests.support.ledger.model_trade import DAY

HOUR = DAY // 24
LATE, AGE, LAPSE = 36 * HOUR, 72 * HOUR, 96 * HOUR
"""How old milk may be when it is collected, when it is pasteurized, and when it is gone."""
SKEW = 120_000
METER_L_PER_H = 60_000
DEBTS_MAX = GAPS_MAX = 8
STEP = 1_000
"""Units in a millilitre, which is a step of every total here."""


@dataclass
class Stretch:
    """What a farm's meter counted from one time to another."""

    farm: str
    start: int
    end: int
    units: int
    used: bool = False


@dataclass
class Portion:
    """Milk in a tank: until when, and since when, a farm's meter counted it."""

    last: int
    first: int
    meter: bytes
    farm: str
    units: int


def metered(before, not_before=0):
    return lambda portion: portion.last <= before and portion.first >= not_before


@dataclass
class Tank:
    """A tank; it is `there` once a line drew from it, and has a name once milk came in."""

    portions: list = field(default_factory=list)
    debts: dict = field(default_factory=dict)
    gone: Counter = field(default_factory=Counter)
    there: bool = False
    named: bool = False

    @property
    def held(self):
        return sum(portion.units for portion in self.portions)

    def take(self, units, fits=lambda portion: True):
        """Take up to so many units out, oldest first; give the parts."""
        taken = []
        for portion in self.portions:
            part = min(portion.units, units) if fits(portion) else 0
            units -= part
            portion.units -= part
            if part:
                taken.append(Portion(**{**vars(portion), "units": part}))
        self.portions = [portion for portion in self.portions if portion.units]
        return taken

    def lapse(self, now):
        limit = max(0, now - LAPSE)

        def is_old(portion):
            return portion.first < limit and portion.last // HOUR * HOUR <= limit

        self.gone["lapsed"] += sum(part.units for part in self.take(self.held, is_old))

    def put(self, portion):
        """Let milk in; what flowed of its time and was not there is paid first."""
        self.there = self.named = True
        for until in sorted(self.debts):
            paid = min(self.debts[until], portion.units) if portion.last <= until else 0
            portion.units -= paid
            self.debts[until] -= paid
            self.gone["lost"] += paid
        self.debts = {until: owed for until, owed in self.debts.items() if owed}
        if portion.units:
            self.portions.append(portion)
            self.portions.sort(key=lambda each: (each.last, each.first, each.meter))

    def lose(self, units, before):
        """Let what flowed and did not count go; owe what is not there."""
        self.there = True
        lost = sum(part.units for part in self.take(units, metered(before)))
        self.gone["lost"] += lost
        if lost == units:
            return
        self.debts[before] = self.debts.get(before, 0) + units - lost
        kept = [each for each in sorted(self.debts.items()) if each[0] >= before - LAPSE - SKEW]
        while len(kept) > DEBTS_MAX:
            kept[:2] = [(kept[1][0], kept[0][1] + kept[1][1])]
        self.debts = dict(kept)

    def lacks(self, units):
        """Say what is wrong with taking so much, empty if it is there."""
        if not self.named:
            return "unknown_tank"
        return "short_tank" if units > self.held else ""


class TankModel:
    """What becomes of raw milk."""

    def consent(self, farm, since, until):
        """Give the terms at the end under which a meter counted, None if there were gaps."""
        own, shared = self.permits.get((farm, True), []), self.permits.get((farm, False), [])
        ends = own[0][0] if own else 2**53
        terms = [(begin, min(end, ends), *rest) for begin, end, *rest in shared] + own
        last = next((each for each in terms if each[0] <= until < each[1]), None)
        begins = last[0] if last else until + 1
        while last and begins > since:
            before = [each for each in terms if each[0] < each[1] == begins]
            if not before:
                return None
            begins = before[0][0]
        return last

    def collect(self, who, stretch):
        farm, since, until = stretch.farm, stretch.start, stretch.end
        if since < self.time - LATE or until > self.time + SKEW:
            return "outside_run"
        if (stretch.units - STEP) * HOUR > bill(METER_L_PER_H) * (until - since):
            return "too_fast"
        terms = self.consent(farm, since, until)
        if not terms or who not in ("mmu", terms[3]):
            return "not_permitted"
        own = self.permits.get((farm, True))
        days = self.days[farm, bool(own and own[0][0] <= until)]
        units = min(stretch.units, self.day_left(days, until // DAY, bill(terms[2])))
        if units <= 0:
            return "day_full"
        if stretch.used:
            return "used_readings"
        stretch.used = True
        if self.gaps(farm) > GAPS_MAX:
            stretch.used = False
            return "too_many_gaps"
        days[until // DAY] += units
        self.came += units
        tank = self.tanks["tank-1"]
        tank.lapse(self.time)
        tank.put(Portion(until, since, self.keys[f"meter-{farm[-1]}"], farm, units))
        return ""

    @staticmethod
    def day_left(days, day, most):
        """A day has what it did not use of the day before, unless the day after did."""
        allowed = most + max(0, most - days[day - 1])
        if days[day + 1] > most:
            allowed = min(allowed, 2 * most - days[day + 1])
        return allowed - days[day]

    def gaps(self, farm):
        """Count what was passed over of a meter and may be collected yet."""
        mine = [each for each in self.stretches if each.farm == farm]
        places = [place for place, each in enumerate(mine) if each.used]
        first, *_ = places
        passed = [first, *(b for a, b in pairwise(places) if b - a > 1)]
        return sum(mine[place].start >= self.time - LATE for place in passed)

    def move_milk(self, who, source, into, units):
        if who != "mmu":
            return "role_missing"
        if not units:
            return "zero_units"
        if source == into:
            return "same_tank"
        tank = self.tanks[source]
        if code := tank.lacks(units):
            return code
        lapsed = copy.deepcopy(tank)
        lapsed.lapse(self.time)
        if code := lapsed.lacks(units):
            return code
        self.tanks[source], target = lapsed, self.tanks[into]
        lapsed.gone["moved"] += units
        target.lapse(self.time)
        for part in lapsed.take(units):
            target.put(part)
        return ""

    def lose_raw(self, who, name, units, fate):
        """Spill or condemn milk of a tank; only its MMU spills."""
        tank = copy.deepcopy(self.tanks[name])
        if not units:
            return "zero_units"
        if not tank.there:
            return "unknown_lot"
        if code := tank.lacks(units):
            return code
        if fate == "lost" and who != "mmu":
            return "foreign_tank"
        tank.lapse(self.time)
        if code := tank.lacks(units):
            return code
        tank.take(units)
        tank.gone[fate] += units
        self.tanks[name] = tank
        return ""

    def flow_out(self, claim):
        """Draw what a window counted, and lose the rest; give the tank then, and whose it was.

        None for the tank if that lacks what counted.
        """
        tank, farms = copy.deepcopy(self.tanks["tank-1"]), Counter()
        for each in claim.intervals:
            taken = tank.take(each.steps * STEP, metered(each.from_ms, max(0, each.to_ms - AGE)))
            if sum(part.units for part in taken) < each.steps * STEP:
                return None, {}
            for part in taken:
                farms[part.farm] += part.units
        tank.gone["drawn"] += claim.units
        if claim.lost_steps:
            tank.lose(claim.lost_steps * STEP, claim.to_ms)
        tank.there = tank.there or bool(claim.intervals)
        return tank, {farm: farms[farm] for farm in sorted(farms, key=self.keys.__getitem__)}

    def what_fits(self, intervals):
        """Choose of what flowed what is fresh yet and in the tank: (place, steps)."""
        tank = copy.deepcopy(self.tanks["tank-1"])
        for place, each in enumerate(intervals):
            fits = metered(each.from_ms, max(0, each.to_ms - AGE))
            there = sum(portion.units for portion in tank.portions if fits(portion))
            steps = min(each.steps, there // STEP)
            if steps and each.from_ms >= self.time - DAY:
                tank.take(steps * STEP, fits)
                yield place, steps
