"""A node over a town: what its ledger says, in a node's words, to whoever asks over HTTP or not."""

from types import SimpleNamespace

from ledger.primitives.codec import encode
from node.client.errors import Rejected
from node.shell.rpc.lines import line_view, proven_view
from tests.support.ledger.dairy import key
from tests.support.node.fake_node import FakeNode


class TownNode(FakeNode):
    """The blocks that are made from now on, on the state that a town has come to.

    Its time is the town's, so a test lets it pass.
    """

    def __init__(self, town):
        super().__init__(town.dairy.genesis)
        self.town, self._state = town, town.state

    def make_block(self, time_ms=None):
        return super().make_block(self.town.time_ms if time_ms is None else time_ms)

    def do(self, who, body):
        """Have one transaction in a block; give the receipt's code."""
        raw = encode(self.town.dairy.next(self._state, body, key(who)))
        told = self.take(raw)
        assert not told.code, told
        return self.make_block().receipts[-1].code

    async def line(self, line):
        self._speak()
        return self._found(line_view(self._store(), line), "unknown_line")

    async def proven(self, lot):
        self._speak()
        return self._found(proven_view(self._store(), lot), "unproven_lot")

    def _store(self):
        head = SimpleNamespace(height=self.height, time_ms=self.town.time_ms)
        return SimpleNamespace(get=self._state.get, head=lambda: head)

    def _found(self, view, code):
        if view is None:
            raise Rejected(code, "there is none", 404)
        return view
