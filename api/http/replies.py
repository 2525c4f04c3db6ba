"""What a handler answers with: a struct, a `Reply` with more to it, or a response as it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.responses import Response


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in JSON; status 0 is the route's own."""

    body: object
    status: int = 0
    headers: Mapping[str, str] | None = None


Answer = msgspec.Struct | Reply | Response
