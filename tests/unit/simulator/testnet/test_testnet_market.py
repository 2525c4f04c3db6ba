"""The price that a testnet invents: gentle, the same everywhere, and as oracles read it."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from node.pricefeed.quotes import read_quote
from simulator.testnet.market import (
    DAY_MS,
    SWING_MICRO_MYR,
    USUAL_MICRO_MYR,
    market_file,
    milk_price,
)

NOW_MS = 1_795_914_000_000


@given(st.integers(0, 4_000_000_000_000))
def test_an_oracle_reads_the_price_of_the_moment(time_ms):
    quote = read_quote(market_file(time_ms))
    assert (quote.litre_micro_myr, quote.as_of_ms) == (milk_price(time_ms), time_ms)
    assert abs(quote.litre_micro_myr - USUAL_MICRO_MYR) <= SWING_MICRO_MYR


def test_it_moves_every_day_by_less_than_the_law_lets_it():
    days = [milk_price(NOW_MS + day * DAY_MS) for day in range(400)]
    moves = [abs(b - a) * 10_000 // a for a, b in pairwise(days)]
    assert max(moves) <= 101
    assert len(set(days)) > 350


def test_it_goes_from_one_day_to_the_next_without_a_jump():
    minutes = [milk_price(NOW_MS + minute * 60_000) for minute in range(3 * 24 * 60)]
    assert max(abs(b - a) for a, b in pairwise(minutes)) <= 2 * SWING_MICRO_MYR // 1_440 + 2
