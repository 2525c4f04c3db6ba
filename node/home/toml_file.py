"""A home's `config.toml`: one reader and one writer for all.

Invariant: what `format_toml` writes, `read_toml` reads back to the same, whatever the texts hold.
What the fields mean, and what they may be, is for the model that a package makes of them.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from node.errors import BadConfig

CONFIG_FILE: Final = "config.toml"


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file; raise `BadConfig` that names it, what is wrong, and the remedy."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        what = f"{path} does not exist: write one (docs/operating), or `billcoin testnet init`"
        raise BadConfig(what) from None
    except OSError as error:
        raise BadConfig(f"{path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadConfig(f"{path} is not TOML: {error}") from error


def format_toml(fields: Mapping[str, object], head: str = "") -> str:
    """Write fields as TOML: numbers, texts, truths, and lists of them.

    Mappings of these and lists of mappings come last. `head` is a comment of one line above them.
    """
    lines = [f"# {head}"] if head else []
    tables: dict[str, Sequence[Mapping[str, object]]] = {}
    for name, value in fields.items():
        if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
            tables[f"[{name}]"] = value
        elif isinstance(value, Mapping):
            tables[name] = [value]
        else:
            lines.append(f"{name} = {_value(value)}")
    for name, rows in tables.items():
        for row in rows:
            lines += ["", f"[{name}]"]
            lines += [f"{key} = {_value(value)}" for key, value in row.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    """Write one value; JSON's are TOML's, but for DEL, which is not text, and null."""
    assert value is not None, "TOML has no null: leave the field out"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
