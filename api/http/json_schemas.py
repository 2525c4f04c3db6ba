"""JSON Schemas of the structs that are read and written, the same on every Python."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Object = dict[str, Any]


def describe_types(
    kinds: Iterable[object],
    ref_template: str,
    schema_hook: Callable[[type], Object] | None = None,
) -> tuple[list[Object], dict[str, Object]]:
    """Give each type's schema, and those with a name, as `msgspec.json.schema_components` does.

    Python 3.13 takes the indentation out of docstrings, those before it don't: here all do.
    """
    schemas, components = msgspec.json.schema_components(
        list(kinds), schema_hook=schema_hook, ref_template=ref_template
    )
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    return list(schemas), components
