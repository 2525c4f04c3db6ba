"""Wishes in headers, as RFC 7240 and RFC 9110 write them."""

import time

import pytest

from api.http.headers import CHARS_MAX, likes_better, preference, speaks_malay, weights


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        (["wait=3"], "3"),
        (["respond-async, wait=3"], "3"),
        (["respond-async", "wait=3"], "3"),
        (["respond-async,,  WAIT \t=  3 ;x=y"], "3"),
        (['wait="3"'], "3"),
        (['x="a, wait=7", wait="\\3"'], "3"),
        (["wait=3, wait=9"], "3"),
        (["wait=3", "wait=9"], "3"),
        (["wait"], ""),
        (['wait=""'], ""),
        (["await=3, x; wait=3"], None),
        (["x=wait=3"], None),
        ([], None),
        ([",;,", '"', '";"'], None),
    ],
)
def test_a_preference_is_found_however_it_is_written_and_the_first_counts(fields, value):
    assert preference(fields, "wait") == value


def test_weights_are_read_and_what_is_no_weight_is_none():
    fields = ["text/html;level=1;q=0.5 , */*;Q=0.1", "a;q=1.000, b;q=1.001, c;q=x, d;q=0"]
    liked = {"text/html": 0.5, "*/*": 0.1, "a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    assert weights(fields) == liked


def test_a_browser_likes_pages_better_and_a_wallet_does_not():
    browser = ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]
    assert likes_better(browser, "text/html", "application/json")
    for wallet in ([], ["*/*"], ["application/json"], ["Application/JSON, text/html;q=0.9"]):
        assert not likes_better(wallet, "text/html", "application/json")


@pytest.mark.parametrize(
    ("field", "malay"),
    [
        ("ms", True),
        ("ms-MY, en;q=0.8", True),
        ("en;q=0.2, MS", True),
        ("en, ms", False),
        ("en-GB, ms;q=0.9", False),
        ("ms;q=0", False),
        ("de, msx", False),
        ("", False),
    ],
)
def test_the_language_that_a_client_likes_best_is_spoken(field, malay):
    assert speaks_malay([field] if field else []) is malay


def test_a_header_that_is_made_to_be_slow_is_not():
    began = time.process_time()
    for unit in ('"', '\\"', ",", ";", '"\\', "a=", ' "'):
        assert preference([unit * 30_000], "wait") is None
        assert preference([unit * (CHARS_MAX // len(unit))], "wait") is None
    assert time.process_time() - began < 2
