"""Counts and times that every floor speaks of, with the bounds that they have on the wire.

A name without `Wire` is a plain type; one that is `Annotated` is checked when it is decoded. All
bounds but that of heights are 2**53, so that other languages' floats can hold the numbers.
"""

from typing import Annotated, NewType

from msgspec import Meta

Epoch = NewType("Epoch", int)
"""The number of a committee's time in office (spec §4.2)."""
View = NewType("View", int)
"""The number of one leader's turn within an epoch."""

Counter = Annotated[int, Meta(ge=0, le=2**53)]
"""A count, or a number that only rises."""
Millis = Annotated[int, Meta(ge=0, le=2**53)]
"""Milliseconds: since 1970 in UTC as a time, otherwise a span."""
Height = Annotated[int, Meta(ge=0, le=2**63 - 1)]
"""A block's distance from the genesis."""
WireEpoch = Annotated[Epoch, Meta(ge=0, le=2**53)]
WireView = Annotated[View, Meta(ge=0, le=2**53)]
