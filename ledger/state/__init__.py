"""State: one flat key space, overlays over it, a hash over all of it, and typed tables.

`Reader` is what anything that holds state offers; `Overlay` collects changes on top of one and
can take them back; `lattice` folds keys and values into one accumulator; `tables` is the one
place that knows which record stands under which key. The records' shapes are in `records`,
`dairy`, `market` and `stakes`; `parties` says whose a record is.
"""

from ledger.state.lattice import ACCUMULATOR_BYTES, EMPTY_ACCUMULATOR, state_root
from ledger.state.overlay import EMPTY, Overlay, Reader

__all__ = [
    "ACCUMULATOR_BYTES",
    "EMPTY",
    "EMPTY_ACCUMULATOR",
    "Overlay",
    "Reader",
    "state_root",
]
