"""One database server for the session."""

from collections.abc import Iterator

import pytest

from tests.support.api.postgres import TestDatabase, running_database


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server
