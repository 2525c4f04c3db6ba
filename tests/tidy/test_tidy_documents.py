"""The documents tell the truth: links lead somewhere, glossary terms and limits exist in code."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")
CODE_NAME = re.compile(r"`((?:api|consensus|iot_minting|ledger|loadtest|node|simulator)\.[\w.]+)`")
ADR_SECTIONS = ("Context", "Alternatives", "Decision", "Consequences")


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def table_rows(path: Path) -> list[list[str]]:
    lines = [line for line in path.read_text("utf-8").splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if not set("".join(row)) <= set("-: ")]


def resolve(name: str) -> bool:
    """Tell whether a dotted name is a module, or something that a module defines."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:count])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return defines(ast.parse(path.read_text("utf-8")).body, parts[count:])
    return False


def defines(body: list[ast.stmt], names: list[str]) -> bool:
    if not names:
        return True
    for statement in body:
        match statement:
            case ast.ClassDef(name=found) if found == names[0]:
                return defines(statement.body, names[1:])
            case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
                hit = found == names[0]
            case ast.Assign(targets=targets):
                hit = names[0] in [ast.unparse(target) for target in targets]
            case ast.AnnAssign(target=target):
                hit = ast.unparse(target) == names[0]
            case ast.ImportFrom(names=imported):
                hit = names[0] in [alias.asname or alias.name for alias in imported]
            case _:
                hit = False
        if hit:
            return len(names) == 1
    return False


def test_every_link_leads_to_a_file():
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents()
        for target in LINK.findall(path.read_text("utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken


def test_every_code_name_in_the_documents_exists():
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in documents()
        for name in CODE_NAME.findall(path.read_text("utf-8"))
        if not resolve(name)
    ]
    assert not missing


def test_every_glossary_term_names_its_code_and_stands_once():
    rows = table_rows(ROOT / "docs" / "glossary.md")
    terms = [row[0] for row in rows if row[0] != "term"]
    nameless = [row[0] for row in rows if row[0] != "term" and not CODE_NAME.search(row[-1])]
    assert len(terms) > 20
    assert not nameless
    assert len(terms) == len(set(terms))


def test_the_table_of_limits_holds_the_values_of_the_code():
    """`docs/architecture.md` lists them as | `module.NAME` | value | ...; the code decides."""
    rows = table_rows(ROOT / "docs" / "architecture.md")
    limits = [row for row in rows if CODE_NAME.fullmatch(row[0])]
    assert len(limits) >= 10
    wrong = []
    for row in limits:
        name = CODE_NAME.fullmatch(row[0])[1]
        found = constant(name)
        if found is None or int(row[1].replace(",", "")) != found:
            wrong.append(f"{name}: {row[1]} in the table, {found} in the code")
    assert not wrong


def constant(name: str) -> object:
    """Read a module's constant, or a field's default, if it is arithmetic on numbers."""
    module, _, target = name.rpartition(".")
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        module = module.rpartition(".")[0]
        path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():
        return None
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if target in [ast.unparse(each) for each in targets]:
                return arithmetic(node.value)
    return None


def arithmetic(node: ast.expr) -> int | float | None:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.BinOp(left=left, op=operator, right=right):
            a, b = arithmetic(left), arithmetic(right)
            if a is None or b is None:
                return None
            match operator:
                case ast.Mult():
                    return a * b
                case ast.Add():
                    return a + b
                case ast.Sub():
                    return a - b
                case ast.Pow():
                    return a**b
    return None


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda p: p.stem)
def test_a_decision_has_its_four_parts_on_one_page(path):
    text = path.read_text("utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert tuple(headings) == ADR_SECTIONS
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_a_gap():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "adr").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_changes_of_a_version_stand_under_their_kind_what_breaks_first():
    kinds = ["Changed (breaking)", "Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    versions = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1:]
    assert versions
    for version in versions:
        headings = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert headings == [kind for kind in kinds if kind in headings], version.splitlines()[0]
        assert "new chain" not in version.split("### Added")[-1].split("### ")[0]
