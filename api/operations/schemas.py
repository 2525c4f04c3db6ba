"""The service itself, in JSON: life, readiness, problem codes."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Life(msgspec.Struct, frozen=True):
    """A sign of life."""

    status: str


class PartView(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a part works, and why not."""

    ready: bool
    reason: str | None


class ReadinessView(msgspec.Struct, frozen=True, rename="camel"):
    """Whether payments can be taken, and why not."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ready", "not_ready"]})]
    reason: Annotated[str | None, Meta(description="The first part that isn't ready.")]
    parts: dict[str, PartView]
    settled_height: int
    lag_blocks: int
    chain_clock_ahead_ms: Annotated[
        int, Meta(description="How far the chain's time is ahead of real time.")
    ]


class CodeView(msgspec.Struct, frozen=True, rename="camel"):
    """A problem's code."""

    code: str
    status: int
    title_en: str
    title_ms: str
    meaning: str
    remedy: str
