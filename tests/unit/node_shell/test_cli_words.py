"""The command line: one line for a fault, a name for a bug, exit codes that scripts can trust."""

import pytest
from typer.testing import CliRunner

from ledger.primitives.errors import BadAmount
from node.cli import main as cli
from node.cli.main import build, explain
from node.client.errors import NodeUnavailable
from node.errors import BadConfig

run = CliRunner().invoke


@pytest.mark.parametrize(
    "fault", [BadConfig("no\nport"), NodeUnavailable("down"), BadAmount("x"), OSError(2, "none")]
)
def test_a_fault_is_one_line_and_exit_code_1(fault):
    line, code = explain(fault)
    assert (line.startswith("error: "), "\n" in line, code) == (True, False, 1)


def test_a_fault_inside_groups_is_still_that_fault():
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [BadConfig("no port")])])
    assert explain(group) == ("error: no port", 1)


@pytest.mark.parametrize("bug", [AssertionError("broken"), KeyError("x"), RuntimeError("odd")])
def test_a_bug_is_named_as_one_and_says_where(bug):
    try:
        raise bug
    except Exception as error:
        line, code = explain(ExceptionGroup("group", [BadConfig("also"), error]))
    assert line.startswith(f"bug: {type(bug).__name__} in test_cli_words.py:")
    assert (code, "BILLCOIN_TRACEBACK" in line) == (1, True)


def test_an_interrupt_is_neither():
    assert explain(BaseExceptionGroup("g", [KeyboardInterrupt()])) == ("interrupted", 130)


def test_main_turns_a_fault_into_a_line_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["billcoin", "node", "run", "--home", "/none/such"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("billcoin: error: /none/such/config.toml")


@pytest.mark.parametrize("words", [["node"], ["keys"], ["tx"], ["balance"]])
def test_each_command_tells_how_it_is_used(words):
    shown = run(build(words), [*words, "--help"])
    assert (shown.exit_code, "Usage" in shown.output) == (0, True)


def test_only_the_command_that_is_called_is_loaded():
    assert [point.name for point in cli.wanted(["keys", "new", "tx"])] == ["keys"]
    assert len(cli.wanted(["--help"])) > 3


def test_the_version_is_told():
    shown = run(build(["keys"]), ["--version"])
    assert (shown.exit_code, shown.output.split()[0]) == (0, "billcoin")


def test_what_is_not_understood_exits_with_2():
    assert run(build(["keys"]), ["keys", "nonsense"]).exit_code == 2


def test_a_new_key_is_shown_without_its_secret(tmp_path):
    path = tmp_path / "a.key"
    made = run(build(["keys"]), ["keys", "new", str(path), "--json"])
    shown = run(build(["keys"]), ["keys", "show", str(path), "--json"])
    assert (made.exit_code, made.output) == (0, shown.output)
    assert path.read_text().strip() not in made.output
    assert '"dbill1' in made.output


NUMBERS = [
    "api database --dir db --port {}",
    "genesis new --out g.json --time-ms {}",
    "genesis new --out g.json --validators {}",
    "mint broker --port {}",
    "proof get ab --out p --from-epoch {}",
    "sensors replay r.csv --speed {}",
    "sim replay {}",
    "sim run --seeds {}",
    "sim growth --sizes {}",
    "testnet init --dir net --seed {}",
    "testnet up --dir net --duration {}",
    "tx show ab --wait-ms {}",
    "mint quarantine --home mint --limit {}",
]


@pytest.mark.parametrize("words", NUMBERS)
@pytest.mark.parametrize("number", ["1_6", "１６", " 16", "+16", "1e1", "nan"])
def test_a_number_on_the_command_line_is_never_guessed(words, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called = [word.format(number) for word in words.split()]
    shown = run(build(called), called)
    assert shown.exit_code == 2
    assert repr(number)[1:-1] in shown.output
    assert not list(tmp_path.iterdir())
