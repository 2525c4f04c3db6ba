"""A run of all tests drops none of them, and what waits stands among what computes."""

from itertools import groupby
from pathlib import PurePath

from tests.support.system.sharing import dealt, workers

COUNTS = {"unit": 40, "e2e": 6, "integration": 24, "property": 12}
PATHS = [
    PurePath(folder, f"test_{number:02}.py")
    for folder, count in COUNTS.items()
    for number in range(count)
]


def test_every_file_is_dealt_once_and_in_the_order_of_its_folder():
    for folder in COUNTS:
        ours = [path for path in PATHS if path.parts[0] == folder]
        assert [path for path in dealt(PATHS) if path.parts[0] == folder] == ours


def test_the_slow_folders_stand_among_each_other_and_the_short_files_after_them():
    folders = [path.parts[0] for path in dealt(PATHS)]
    runs = [(folder, len(list(each))) for folder, each in groupby(folders)]
    assert runs[-1] == ("unit", 40)
    assert all(count == 1 for folder, count in runs if folder == "e2e")
    assert all(count <= 3 for _, count in runs[:-1])


def test_there_are_more_workers_than_cores_where_there_are_cores_to_share():
    assert [workers(cores) for cores in (1, 2, 4, 8)] == [1, 3, 6, 12]
