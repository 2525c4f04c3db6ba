"""The house rules that no off-the-shelf linter holds. Reads source as text and trees, runs none.

Public docstrings, line length in detail and complexity are ruff's; the floors are import-linter's.
"""

import ast
import re
from collections import Counter
from pathlib import Path

from tests.tidy.repository import PACKAGES, ROOT, place, product, sources, tracked, tree

LINE_CHARS_MAX = 100
HEAD_CHARS_MIN = 40
EMPTY_NAMES = {"utils", "util", "helper", "helpers", "common", "manager", "managers", "misc"}
FILE_BYTES_MAX = 1_000_000


def test_no_line_runs_off_the_page():
    long = [
        place(path, number)
        for path in sources()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > LINE_CHARS_MAX
    ]
    assert not long


def test_every_module_of_the_product_says_what_it_holds():
    silent = [
        place(path)
        for path in product()
        if len(ast.get_docstring(tree(path)) or "") < HEAD_CHARS_MIN
    ]
    assert not silent


def test_no_name_says_nothing():
    """A module called `utils` is a drawer without a label; a `Manager` does everything."""
    modules = [
        place(path)
        for path in sources()
        if {path.stem, *path.relative_to(ROOT).parts} & EMPTY_NAMES
    ]
    classes = [
        f"{place(path, node.lineno)} {node.name}"
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and re.search(r"(Manager|Helper|Utils?)$", node.name)
    ]
    assert not modules + classes


def test_no_two_test_files_share_a_name():
    names = Counter(path.name for path in sources() if path.name.startswith("test_"))
    assert not [name for name, count in names.items() if count > 1]


def test_no_assertion_stands_without_a_test_that_can_fail():
    """A test function with neither assert, raises nor a call can't fail."""
    idle = [
        f"{place(path, node.lineno)} {node.name}"
        for path in sources()
        if path.name.startswith("test_")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not any(isinstance(part, ast.Assert | ast.With | ast.Call) for part in ast.walk(node))
    ]
    assert not idle


def test_no_test_sleeps_to_wait_for_something():
    """Time is an argument. Only where the other side is a process may a test poll."""
    sleeping = [
        place(path, node.lineno)
        for path in sources()
        if path.name.startswith("test_") and not {"e2e", "integration"} & set(path.parts)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]
    assert not sleeping


# Written in parts, so that this file does not hold what it forbids.
FOREIGN = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot)/",
            r"/ho" + r"me/[a-z]+/",
            r"py" + r"pi\.org",
            r"pythonho" + r"sted\.org",
            r"registry\.npm" + r"js",
            r"--(?:extra-)?index" + r"-url",
            r"index-ser" + r"vers",
        ]
    )
)
BINARY = {".png", ".ico", ".woff2", ".gz", ".gif"}


def test_no_file_names_this_machine_or_a_registry():
    found = []
    for path in tracked():
        if path.suffix in BINARY:
            continue
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if match := FOREIGN.search(line):
                found.append(f"{place(path, number)} {match.group()}")
    assert not found


# One spelling: -ize where both are English. Stored and public words stay as they were written.
SPELT_OTHERWISE = re.compile(
    r"(?:author|final|general|initial|minim|normal|notar|optim|organ|pasteur|personal|recogn"
    r"|serial|subsid|summar|synchron|total|util)is(?:e[drs]?|ers|ing|ations?|able)(?![a-z])",
    re.IGNORECASE,
)
STORED = re.compile(r"['\"]finalised['\"]|FINALISED|finalisedAt")


def test_one_word_has_one_spelling():
    found = [
        f"{place(path, number)} {match.group()}"
        for path in tracked()
        if path.suffix not in BINARY and path.name != Path(__file__).name
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        if (match := SPELT_OTHERWISE.search(STORED.sub("", line)))
    ]
    assert not found


def test_nothing_large_or_third_party_is_held():
    """Dependencies come from the lock, never from a copy in the tree."""
    strange = [
        place(path)
        for path in tracked()
        if path.stat().st_size > FILE_BYTES_MAX
        or {"vendor", "third_party", "node_modules"} & set(path.relative_to(ROOT).parts)
        or path.name.endswith((".min.js", ".whl", ".so", ".jar"))
    ]
    assert not strange


# Calls of httpx that open a client, for good or for one request.
HTTPX = {
    "AsyncClient",
    "Client",
    "get",
    "head",
    "post",
    "put",
    "patch",
    "delete",
    "request",
    "stream",
}


