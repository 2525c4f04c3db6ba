"""The body of governance: one number of the law, changed at a height, within its hard bounds."""

from typing import Annotated

from msgspec import Meta, Struct

from ledger.primitives.scalars import Counter


class SetParameter(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="set_parameter"
):
    """Let a parameter have a value from a height on. The sender is a regulator."""

    key: Annotated[str, Meta(min_length=1, max_length=64)]
    value: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    height: Counter


GovernanceBody = SetParameter
"""What a transaction of this family carries."""
