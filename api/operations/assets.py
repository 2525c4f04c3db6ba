"""Pages that the package carries: they load nothing from elsewhere."""

from functools import cache
from importlib.resources import files
from typing import Final

PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def asset(name: str) -> str:
    """Read a page of the package."""
    return files("api.web").joinpath(name).read_text("utf-8")
