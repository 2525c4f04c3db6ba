"""`billcoin node new-journal`: a key that has never voted may vote at once, and no other."""

import shutil

import pytest
from typer.testing import CliRunner

from ledger.store.disk import DiskStore
from node.cli.main import build
from node.config import JOURNAL_FOLDER, STORE_FOLDER, NodeConfig
from node.errors import JournalExists
from node.home.key_file import read_key
from node.shell.running import make_node
from tests.support.node.final_chain import fill
from tests.support.node.homes import make_homes
from tests.support.node.memory_transport import Hub, MemoryTransport


@pytest.fixture
def config(tmp_path):
    return make_homes(tmp_path, 1).configs[0]


def new_journal(config: NodeConfig):
    words = ["node", "new-journal", "--home", str(config.home)]
    return CliRunner().invoke(build(words), words)


def starts_silent(config: NodeConfig) -> bool:
    """Put the node together as it would start, and tell whether it keeps silent."""
    key = read_key(config.path(config.validator_key_file))
    node = make_node(config, MemoryTransport(Hub(), key.public))
    node.close()
    silent = node.machine.engine.is_silent
    assert silent == node.journal.is_lost
    return silent


def wipe(config: NodeConfig, *folders: str) -> None:
    for folder in folders:
        shutil.rmtree(config.path(folder))


def test_a_new_home_votes_at_once_also_at_its_second_start(config):
    assert not starts_silent(config)
    assert not starts_silent(config)


@pytest.mark.parametrize("gone", [(JOURNAL_FOLDER,), (JOURNAL_FOLDER, STORE_FOLDER)])
def test_a_wiped_home_keeps_silent_however_often_it_starts(config, gone):
    assert not starts_silent(config)
    wipe(config, *gone)
    assert starts_silent(config)
    assert starts_silent(config)


def test_blocks_alone_may_be_wiped(config):
    assert not starts_silent(config)
    wipe(config, STORE_FOLDER)
    assert not starts_silent(config)


def test_who_knows_that_a_key_never_voted_may_say_so(config):
    wipe(config, JOURNAL_FOLDER)
    done = new_journal(config)
    assert (done.exit_code, "begun" in done.output) == (0, True)
    assert not starts_silent(config)


def test_a_journal_is_not_begun_over_another(config):
    assert isinstance(new_journal(config).exception, JournalExists)
    wipe(config, JOURNAL_FOLDER)
    assert starts_silent(config)
    assert isinstance(new_journal(config).exception, JournalExists)


def test_a_journal_is_not_begun_where_there_are_blocks(config):
    wipe(config, JOURNAL_FOLDER)
    store = DiskStore(config.path(STORE_FOLDER))
    fill(store)
    store.close()
    done = new_journal(config)
    assert isinstance(done.exception, JournalExists)
    assert "holds blocks" in str(done.exception)
    assert not config.path(JOURNAL_FOLDER).exists()
