"""`billcoin genesis`, called: what it makes, and what it refuses."""

from typer.testing import CliRunner

from ledger.genesis import parse_genesis
from node.cli.genesis import app
from tests.support.ledger.dairy import GENESIS_MS


def call(*words):
    """Call the command with these words; give its result."""
    return CliRunner().invoke(app, [str(word) for word in words])


def made(path, *words):
    """Make a genesis file of a fixed time; give the genesis."""
    result = call("new", "--out", path, "--time-ms", GENESIS_MS, *words)
    assert result.exception is None, result.exception
    return parse_genesis(path.read_text())


def fault(*words):
    """Call the command, which fails; give the fault that `main` would tell in a line."""
    result = call(*words)
    assert result.exit_code == 1
    return result.exception
