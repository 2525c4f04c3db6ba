"""The place of a state in its chain: what none of its records can be beyond.

An audit without a place still looks at everything that the records say of each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.primitives.hashing import Hash


@dataclass(frozen=True, slots=True)
class Place:
    """The block that a state stands after, and the committees that headers commit to, by epoch."""

    chain_id: Hash
    height: int
    time_ms: int
    committees: Mapping[int, Hash]
