"""A small dairy on the simulated chain: it mints, its farm spends and redeems, a payer is charged.

So blocks hold more than payments. Every batch is proven by envelopes of its instruments, recomputed
by attestors, all signed with real keys (`plant`).
"""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import UNITS_PER_BILL, Units
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import address_of
from ledger.rules import Call
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
from ledger.types.transaction import Body
from ledger.types.transfer import REDEMPTIONS_MAX, Basket, Redemption, Transfer
from simulator.virtual.topology import BEGIN_MS, FARM, MERCHANT, MMU, PAYER
from simulator.virtual.workload.payments import FEE_UNITS, Purse, Workload
from simulator.virtual.workload.plant import plant_of

SPENT_MAX: Final = UNITS_PER_BILL
MINT_GAP_MS: Final = 1_500
MINT_FEE_UNITS: Final = Units(100_000)
"""More than a mint's many signatures cost."""
PERIOD_MS: Final = HOUR_MS


class MilkWorkload:
    """One plant, its farm, a merchant and a payer."""

    def __init__(self, workload: Workload, chance: Random) -> None:
        self._world = workload.env.world
        self._genesis = workload.env.topology.genesis
        self._clients = [address_of(k.public) for k in workload.env.topology.clients]
        self._chance = chance
        self._mmu, self._farm = Purse(workload, MMU), Purse(workload, FARM)
        self._merchant, self._payer = Purse(workload, MERCHANT), Purse(workload, PAYER)
        self._minted: list[Hash] = []
        self._granted = 0

    def begin(self) -> None:
        """Let all of them act."""
        self._later(self._mint)
        self._later(self._grant)

    def _later(self, act: Callable[[], None]) -> None:
        wait_ms = 1 + int(self._chance.expovariate(1 / MINT_GAP_MS))
        self._world.after(wait_ms, act)

    def _mint(self) -> None:
        batch = plant_of(self._genesis).batch(len(self._minted))
        spend = partial(self._spend, batch.lot)
        mint = partial(self._mmu.spend, batch.mint, spend, MINT_FEE_UNITS)
        self._mmu.spend(batch.collection, mint, MINT_FEE_UNITS)

    def _spend(self, lot: Hash) -> None:
        """Spend some of what the farm got for a lot, and redeem some milk; then mint again."""
        self._minted.append(lot)
        units = Units(self._chance.randrange(1, SPENT_MAX))
        to = self._chance.choice(self._clients)
        body = Transfer(to, units, bytes(32), self._basket(units))
        self._farm.spend(body, partial(self._later, self._mint))

    def _basket(self, units: int) -> Basket:
        """Redeem at most so many units, of some of the newest lots."""
        newest = self._minted[-REDEMPTIONS_MAX:]
        lots = sorted(self._chance.sample(newest, self._chance.randrange(len(newest) + 1)))
        most = units // max(len(lots), 1)
        if not most:
            return ()
        return tuple(Redemption(lot, Units(self._chance.randrange(1, most + 1))) for lot in lots)

    def _grant(self) -> None:
        price = self._chance.randrange(1, UNITS_PER_BILL)
        end_ms = BEGIN_MS + DAY_MS
        most = Units(UNITS_PER_BILL)
        body = GrantMandate(
            self._merchant.address,
            PERIOD_MS,
            most,
            PriceMode.TOKENS_A_LITRE,
            price,
            most,
            most,
            end_ms,
        )
        name = Call(self._payer.address, self._granted, FEE_UNITS).name(Domain.MANDATE)
        self._granted += 2  # Each is cancelled with the next nonce.
        self._payer.spend(body, partial(self._charge, name, price))

    def _charge(self, name: Hash, units: int) -> None:
        body: Body = ChargeMandate(name, bytes(32), self._basket(units))
        self._merchant.spend(body, partial(self._cancel, name))

    def _cancel(self, name: Hash) -> None:
        self._payer.spend(CancelMandate(name), partial(self._later, self._grant))
