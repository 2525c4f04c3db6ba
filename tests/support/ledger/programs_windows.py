"""Rules of random programs for windows that prove nothing here: whatever happened before.

No program registers the line, so each must be refused, and leave no trace but its fee. What windows
do that hold is tried by `tests.unit.ledger` and, for any readings, by `tests.property`.
"""

import hypothesis.strategies as st
from hypothesis.stateful import rule

from ledger.types.window import MintWindow, ReleaseShare, RollWindow
from tests.support.ledger.programs import DAIRY, NONE, picks
from tests.support.ledger.window import WindowLine

senders = st.sampled_from(["mmu", "bob"])


def _stray() -> MintWindow:
    """A window of a line that is never registered, attested by all."""
    line, state = WindowLine(DAIRY, name="line-9"), DAIRY.state()
    line.register(state)
    line.run(60)
    return line.mint(state, line.claim(state))


WINDOW = _stray()


class WindowPrograms:
    """Mixed into the machine, which sends and compares."""

    @rule(who=senders)
    def claim_a_window(self, who):
        self.send(who, WINDOW, lambda: "unknown_line" if who == "mmu" else "role_missing")

    @rule(who=senders)
    def roll_onto_a_window(self, who):
        body = RollWindow(NONE, WINDOW)
        self.send(who, body, lambda: "unknown_lot" if who == "mmu" else "role_missing")

    @rule(who=senders, lot=picks)
    def release_a_share(self, who, lot):
        self.send(who, ReleaseShare(self.pick(self.model.lots, lot)), lambda: "no_share")
