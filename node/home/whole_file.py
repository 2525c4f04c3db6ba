"""Files that are replaced whole: a reader sees the old content or the new, never a part.

It is no promise against a power cut; the journal and the stores sync what must outlive one.
"""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace a file in one step; `mode` is that of the new one. Raise `OSError`, changing nothing.

    A file with a secret in it takes 0o600: its owner alone may read it.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.unlink(missing_ok=True)  # One that a killed process left has another mode.
        handle = os.open(aside, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        aside.replace(path)
    except OSError:  # A part of it would fill the disk for nothing.
        with suppress(OSError):
            aside.unlink()
        raise
