"""The binding of LevelDB: one interface that goes by two names, and here by one.

plyvel has wheels up to Python 3.12, its successor plyvel-next from there on (docs/adr/0004). What
either wrote, the other reads: LevelDB 1.22 and 1.23 have one format.
"""

import sys

if sys.version_info >= (3, 12):
    import plyvel_next as plyvel
else:
    import plyvel

__all__ = ["plyvel"]
