"""A JSON object in a file that an operator names: what is signed, or becomes law, by its words.

Invariant: such a file has one meaning (`ledger.primitives.strict_json`): of two equal names none
counts, since nobody can tell which one was meant.
"""

from pathlib import Path
from typing import Final

from ledger.primitives.errors import BadJson
from ledger.primitives.strict_json import Json, decode_json
from node.errors import BadArgument

FILE_BYTES_MAX: Final = 1024 * 1024
"""The largest transaction, written in words, several times over."""


def read_json_object(path: Path, name: str = "") -> dict[str, Json]:
    """Read one object; raise `BadArgument`, which says where it is wrong in which file.

    `name` is what the file was asked for as, as in `--parameters `.
    """
    try:
        with path.open("rb") as file:
            found = decode_json(file.read(FILE_BYTES_MAX + 1), FILE_BYTES_MAX)
    except OSError as error:
        raise BadArgument(f"{name}{path} can't be read: {error.strerror}") from error
    except BadJson as error:
        raise BadArgument(f"{name}{path} is not JSON with one meaning: {error}") from error
    if not isinstance(found, dict):
        raise BadArgument(f"{name}{path} must hold one JSON object")
    return found
