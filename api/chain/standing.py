"""Whether what is settled here is the newest truth: asked before anything is denied or opened."""

from api.chain.node_watch import NodeWatch
from api.chain.tip import SettledTip
from api.config import ApiConfig


class ChainStanding:
    """Where the chain stands, and how far this service is behind it."""

    def __init__(self, watch: NodeWatch, tip: SettledTip, config: ApiConfig) -> None:
        self._watch = watch
        self._tip = tip
        self._silence_s_max = config.node_silence_s_max
        self._lag_blocks_max = config.lag_blocks_max

    @property
    def lag_blocks(self) -> int:
        """Give how many final blocks a node has that are not settled here."""
        return self._watch.lag_blocks(self._tip.cursor.height)

    def behind(self) -> str:
        """Say why what is settled here may not be the newest truth, or nothing."""
        return self.why_no_node() or self.why_not_level()

    def why_no_node(self) -> str:
        """Say why no node tells where the chain stands, or nothing."""
        return self._watch.why_silent(self._silence_s_max)

    def why_not_level(self) -> str:
        """Say why final blocks are not settled here as they come, or nothing."""
        if not self._tip.cursor.chain_id:
            return "no final block has been asked for yet"
        if self.lag_blocks > self._lag_blocks_max:
            return f"{self.lag_blocks} final blocks are not settled yet"
        return self._watch.why_standing()
