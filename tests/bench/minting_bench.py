"""What milk costs the chain: a window's claim, its judgement, its mint, and a line's growth a day.

A plant of four farms lives some days without trouble under the law (`tests.year`): windows of two
hours, a sample a second, an envelope of each instrument every ten. What it sends to the chain is
weighed and timed as it goes.
"""

from iot_minting.gateway.minting import Claim
from ledger.evidence import check_window
from ledger.primitives.codec import encode
from ledger.types.window import MintWindow
from loadtest.report import Figure, figure
from tests.bench.clock import Sample, of_samples, once
from tests.year.plant import Causes
from tests.year.works import Works

DAYS, DAYS_QUICK = 6, 3
FIRST_DAYS = 1
"""The first has no milk yet."""


class WeighedWorks(Works):
    """Works that weigh and time what goes to the chain."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.judged: list[Sample] = []
        self.minted: list[Sample] = []
        self.evidence: list[int] = []
        self.claims: list[int] = []
        self.sent: list[int] = []
        self._apply, self.chain.blocks = self.chain.blocks, self._weigh

    def _weigh(self, transactions, *more) -> list[str]:
        (transaction,) = transactions
        size, codes = len(encode(transaction)), []
        taken = once(1, lambda: codes.extend(self._apply(transactions, *more)))
        self.sent.append(size)
        if isinstance(transaction.intent.body, MintWindow):
            self.claims.append(size)
            self.minted.append(taken)
        return codes

    def _claim(self, action: Claim) -> bool:
        claim, bundle = action.cut.claim, dict(action.cut.bundle)
        facts = self.chain.line_facts()
        self.judged.append(once(1, lambda: check_window(facts, claim, bundle)))
        self.evidence.append(sum(len(encode(each)) for told in bundle.values() for each in told))
        return super()._claim(action)


def run(quick: bool) -> list[Figure]:
    """Measure everything of this part."""
    works, a_day = WeighedWorks(Causes()), []
    for day in range(FIRST_DAYS + (DAYS_QUICK if quick else DAYS)):
        before = sum(works.sent)
        works.day()
        if day >= FIRST_DAYS:
            a_day.append(sum(works.sent) - before)
    note = "windows of 2 h, seven instruments"
    return [
        of_samples("judge a window, every signature and sample", works.judged, unit="ms"),
        of_samples("mint a window on the chain, signatures too", works.minted, unit="ms"),
        figure("evidence of a window at an attestor", "bytes", works.evidence, note=note),
        figure("a window's mint as a transaction", "bytes", works.claims, note=note),
        figure("a line's growth of the chain a day", "bytes", a_day, note="with 4 farms' milk"),
    ]
