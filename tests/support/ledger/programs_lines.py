"""Rules of random programs for lines, stops and permits."""

import hypothesis.strategies as st
from hypothesis.stateful import rule

from ledger.primitives.keys import PublicKey
from ledger.rules.permits import ALL_METERS
from ledger.state.lines import FOR_EVER_MS, PERMIT_TERMS_MAX
from ledger.state.records import NOBODY
from ledger.types.evidence import Instrument
from ledger.types.line import (
    AmendLine,
    ClearDevice,
    PermitCollector,
    RegisterLine,
    ReportTamper,
    StopDevice,
    line_id,
)
from tests.support.ledger.dairy import NOW_MS, PLANT, key
from tests.support.ledger.lines import register, tampered
from tests.support.ledger.model_trade import DAY
from tests.support.ledger.programs import ADDRESS, DAIRY, FARMS, HOUR, OTHER_LINE, mostly

LINE: RegisterLine = register(DAIRY, line="line-2", tank="tank-2", devices=OTHER_LINE)
NAME = line_id(PLANT, "line-2")
GAUGE = PublicKey(key(f"other-{Instrument.TANK_GAUGE}").public)
regulators = st.sampled_from(["regulator"] * 3 + ["mmu", "bob"])
numbers = st.integers(0, 3)
LATE = DAIRY.genesis.parameters.collection_late_ms_max


class LinePrograms:
    """Mixed into the machine, which sends and compares."""

    @rule(who=regulators)
    def register_line(self, who):
        def decide():
            if who != "regulator":
                return "role_missing"
            if self.model.line:
                return "known_line"
            self.model.line = {"since": self.model.time, "gauge": "on"}
            return ""

        self.send(who, LINE, decide)

    @rule(who=regulators, joins=st.booleans())
    def amend_line(self, who, joins):
        """The gauge, without which the line may do, leaves or joins."""
        m = self.model

        def decide():
            line = m.line
            if not line:
                return "unknown_line"
            if who == "bob" or (who == "mmu" and joins):
                return "role_missing"
            if joins:
                taken = line["gauge"] != "off"
                line["gauge"] = line["gauge"] if taken else "on"
                return "device_taken" if taken else ""
            if line["gauge"] != "on":
                return "not_on_line"
            if who == "mmu":
                return "wrong_places"
            line["gauge"] = "off" if line["since"] == m.time else "left"
            return ""

        gauge = (GAUGE,)
        self.send(who, AmendLine(NAME, *((gauge, ()) if joins else ((), gauge))), decide)

    # Stops of spare devices, which the machine's rule for devices admits and revokes.

    def stopped(self, pick):
        """When a spare device was stopped; a revoked one at some time after all of these stops."""
        revoked = self.model.devices.get(pick) == "revoked"
        return self.model.stops.get(pick, NOW_MS if revoked else FOR_EVER_MS)

    def stop_at(self, pick, since):
        if self.stopped(pick) <= since:
            return "stopped_already"
        self.model.stops[pick] = since
        return ""

    @rule(who=regulators, pick=st.integers(0, 2), back=numbers)
    def stop(self, who, pick, back):
        since = NOW_MS - 10 - back

        def decide():
            if who != "regulator":
                return "role_missing"
            known = pick in self.model.devices
            return self.stop_at(pick, since) if known else "device_unregistered"

        self.send(who, StopDevice(key(f"spare-{pick}").public, since), decide)

    @rule(pick=st.integers(0, 2), seq=numbers, back=numbers, tamper=mostly)
    def report(self, pick, seq, back, tamper):
        since, m = NOW_MS - 10 - back, self.model
        body = ReportTamper(tampered(DAIRY, key(f"spare-{pick}"), seq, since, tamper=tamper))
        fee = DAIRY.intent(body, key("alice"), self.nonces["alice"]).fee_units

        def decide():
            if pick not in m.devices:
                return "device_unregistered"
            if not tamper:
                return "no_tampering"
            # Its samples end a second later; two calibrations stand on record.
            if seq <= m.cleared.get(pick, -1) or since + 1_000 < min(m.calibrated[pick][-2:]):
                return "cleared_report"
            first = self.stopped(pick) == FOR_EVER_MS
            code = self.stop_at(pick, since)
            if first and not code:
                m.fee("alice", -fee)
            return code

        self.send("alice", body, decide)

    @rule(pick=st.integers(0, 2), seq=numbers)
    def clear(self, pick, seq):
        m = self.model

        def decide():
            if m.devices.get(pick) != "good":
                return "device_revoked" if pick in m.devices else "device_unregistered"
            if self.stopped(pick) == FOR_EVER_MS:
                return "not_stopped"
            if seq < m.cleared.get(pick, -1):
                return "number_before"
            del m.stops[pick]
            m.cleared[pick] = seq
            return ""

        self.send("regulator", ClearDevice(key(f"spare-{pick}").public, 1, seq), decide)

    @rule(
        farm=st.integers(0, 2), own=st.booleans(), hours=st.sampled_from([0, 1, 50, 9_601]),
        collector=st.sampled_from(["", "alice"]), litres=st.sampled_from([30, 2_000]),
    )  # fmt: skip
    def permit(self, farm, own, hours, collector, litres):
        m, name = self.model, (FARMS[farm], own)
        meter = PublicKey(key(f"meter-{farm}").public) if own else ALL_METERS
        until = m.time + hours * HOUR
        who = ADDRESS.get(collector, NOBODY)
        body = PermitCollector(ADDRESS["mmu"], meter, who, litres, until)

        def decide():
            if until > m.time + 400 * DAY:
                return "permit_too_long"
            terms = m.permits.setdefault(name, [])
            if until <= m.time:
                if not terms and own:
                    terms.append((m.time, m.time, litres, collector))
                    return ""
                if not terms or terms[-1][1] <= m.time:
                    return "no_permit"
                terms[-1] = (terms[-1][0], m.time, *terms[-1][2:])
                return ""
            while len(terms) > 1 and terms[1][0] <= m.time - LATE:
                terms.pop(0)
            if len(terms) > PERMIT_TERMS_MAX:
                return "too_many_terms"
            if terms:
                terms[-1] = (terms[-1][0], min(terms[-1][1], m.time), *terms[-1][2:])
            terms.append((m.time, until, litres, collector))
            return ""

        self.send(FARMS[farm], body, decide)
