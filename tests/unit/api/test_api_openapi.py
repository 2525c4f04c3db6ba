"""The payments service's OpenAPI document: current, served, whole, and true to the routes."""

import ast
import asyncio
import json
import re
from pathlib import Path
from typing import Any

from api.access.table import TABLE
from api.http.catalogue import CATALOGUE
from api.http.openapi import format_document
from api.http.openapi_answers import codes_of
from api.http.resources import ROUTES
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import running_rig
from tests.support.encoding.json_schema import found
from tests.tidy.repository import ROOT

PUBLISHED = ROOT / "docs/spec/payments.openapi.json"
DOCUMENT = json.loads(format_document())
DESCRIBED = [route for route in ROUTES if route.described]


def meant(value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if it is one."""
    return found(value["$ref"], DOCUMENT) if "$ref" in value else value


def test_what_is_published_is_current() -> None:
    how = f"python -m api.http.openapi > {PUBLISHED}"
    assert PUBLISHED.read_text("utf-8") == format_document(), how


def test_what_is_served_is_what_is_published(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, ready=False) as rig:
            answer = await rig.http.get("/openapi.json")
            assert answer.headers["content-type"] == "application/json"
            assert answer.text == PUBLISHED.read_text("utf-8")

    asyncio.run(run())


def test_it_has_every_route_and_no_other() -> None:
    told = {
        (method.upper(), path, operation["operationId"])
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }
    assert told == {(route.method, route.path, route.operation) for route in DESCRIBED}
    assert len({route.operation for route in DESCRIBED}) == len(DESCRIBED)


def test_every_operation_tells_its_success_and_every_code_that_it_may_answer() -> None:
    for route in DESCRIBED:
        told = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
        assert str(route.status) in told
        for code in codes_of(route, TABLE[route.method, route.path]):
            answer = meant(told[str(CATALOGUE[code].status)])
            assert f"`{code}`" in answer["description"], (route.operation, code)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', format_document())):
        assert found(reference, DOCUMENT)


def test_every_tag_and_every_name_in_a_path_is_described() -> None:
    assert {tag["name"] for tag in DOCUMENT["tags"]} == {route.tag for route in DESCRIBED}
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            parameters = [meant(each) for each in operation.get("parameters", [])]
            names = {each["name"] for each in parameters if each["in"] == "path"}
            assert names == set(re.findall(r"{(\w+)}", path))


def _raised(path: Path) -> set[tuple[str, str]]:
    """Find `Kind(..., code="X")` in a file."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {
        (ast.unparse(call.func), word.value.value)
        for call in calls
        for word in call.keywords
        if word.arg == "code" and isinstance(word.value, ast.Constant)
    }


def test_every_code_that_is_raised_stands_in_the_catalogue_with_its_status() -> None:
    from api import errors

    raised = {pair for path in (ROOT / "api").rglob("*.py") for pair in _raised(path)}
    assert ("Conflict", "OUT_OF_STOCK") in raised
    for kind, code in raised:
        assert code in CATALOGUE, code
        assert CATALOGUE[code].status == vars(errors)[kind].status, code
    faults = [one for one in vars(errors).values() if isinstance(one, type)]
    for fault in faults:
        if issubclass(fault, errors.ApiFault):
            assert CATALOGUE[fault.default_code].status == fault.status
