"""JSON Schema, as far as our documents use it: a word that is not known here is an error."""

import re

TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "boolean": bool, "null": type(None),
}  # fmt: skip
KNOWN = {
    "$defs", "$ref", "$schema", "additionalProperties", "allOf", "anyOf", "const", "default",
    "description", "enum", "examples", "format", "items", "maxItems", "maxLength", "maximum",
    "minItems", "minLength", "minimum", "not", "oneOf", "pattern", "properties", "required",
    "title", "type",
}  # fmt: skip


def holds(schema, value, whole):
    """Tell whether a value is of a schema; references lead into the whole document."""
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema and not holds(found(schema["$ref"], whole), value, whole):
        return False
    if "type" in schema and not any(is_a(name, value) for name in listed(schema["type"])):
        return False
    sound = [
        value in schema.get("enum", [value]),
        value == schema.get("const", value),
        "not" not in schema or not holds(schema["not"], value, whole),
        "oneOf" not in schema or sum(holds(each, value, whole) for each in schema["oneOf"]) == 1,
        all(holds(each, value, whole) for each in schema.get("allOf", ())),
        "anyOf" not in schema or any(holds(each, value, whole) for each in schema["anyOf"]),
    ]
    if isinstance(value, int):
        sound += [schema.get("minimum", value) <= value <= schema.get("maximum", value)]
    if isinstance(value, str):
        long = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        sound += [long, re.search(schema.get("pattern", ""), value) is not None]
    if isinstance(value, list):
        sound += [schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))]
        sound += [holds(schema.get("items", True), each, whole) for each in value]
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        sound += [name in value for name in schema.get("required", [])]
        sound += [
            holds(fields.get(name, schema.get("additionalProperties", True)), each, whole)
            for name, each in value.items()
        ]
    return all(sound)


def found(reference, whole):
    """Follow a reference such as `#/$defs/Name`."""
    at = whole
    for step in reference.removeprefix("#/").split("/"):
        at = at[step]
    return at


def listed(types):
    return [types] if isinstance(types, str) else types


def is_a(name, value):
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
