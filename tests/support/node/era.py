"""Real cores over short epochs, and words to tell their story in tests."""

from msgspec.structs import replace

from consensus.messages import (
    MESSAGE_BYTES_MAX,
    Certificate,
)
from consensus.params import Params
from ledger.params import default_parameters
from ledger.primitives.codec import decode, encode
from ledger.primitives.keys import SigningKey, address_of
from ledger.state.tables import account
from ledger.types.staking import Bond, RegisterValidator, possession_bytes
from ledger.types.transaction import Body
from node.core import events as node_events
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.node.cluster import Cluster, Node, secret

EPOCH_BLOCKS = 5
PARAMS = Params(heartbeat_ms=1_000)
JOINER = key("vote-new")


def dairy_of(epoch_blocks: int = EPOCH_BLOCKS) -> Dairy:
    rules = default_parameters(development=True)
    staking = replace(rules.staking, epoch_blocks=epoch_blocks)
    purses = {name: bill(1_000) for name in ("alice", "bob", "carol", "mmu", "regulator")}
    owners = {f"owner-{i}": bill(10) for i in range(4)}
    return Dairy(parameters=replace(rules, staking=staking), balances=purses | owners)


class Era:
    """A cluster over short epochs, and words to tell its story."""

    def __init__(self, *, epoch_blocks: int = EPOCH_BLOCKS, joiners: tuple[SigningKey, ...] = ()):
        self.dairy = dairy_of(epoch_blocks)
        secrets = {JOINER.public: secret("vrf-new")}
        self.net = Cluster(
            self.dairy.genesis, self.dairy.validator_keys, PARAMS, None, secrets, joiners
        )
        self.net.run(50)

    @property
    def live(self) -> list[Node]:
        return [node for node in self.net.nodes if node.is_up]

    def heights(self) -> set[int]:
        return {node.machine.application.height for node in self.live}

    def to_height(self, height: int, limit_ms: int = 300_000) -> None:
        """Run until every live node has a height, then let words under way arrive."""
        for _ in range(limit_ms // 100):
            if min(self.heights()) >= height:
                return
            self.net.run(100)
        raise AssertionError(f"stuck at {self.heights()}")

    def do(self, who: str, body: Body, at: int = 0) -> None:
        """Have a transaction made final, at the cost of a block or two."""
        signer, node = key(who), self.net.nodes[at]
        nonce = account(node.store, address_of(signer.public)).nonce
        raw = encode(self.dairy.transaction(body, signer, nonce))
        before = len(node.answers)
        self.net.feed(at, node_events.Submit(7, (raw,)))
        self.net.run(20)
        assert [a.code for a in node.answers[before].submissions] == [""]
        for _ in range(100):
            if account(node.store, address_of(signer.public)).nonce > nonce:
                return
            self.net.run(50)
        raise AssertionError("a transaction never became final")

    def join(self, who: str = "carol") -> None:
        text = possession_bytes(
            self.dairy.chain_id,
            address_of(key(who).public),
            JOINER.public,
            key("vrf-new").public,
        )
        body = RegisterValidator(JOINER.public, key("vrf-new").public, "new", 0, JOINER.sign(text))
        self.do(who, body)
        self.do(who, Bond(JOINER.public, bill(100)))

    def settled(self) -> None:
        """All live nodes agree to the byte, and nobody accuses anybody."""
        self.net.run(20)
        common = min(self.heights())
        for height in range(1, common + 1):
            assert len({node.store.block(height).raw for node in self.live}) == 1
        assert [w for node in self.net.nodes for w in node.warnings if w.peer is not None] == []
        assert [w for node in self.net.nodes for w in node.warnings if "invalid" in w.text] == []


def certificate_at(node: Node, height: int) -> Certificate:
    found = node.store.block(height)
    assert found is not None
    assert found.finalization
    return decode(found.finalization, Certificate, MESSAGE_BYTES_MAX)
