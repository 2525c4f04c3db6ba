"""What final blocks say, as an attestor needs it: asked of its node, believed of nobody else."""

from dataclasses import dataclass
from typing import Protocol

from ledger.evidence import LineFacts
from ledger.primitives.hashing import Hash


@dataclass(frozen=True, slots=True)
class FinalFacts:
    """A line as of the final block of a height; None if there is no such line."""

    height: int
    facts: LineFacts | None


class FactsSource(Protocol):
    """Where facts come from. Both raise a `ClientFault` if no node answers."""

    async def line(self, line: Hash) -> FinalFacts:
        """Give a line as of the last final block."""

    async def contestable_until_ms(self, lot: Hash) -> int | None:
        """Tell until when a lot may be doubted; None if there is no such lot."""
