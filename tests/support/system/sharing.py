"""How a run of all tests is shared among its workers: how many there are, and what stands first.

Much of a run is spent in waiting, for processes and for clocks. So there are more workers than
cores, and files that wait stand among those that compute: seldom do all workers start a network at
once, and seldom does a core idle. Files are taken in order, each by one worker.
"""

from collections import Counter
from collections.abc import Collection
from pathlib import PurePath

LAST = "unit"
"""Its files are short, but for a few at its head: no worker is left alone with a long one."""


def workers(cores: int) -> int:
    """Give half as many workers again as there are cores."""
    return cores + cores // 2


def dealt(paths: Collection[PurePath]) -> list[PurePath]:
    """Deal each folder's files at even distances over the run, those of units after all others."""
    sizes, met = Counter(path.parts[0] for path in paths), Counter[str]()
    places = {}
    for path in paths:
        folder = path.parts[0]
        places[path] = (folder == LAST, (met[folder] + 0.5) / sizes[folder])
        met[folder] += 1
    return sorted(paths, key=places.__getitem__)
