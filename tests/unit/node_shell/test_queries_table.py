"""The table of queries: what a client writes the node reads, and everybody tells of every row."""

import inspect
import re
from pathlib import Path
from random import Random
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import Address, format_address
from node.client import requests
from node.client.errors import BadParameter
from node.client.http import NodeClient
from node.client.parameters import NUMBER_MAX, PageStart
from node.client.queries import (
    ACCOUNT,
    BLOCK,
    FARM_LOTS,
    HISTORY_PAGES,
    LOTS,
    QUERIES,
    SUBMIT,
    TRANSACTION,
)
from node.shell.rpc.app import LACKS, RpcApp
from node.shell.rpc.backend import NodeBackend
from tests.support.encoding.values import value_of
from tests.support.node.fake_node import FakeNode

WIRE = Path(__file__).parents[3] / "docs/spec/wire.md"
ASKED = [query for query in QUERIES if query is not SUBMIT]
HASH = "0a" * 32
ROWS = pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)


def texts_of(query, url):
    """Take a URL apart, as the router does."""
    path, _, asked = url.partition("?")
    pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", query.path)
    found = re.fullmatch(pattern, path).groupdict()
    return found | dict(each.split("=") for each in asked.split("&") if each)


def read(query, url):
    return query.read(texts_of(query, url), lambda: "dbill")


@pytest.mark.parametrize("query", ASKED, ids=lambda query: query.name)
@given(seed=st.integers(0, 2**32))
def test_what_a_client_asks_is_what_the_node_is_asked(query, seed):
    random = Random(seed)
    fields = {  # What a URL may say; the socket's own bound of a height is wider.
        name: min(value, NUMBER_MAX) if isinstance(value, int) else value
        for name, value in structs.asdict(value_of(query.request, random)).items()
    }
    fields |= {"start": max(1, fields["start"])} if "start" in fields else {}
    more = (random.randint(0, 10_000),) if query is TRANSACTION else ()
    assert read(query, query.url(query.request(**fields), *more)) == (query.request(**fields), more)


def test_what_is_not_said_is_the_default_and_is_not_written():
    asked = requests.GetFarmLots(Address(bytes(32)), NUMBER_MAX, ZERO_HASH, 100)
    assert FARM_LOTS.url(asked) == f"/v1/accounts/{'00' * 32}/lots"
    assert read(FARM_LOTS, FARM_LOTS.url(asked)) == (asked, ())


def test_an_address_is_read_in_hex_and_in_bech32m():
    address = Address(bytes(range(32)))
    for text in (address.hex(), format_address(address, "dbill")):
        assert ACCOUNT.read({"address": text}, lambda: "dbill")[0].address == address


WRONG = {
    (TRANSACTION, "txid"): (
        "", "xyz", HASH[:-2], HASH + "00", HASH[2:] + "  ", " " + HASH[1:], HASH[1:] + "\n",
        "０" + HASH[1:], "0x" + HASH[2:], HASH[1:] + "_",
    ),
    (ACCOUNT, "address"): (
        "", HASH[2:] + "  ", HASH[1:] + "\t", HASH[1:] + "٠", "dbill1x",
        format_address(Address(bytes(32)), "other"),
    ),
    (BLOCK, "height"): (
        "", " 1", "1 ", "1\n", "+1", "-1", "1_0", "1.0", "1e3", "0x1", "²", "١", "9" * 21,
        "9" * 5_000, str(2**53 + 1),
    ),
    (LOTS, "limit"): ("0", "1001", "", "1_0"),
    (HISTORY_PAGES, "before"): ("", ".", "1.", ".1", "1.1.1", "1. 1", "1.-1", "1._", f"1.{2**32}"),
    (FARM_LOTS, "before"): ("1.", "1.x", f"1.{HASH[2:]}  ", f"1.{HASH}.1"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "name", "text"),
    [(*where, text) for where, texts in WRONG.items() for text in texts],
)
def test_text_that_could_be_read_in_two_ways_is_refused_by_its_name(query, name, text):
    texts = {"address": HASH, "txid": HASH} | {name: text}
    with pytest.raises(BadParameter) as caught:
        query.read(texts, lambda: "dbill")
    assert caught.value.name == name
    assert 0 < len(str(caught.value)) < 300


def test_every_row_has_a_name_a_request_and_a_way_of_its_own():
    for column in ("name", "request", "path"):
        assert len({getattr(query, column) for query in QUERIES}) == len(QUERIES)
    every = {kind for kind in vars(requests).values() if isinstance(kind, type)}
    asked = {kind for kind in every if issubclass(kind, requests.Request)} - {requests.Request}
    assert asked == {query.request for query in QUERIES}


@ROWS
def test_the_parameters_of_a_row_fill_its_request(query):
    parts = sum(parameter.form.parts for parameter in query.parameters)
    over = {SUBMIT: -1, TRANSACTION: 1}.get(query, 0)  # A body; and a wait that only HTTP heeds.
    assert parts == len(query.request.__struct_fields__) + over
    in_path = re.findall(r"\{(\w+)\}", query.path)
    named = {parameter.name: parameter for parameter in query.parameters}
    assert set(in_path) == {name for name, parameter in named.items() if not parameter.default}
    for parameter in named.values():
        assert len(parameter.default) in (0, parameter.form.parts)
        assert (
            not isinstance(parameter.form, PageStart)
            or parameter.default[1] == parameter.form.first
        )


@ROWS
def test_the_node_has_a_method_for_every_row_that_takes_the_fields_of_its_request(query):
    if query.name == "blocks":
        return  # A stream: made of `reached` and `block`.
    method = getattr(NodeBackend, query.name)
    assert list(inspect.signature(method).parameters)[1:] == list(query.request.__struct_fields__)
    shown = query.answer == get_type_hints(method)["return"]
    routes = {route.name: route.endpoint for route in RpcApp(None).routes()}
    own = query.name in LACKS or inspect.ismethod(routes[query.name])
    assert shown or own, "who shows another answer has a method"


@ROWS
def test_the_client_has_a_method_for_every_row_that_gives_its_answer(query):
    if query.name == "metrics":
        return  # Prometheus' own client asks for them.
    given = get_type_hints(getattr(NodeClient, query.name))["return"]
    assert query.answer in (given, *getattr(given, "__args__", ()))


def test_the_specification_tells_every_row():
    told = WIRE.read_text()
    section = told[told.index("## 7. HTTP") :]
    for query in QUERIES:
        way = f"{query.method} {query.path}"
        names = [each.name for each in query.parameters if each.default]
        assert f"`{way}" in section, way
        for name in names:
            assert re.search(rf"`{re.escape(way)}\?[^`]*\b{name}=", section), f"{way}?{name}="
    ways = re.findall(r"`((?:GET|POST) /[^`?]+)", section)
    assert set(ways) - {f"{each.method} {each.path}" for each in QUERIES} == {"GET /openapi.json"}


def test_the_fake_node_is_asked_as_a_client_is():
    for name, method in inspect.getmembers(FakeNode, inspect.isfunction):
        if name in {query.name for query in QUERIES}:
            real = inspect.signature(getattr(NodeClient, name))
            fake = inspect.signature(method)
            assert list(fake.parameters.values()) == list(real.parameters.values()), name
