"""The node's OpenAPI document: current, served, and as `present` shows the views."""

import asyncio
import json
import re
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.client.queries import JSON, MSGPACK, QUERIES
from node.client.views import present
from node.shell.rpc.app import make_app
from node.shell.rpc.link import NodeLink
from node.shell.rpc.openapi import format_document
from tests.support.encoding.json_schema import found, holds
from tests.support.encoding.values import value_of

PUBLISHED = Path(__file__).parents[3] / "docs/spec/node.openapi.json"
DOCUMENT = json.loads(format_document())
VIEWS = [query for query in QUERIES if not query.media]


def operation(query):
    return DOCUMENT["paths"][query.path][query.method.lower()]


def test_what_is_published_is_current():
    how = f"python -m node.shell.rpc.openapi > {PUBLISHED}"
    assert PUBLISHED.read_text() == format_document(), how


def test_what_is_served_is_what_is_published(tmp_path):
    async def ask():
        transport = httpx.ASGITransport(make_app(NodeLink(tmp_path / "rpc.sock")))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://node", trust_env=False
        ) as http:
            return await http.get("/openapi.json")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.headers["content-type"]) == (200, JSON)
    assert answer.text == PUBLISHED.read_text()


def test_it_has_every_row_and_no_other():
    told = {
        (path, method, row["operationId"])
        for path, methods in DOCUMENT["paths"].items()
        for method, row in methods.items()
    }
    assert told == {(query.path, query.method.lower(), query.name) for query in QUERIES}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_it_tells_a_row_s_parameters_and_every_status_it_may_answer(query):
    row = operation(query)
    shown = {each["name"]: each for each in row.get("parameters", [])}
    assert list(shown) == [each.name for each in query.parameters]
    for name, each in shown.items():
        assert (each["in"], each["required"]) == (
            ("path", True) if f"{{{name}}}" in query.path else ("query", False)
        )
    for status, code in query.faults:
        assert f"`{code}`" in row["responses"][str(status.value)]["description"]
    assert {"200", "503"} <= set(row["responses"])


@pytest.mark.parametrize("query", VIEWS, ids=lambda query: query.name)
@given(seed=st.integers(0, 2**32))
def test_what_is_shown_is_of_its_schema(query, seed):
    content = operation(query)["responses"]["200"]["content"]
    assert set(content) == {JSON, MSGPACK}
    shown = present(value_of(query.answer, Random(seed)), "dbill")
    text = json.dumps({query.under: shown} if query.under else shown)
    answer = json.loads(text.replace('"-', '"'))  # Types alone don't say that no amount is below 0.
    assert holds(content[JSON]["schema"], answer, DOCUMENT)
    if isinstance(answer, dict) and not query.under:
        name = sorted(answer)[0]
        assert not holds(content[JSON]["schema"], answer | {"more": 1}, DOCUMENT)
        assert not holds(
            content[JSON]["schema"], {n: v for n, v in answer.items() if n != name}, DOCUMENT
        )


@pytest.mark.parametrize(
    ("query", "name", "good", "bad"),
    [
        ("transaction", "txid", ["0a" * 32], ["0a" * 31, "0a" * 31 + "  "]),
        ("history_page", "before", ["7", "7.0"], ["", "7.", ".7", "7 "]),
        ("farm_lots", "before", ["7", f"7.{'0a' * 32}"], ["7.0", "7."]),
        ("lots", "limit", [1, 1000], [0, 1001, "1"]),
    ],
)
def test_a_parameter_s_schema_is_as_strict_as_its_reader(query, name, good, bad):
    row = next(operation(each) for each in QUERIES if each.name == query)
    (schema,) = [each["schema"] for each in row["parameters"] if each["name"] == name]
    assert all(holds(schema, value, DOCUMENT) for value in good)
    assert not any(holds(schema, value, DOCUMENT) for value in bad)


def test_every_reference_leads_somewhere():
    for reference in set(re.findall(r'"\$ref": "([^"]+)"', format_document())):
        assert found(reference, DOCUMENT)["type"] == "object"
