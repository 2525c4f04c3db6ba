"""What a node shows of the price is what the law would say of the next feed."""

import asyncio

from msgspec.structs import replace

from ledger.genesis import GenesisAccount, GenesisRole
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, address_of, format_address
from ledger.state.records import Role
from ledger.types.price import FeedPrice
from ledger.types.transaction import Intent, sign
from node.client.views import present
from tests.support.node.fake_node import FOREVER, FakeNode, signing_key, small_genesis

RM = 1_000_000
FEEDERS = [signing_key(f"feeder-{n}") for n in range(4)]


def chain():
    genesis = small_genesis()
    purses = tuple(GenesisAccount(address_of(key.public), Units(10_000)) for key in FEEDERS)
    [rich] = genesis.accounts
    return replace(
        genesis,
        accounts=(replace(rich, units=Units(rich.units - 40_000)), *purses),
        roles=(
            *genesis.roles,
            *(GenesisRole(Role.ORACLE, address_of(key.public)) for key in FEEDERS),
        ),
    )


def feed(node, key, round_, value):
    policy = Policy.single(key.public)
    body = FeedPrice(round_, value)
    intent = Intent(node.chain.chain_id, policy, node.next_nonce(key), Units(100), FOREVER, body)
    [answer] = asyncio.run(node.submit([encode(sign(intent, key))]))
    return answer.code


def test_a_round_is_shown_from_its_first_feed_to_its_quorum():
    node = FakeNode(chain())
    before = asyncio.run(node.price())
    assert (before.round, before.litre_micro_myr, before.feeds) == (0, 0, ())
    assert (before.quorum, before.feeders_least, before.fee_units) == (3, 1, 100)
    assert before.feeders == tuple(sorted(address_of(key.public) for key in FEEDERS))
    assert [feed(node, key, 0, 4 * RM) for key in FEEDERS[:2]] == ["", ""]
    [first, second] = asyncio.run(node.price()).feeds
    assert (first.feeder, second.feeder) == tuple(address_of(key.public) for key in FEEDERS[:2])
    assert feed(node, FEEDERS[2], 0, 5 * RM) == ""
    after = asyncio.run(node.price())
    assert (after.round, after.litre_micro_myr, after.feeds) == (1, 4 * RM, ())
    assert after.updated_ms == after.time_ms
    assert (after.low_micro_myr, after.high_micro_myr) == (3_800_000, 4_200_000)


def test_people_read_who_feeds_as_addresses():
    node = FakeNode(chain())
    feed(node, FEEDERS[0], 0, 4 * RM)
    shown = present(asyncio.run(node.price()), "dbill")
    name = format_address(address_of(FEEDERS[0].public), "dbill")
    assert name in shown["feeders"]
    assert shown["feeds"][0]["feeder"] == name
    assert shown["fee_bill"] == "0.000100"
