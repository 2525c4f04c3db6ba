"""Migrations are one chain: two that were numbered side by side stop every service."""

import ast
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "api/db/migrations/versions"


def named(path: Path) -> dict[str, object]:
    """Read what a module sets to constants."""
    return {
        line.targets[0].id: line.value.value
        for line in ast.parse(path.read_text("utf-8")).body
        if isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and isinstance(line.value, ast.Constant)
    }


def test_each_migration_follows_the_one_before_it():
    before = None
    for number, path in enumerate(sorted(VERSIONS.glob("r*.py")), start=1):
        told, revision = named(path), f"{number:04d}"
        assert path.name.startswith(f"r{revision}_"), f"{path.name} has another's number"
        assert (told["revision"], told["down_revision"]) == (revision, before), path.name
        before = revision
