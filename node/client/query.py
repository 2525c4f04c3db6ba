"""One row of the table of what can be asked of a node: `Query`.

Invariant: what `url` writes, `read` reads back. The rows themselves are in `node.client.queries`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Generic, TypeVar
from urllib.parse import quote, urlencode

from msgspec import structs

from node.client.parameters import Parameter, Prefix, Value
from node.client.requests import Request

R_co = TypeVar("R_co", bound=Request, covariant=True)
A_co = TypeVar("A_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Generic[R_co, A_co]):
    """One row: how a query is named, asked and answered.

    The node's backend has a method of this `name`, which takes the fields of `request`. The values
    of `parameters` fill these fields in order; the HTTP process itself uses those that are over.
    """

    name: str
    request: type[R_co]
    answer: type[A_co]
    """What HTTP gives: a view (or a list), or the bytes of a `media` of their own."""
    path: str
    summary: str
    method: str = "GET"
    parameters: tuple[Parameter, ...] = ()
    media: str = ""
    """The answer's media type; empty for views, which are JSON or MessagePack as is asked."""
    under: str = ""
    """The name that a list stands under in JSON."""
    faults: tuple[tuple[HTTPStatus, str], ...] = ()
    """Status and code of what can go wrong, beside what can with any query."""

    def url(self, request: Request, *more: Value) -> str:
        """Write the path and query string that ask for a request; defaults are left out."""
        values = (*structs.astuple(request), *more)
        path, asked = self.path, {}
        for parameter in self.parameters:
            parts, values = values[: parameter.form.parts], values[parameter.form.parts :]
            text = parameter.form.write(*parts)
            if f"{{{parameter.name}}}" in path:
                path = path.replace(f"{{{parameter.name}}}", quote(text))
            elif parts != parameter.default:
                asked[parameter.name] = text
        assert not values, f"{self.name} has a parameter for each value"
        return f"{path}?{urlencode(asked)}" if asked else path

    def read(self, texts: Mapping[str, str], prefix: Prefix) -> tuple[R_co, tuple[Value, ...]]:
        """Read a URL's texts: the request, and the values that are over; raise `BadParameter`."""
        values = [part for each in self.parameters for part in each.read(texts, prefix)]
        count = len(self.request.__struct_fields__)
        return self.request(*values[:count]), tuple(values[count:])
