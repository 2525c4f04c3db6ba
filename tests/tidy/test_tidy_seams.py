"""Seams: whoever looks into another module or object goes through its door.

Ruff's SLF001 holds that nobody reads a private attribute of another object (`pyproject.toml` says
where that can't be helped). Here is what ruff does not see: private names that are imported or
patched by name, and a door that only simulated liars may use.
"""

import ast
from collections.abc import Iterator

from tests.tidy.repository import ROOT, place, product, sources, tree

PATCHING = {"setattr", "delattr", "getattr", "hasattr"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
            if (name.id if isinstance(name, ast.Name) else name) in PATCHING:
                texts = (arg.value for arg in node.args if isinstance(arg, ast.Constant))
                yield from (
                    (node.lineno, text.rpartition(".")[2])
                    for text in texts
                    if isinstance(text, str)
                )
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Name) and called.id == "vars":
                key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
                yield node.lineno, str(key)


def test_nobody_imports_or_patches_a_private_name():
    found = [
        f"{place(path, line)} {name}"
        for path in sources()
        for line, name in private_names(path)
        if is_private(name)
    ]
    assert not found


def test_only_liars_resume_voting():
    # Engine.resume_voting breaks spec 2.4 on purpose: a node that called it could vote twice.
    callers = {
        path.relative_to(ROOT).parts[0]
        for path in product()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "resume_voting"
    }
    assert callers == {"simulator"}
