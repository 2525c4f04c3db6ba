"""Doubts: how long a lot may be contested, and what that holds (spec §12.6).

A new doubt is raised within the lot's window alone. While one stands, the window is open: what is
found out may be shown, what is locked stays locked, and the bond of the lot's MMU stays for as much
as the lot has. So nobody leaves while a question waits, and nobody keeps a window open for ever.
"""

from typing import Final

from msgspec.structs import replace

from ledger.errors.doubt import UnprovenLot, WindowOver
from ledger.params import Parameters
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey, address_of
from ledger.rules.lots import find_lot
from ledger.state.doubt import Doubts
from ledger.state.lines import Line
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import JudgedBy, Proven
from ledger.state.tables import DOUBTED, DOUBTS, PROVEN
from ledger.types.evidence import HeatProcess, MilkKind

_NONE: Final = Doubts(Address(bytes(32)), 0, 0, Units(0))


def judged_by(rules: Parameters, line: Line, kind: MilkKind) -> JudgedBy:
    """Give the limits that a window of a line is judged by today."""
    batch = line.process is HeatProcess.BATCH
    return JudgedBy(
        None if batch else rules.hold_mdegc(kind, line.process),
        rules.outlet_most_mdegc,
        line.flow_max_l_per_h,
        rules.density_mg_per_l,
    )


def find_proven(reader: Reader, lot: Hash) -> Proven:
    """Give what proved a lot; raise `UnprovenLot` if no window did."""
    find_lot(reader, lot)
    proven = PROVEN.get(reader, lot)
    if proven is None:
        raise UnprovenLot(lot=lot.hex())
    return proven


def is_contestable(reader: Reader, lot: Hash, proven: Proven, time_ms: int) -> bool:
    """Tell whether a lot may yet turn out to be false: in its window, or while a doubt stands."""
    return time_ms <= proven.contestable_until_ms or DOUBTS.get(reader, lot) is not None


def check_contestable(reader: Reader, lot: Hash, proven: Proven, time_ms: int) -> None:
    """Raise `WindowOver` once a lot is past doubt."""
    if not is_contestable(reader, lot, proven, time_ms):
        raise _over(lot, proven, time_ms)


def check_window(lot: Hash, proven: Proven, time_ms: int) -> None:
    """Raise `WindowOver` unless a new doubt about a lot may be raised."""
    if time_ms > proven.contestable_until_ms:
        raise _over(lot, proven, time_ms)


def _over(lot: Hash, proven: Proven, time_ms: int) -> WindowOver:
    return WindowOver(lot=lot.hex(), until_ms=proven.contestable_until_ms, time_ms=time_ms)


def questions_open(reader: Reader, lot: Hash) -> int:
    """Count the open questions about a lot."""
    return (DOUBTS.get(reader, lot) or _NONE).questions


def doubted_units(reader: Reader, address: Address) -> int:
    """Give how much milk of an MMU is in doubt, or for how many such lots an attestor signed."""
    return DOUBTED.get(reader, address) or 0


def count_doubts(overlay: Overlay, lot: Hash, *, challenges: int = 0, questions: int = 0) -> None:
    """Count doubts in, or out; the first holds the MMU's bond, and the last lets it go."""
    before = DOUBTS.get(overlay, lot)
    if before is None:
        found = find_lot(overlay, lot)
        # Nobody vouches for stock of the genesis.
        held = Units(found.units - found.false_units if found.vouched else 0)
        before = Doubts(found.mmu, 0, 0, held)
        _hold(overlay, Address(found.mmu), held)
        _hold_signers(overlay, lot, 1)
    after = replace(
        before,
        challenges=before.challenges + challenges,
        questions=before.questions + questions,
    )
    if after.challenges or after.questions:
        DOUBTS.put(overlay, after, lot)
        return
    DOUBTS.remove(overlay, lot)
    _hold(overlay, Address(before.mmu), -before.held_units)
    _hold_signers(overlay, lot, -1)


def _hold_signers(overlay: Overlay, lot: Hash, units: int) -> None:
    """Hold a unit of who signed for a lot while it is in doubt: none of its bond is given back."""
    proven = PROVEN.get(overlay, lot)
    for key in proven.attestors if proven is not None else ():
        _hold(overlay, address_of(PublicKey(key)), units)


def _hold(overlay: Overlay, mmu: Address, units: int) -> None:
    if not units:
        return
    if left := doubted_units(overlay, mmu) + units:
        DOUBTED.put(overlay, left, mmu)
    else:
        DOUBTED.remove(overlay, mmu)
