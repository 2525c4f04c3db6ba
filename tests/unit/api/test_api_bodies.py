"""Bodies and queries are read strictly: every fault is pointed at, and nothing is guessed."""

import contextlib
import json
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from api.errors import MalformedRequest, Pointer
from api.http.bodies import decode_body, decode_query
from api.http.pages import PageQuery
from api.http.scalars import Ringgit, TxHash


class Pack(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    product_id: Annotated[str, Meta(min_length=1, max_length=8)]
    quantity: Annotated[int, Meta(ge=1, le=100)] = 1


class Basket(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True):
    items: Annotated[list[Pack], Meta(max_length=2)]
    price: Ringgit | None = None
    tx_hash: TxHash | None = None
    note: str = ""


def faults(raw: str) -> set[tuple[str, str]]:
    with pytest.raises(MalformedRequest) as caught:
        decode_body(raw.encode(), Basket)
    return {(fault.pointer, fault.code) for fault in caught.value.errors}


def test_a_good_body_is_read_as_it_was_written() -> None:
    body = decode_body(b'{"items":[{"productId":"a","quantity":2}],"price":1.80}', Basket)
    assert body.items == [Pack("a", 2)]
    assert body.price is not None
    assert body.price.sen == 180


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{}", {("/items", "MISSING")}),
        ('{"items":[],"itmes":[]}', {("/itmes", "UNKNOWN_FIELD")}),
        ('{"items":[],"a/b~":1}', {("/a~1b~0", "UNKNOWN_FIELD")}),
        ('{"items":[{"productId":"a"},{}]}', {("/items/1/productId", "MISSING")}),
        ('{"items":[{"productId":"a","x":1}]}', {("/items/0/x", "UNKNOWN_FIELD")}),
        ('{"items":[{"productId":""}]}', {("/items/0/productId", "WRONG_LENGTH")}),
        ('{"items":[{"productId":"a\\u0000"}]}', {("/items/0/productId", "HOLDS_NUL")}),
        ('{"items":[],"note":"\\u0000","a\\u0000":1}', {("", "HOLDS_NUL"), ("/note", "HOLDS_NUL")}),
        ('{"items":[{"productId":7}]}', {("/items/0/productId", "NOT_A_STRING")}),
        ('{"items":[{"productId":1.5}]}', {("/items/0/productId", "NOT_A_STRING")}),
        (
            '{"items":[{"productId":"a","quantity":"2"}]}',
            {("/items/0/quantity", "NOT_A_WHOLE_NUMBER")},
        ),
        (
            '{"items":[{"productId":"a","quantity":2.0}]}',
            {("/items/0/quantity", "NOT_A_WHOLE_NUMBER")},
        ),
        (
            '{"items":[{"productId":"a","quantity":true}]}',
            {("/items/0/quantity", "NOT_A_WHOLE_NUMBER")},
        ),
        (
            '{"items":[{"productId":"a","quantity":-0}]}',
            {("/items/0/quantity", "NOT_A_WHOLE_NUMBER")},
        ),
        ('{"items":[{"productId":"a","quantity":0}]}', {("/items/0/quantity", "OUT_OF_RANGE")}),
        ('{"items":{}}', {("/items", "NOT_AN_ARRAY")}),
        ('{"items":[],"price":"1,80"}', {("/price", "NOT_AN_AMOUNT")}),
        ('{"items":[],"price":1e2}', {("/price", "NOT_AN_AMOUNT")}),
        (
            '{"items":[],"note":null,"txHash":"xy"}',
            {("/note", "NOT_A_STRING"), ("/txHash", "NOT_A_HASH")},
        ),
        ("[]", {("", "NOT_AN_OBJECT")}),
        ('{"items":[],"items":[]}', {("/items", "INVALID_JSON")}),
    ],
)
def test_each_fault_is_pointed_at(raw: str, expected: set[tuple[str, str]]) -> None:
    assert faults(raw) == expected


NAMES = st.sampled_from(["items", "price", "note", "productId", "quantity"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda within: st.lists(within, max_size=3) | st.dictionaries(NAMES, within),
    max_leaves=8,
)


@given(ANYTHING)
def test_anything_is_a_body_or_malformed(value: object) -> None:
    with contextlib.suppress(MalformedRequest):
        body = decode_body(json.dumps(value).encode(), Basket)
        assert all(1 <= pack.quantity <= 100 for pack in body.items)


def test_a_query_is_as_strict_as_a_body() -> None:
    assert decode_query([("limit", "7")], PageQuery) == PageQuery(limit=7)
    assert decode_query([], PageQuery) == PageQuery()
    for pairs, pointer in (
        ([("limit", "0")], Pointer("/query/limit", "OUT_OF_RANGE")),
        ([("limit", "07")], Pointer("/query/limit", "NOT_A_WHOLE_NUMBER")),
        ([("limit", "1_0")], Pointer("/query/limit", "NOT_A_WHOLE_NUMBER")),
        ([("limit", "1"), ("limit", "2")], Pointer("/query/limit", "TWICE")),
        ([("lmit", "1")], Pointer("/query/lmit", "UNKNOWN_FIELD")),
    ):
        with pytest.raises(MalformedRequest) as caught:
            decode_query(pairs, PageQuery)
        assert caught.value.errors == (pointer,)
