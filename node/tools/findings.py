"""What an audit found: where something is wrong, and what. A bounded list, so that a ruined disk
does not fill the screen.
"""

from typing import Final

from msgspec import Struct

FINDINGS_MAX: Final = 200


class Finding(Struct, frozen=True):
    """One thing that does not hold."""

    where: str
    what: str


class Findings:
    """Collects findings; those beyond `FINDINGS_MAX` are only counted."""

    def __init__(self) -> None:
        self.told: list[Finding] = []
        self.count = 0

    def tell(self, where: str, what: str) -> None:
        """Note that something does not hold."""
        self.count += 1
        if len(self.told) < FINDINGS_MAX:
            self.told.append(Finding(where, what))