def test_no_http_client_goes_by_way_of_a_proxy():
    """A node, a broker, a payments service is on this machine or named by its own address.

    The proxies that an environment names are for the web: they can't reach a loopback address.
    """
    led_astray = [
        place(path, node.lineno)
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {f"httpx.{name}" for name in HTTPX}
        and "trust_env=False" not in {ast.unparse(keyword) for keyword in node.keywords}
    ]
    other_clients = [
        place(path, node.lineno)
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and re.match(r"(from|import) (urllib\.request|requests|aiohttp)\b", ast.unparse(node))
    ]
    assert not led_astray + other_clients


def names_no_encoding(call: ast.Call) -> bool:
    """Tell whether a call opens a file as text in whatever encoding the locale has."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    match name:
        case "read_text":
            left_out = not call.args
        case "write_text":
            left_out = len(call.args) < 2
        case "open" | "fdopen":
            modes = [
                word
                for word in words
                if isinstance(word, str) and re.fullmatch("[rwax]b?\\+?", word)
            ]
            left_out = bool(modes) and "b" not in modes[0]
        case _:
            return False
    return left_out and "encoding" not in {keyword.arg for keyword in call.keywords}


def test_no_file_is_read_in_the_encoding_of_the_locale():
    """A home written in one locale is read in another: what it says is UTF-8, always."""
    assert not [
        place(path, node.lineno)
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and names_no_encoding(node)
    ]


NUMBER = re.compile(r"(int|float)( \| None)?")


def guesses_a_number(node: ast.AST) -> bool:
    """Tell whether a number of a command line is left to typer or argparse, who take `1_0`."""
    match node:
        case ast.Subscript(ast.Name("Annotated"), ast.Tuple([kind, ast.Call(made), *_])):
            by_typer = ast.unparse(made) in ("typer.Option", "typer.Argument")
            return by_typer and bool(NUMBER.fullmatch(ast.unparse(kind)))
        case ast.FunctionDef(decorator_list=[ast.Call(ast.Attribute(attr="command")), *_]):
            return any(
                a.annotation and NUMBER.fullmatch(ast.unparse(a.annotation)) for a in node.args.args
            )
        case ast.Call(ast.Attribute(attr="add_argument"), keywords=keywords):
            kinds = [ast.unparse(word.value) for word in keywords if word.arg == "type"]
            return any(NUMBER.fullmatch(kind) for kind in kinds)
    return False


def test_no_number_of_a_command_line_is_read_by_guessing():
    """`node.cli.options` makes them; `ledger.primitives.numerals` reads them."""
    assert not [
        place(path, getattr(node, "lineno", 0))
        for path in sources()
        for node in ast.walk(tree(path))
        if guesses_a_number(node)
    ]


def test_every_package_says_that_it_is_typed():
    assert not [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()]


def test_the_hooks_before_a_commit_are_part_of_the_check():
    """They run the same programs of `.venv` as `make check` does: no version of their own."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    check = makefile.replace("$(PYTEST)", "$(BIN)/python -m pytest").replace("$(BIN)", ".venv/bin")
    commands = re.findall(r"entry: (\S+(?: \w+)?)", hooks)
    assert len(commands) >= 4
    assert not [command for command in commands if f"\t{command}" not in check]
    assert "://" not in hooks


def test_what_tests_import_of_each_other_is_there():
    """No type checker reads the tests, and a moved module must not wait for a full run."""
    missing = [
        f"{place(path, node.lineno)} {node.module}.{alias.name}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tests"
        for alias in node.names
        if not module_path(f"{node.module}.{alias.name}")
        and not defines(module_path(node.module or ""), alias.name)
    ]
    assert not missing


def module_path(name: str) -> Path | None:
    path = ROOT.joinpath(*name.split("."))
    found = [path.with_suffix(".py"), path / "__init__.py"]
    return next((each for each in found if each.is_file()), None)


def defines(path: Path | None, name: str) -> bool:
    if path is None:
        return False
    bound = set()
    for node in ast.walk(tree(path)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                bound.add(node.name)
            case ast.Name(id=word, ctx=ast.Store()):
                bound.add(word)
            case ast.ImportFrom() | ast.Import():
                bound |= {alias.asname or alias.name for alias in node.names}
    return name in bound
