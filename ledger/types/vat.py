"""Vats: what a line's window leaves to the next one of the hold that a vat stands under.

It is a word of the attestors, as the intervals are: what it rests on stands in all readings. The
chain keeps it between a line's windows, so that a hold and its drain may stand in several.
"""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.keys import WirePublicKey
from ledger.primitives.scalars import Counter, Millis
from ledger.types.line import PLACE_DEVICES_MAX


class GaugeLow(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The lowest that a gauge showed of a vat since its hold began.

    `whole_units` is the lowest of what stood in the vat and what had drained from it, together.
    """

    device: WirePublicKey
    level_units: WireUnits
    whole_units: WireUnits


class VatState(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A vat's hold where a window ends; a vat that nothing was held in has none.

    - `least_mdegc`: the least temperature that it was judged by.
    - `still_ms`: since when all of it stood hot, with nothing flowing and no gauge rising; 0 if it
      does not. A half hour of that makes a hold.
    - `hot_ms`: until when it was hot after its half hour; 0 while nothing may drain.
    - `since_ms`: since when nothing came into what may drain; 0 while nothing may.
    - `drained_steps`: what has flowed since, counted or not, in steps of the flow meter.
    - `gauges`: the lowest of each gauge, by ascending key.
    """

    least_mdegc: Annotated[int, Meta(ge=-(2**31), le=2**31)]
    still_ms: Millis
    hot_ms: Millis
    since_ms: Millis
    drained_steps: Counter
    gauges: Annotated[tuple[GaugeLow, ...], Meta(min_length=1, max_length=PLACE_DEVICES_MAX)]

    @property
    def may_drain(self) -> bool:
        """Tell whether its half hour is over, and its drain is not."""
        return self.hot_ms > 0
