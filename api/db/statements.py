"""SQL as it is written in this project, made into a statement once for each text.

A statement's parts and its cache key are found when it is made, and they are the same each time; a
payment has some thirty statements.
"""

from functools import lru_cache
from typing import Final

import sqlalchemy
from sqlalchemy import TextClause

STATEMENTS_MAX: Final = 1_000
"""There are fewer texts in this project, so none is made twice."""


@lru_cache(STATEMENTS_MAX)
def text(sql: str) -> TextClause:
    """Make SQL with `:named` parameters a statement. It is shared: nobody changes it."""
    return sqlalchemy.text(sql)
