"""What has money moved by signers, put together: refunds, points, coupons, cash, and signing."""

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.approvals.model import ApprovalKind
from api.budgets.approving import carry_limit_out
from api.cash_outs.approving import cash_out_carrier
from api.cash_outs.desk import CashOutDesk
from api.cash_outs.store import CLAIM as CASH_OUT
from api.catalogue.model import ShopProduct
from api.catalogue.store import find_product
from api.chain.node_port import NodePort
from api.chain.tip import SettledTip
from api.config import ApiConfig
from api.coupons.desk import CouponDesk
from api.coupons.settling import CouponSettling
from api.db.session import in_transaction
from api.events.outbox import NewEvent, write_events
from api.loyalty.adjusting import adjustment_carrier
from api.loyalty.desk import LoyaltyDesk, Reward
from api.loyalty.model import MISSED_MS
from api.loyalty.store import forget_waiting
from api.metrics import Metrics
from api.orders.model import Order
from api.payments.settlement import SettlingParties
from api.people.desks import Desks
from api.people.wallets import LinkWitness
from api.refunds.approving import refund_carrier
from api.refunds.asking import RefundAsker
from api.refunds.desk import RefundDesk
from api.refunds.handing_over import hold_back
from api.refunds.settling import RefundSettling
from api.signing.handlers import SigningHandlers
from api.signing.office import SigningOffice
from api.signing.reader import SignerReader
from api.signing.store import SIGNING, SigningBook
from api.signing.wire import SigningKind
from api.testing.wallet import customer_of
from api.top_ups.approving import top_up_carrier
from api.top_ups.desk import TopUpDesk
from api.top_ups.purse import FloatDesk, FloatGauges
from api.top_ups.settling import TopUpSettling
from api.vault.blind import Purpose
from api.welcomes.desk import WelcomeDesk
from ledger.primitives.keys import Address


class MoneyDesks:
    """One of each, and what the follower and the gate know of them."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        tip: SettledTip,
        config: ApiConfig,
        desks: Desks,
        price_id: str,
        metrics: Metrics,
        now_ms: Callable[[], int],
    ) -> None:
        self._engine, self._now_ms = engine, now_ms
        self._people_ms = desks.means.now_ms
        self.book = SigningBook(config.secret)
        self.loyalty = LoyaltyDesk(
            lambda address: desks.means.vault.index(Purpose.ADDRESS, address),
            _reward(config),
        )
        asker = RefundAsker(self.book, self._poke)
        self.refunds = RefundDesk(asker, config.litre_price_sen, self.loyalty.order_changed)
        settling = RefundSettling(asker, self.loyalty.reverse, self.loyalty.order_changed)
        self.coupons = CouponDesk(
            self.book, (price_id, config.litre_price_sen), config.prefix, self._poke
        )
        self.coupon_settling = CouponSettling(self.book, settling.witness)
        self._open_cash_desk(engine, node, tip, config, desks, price_id, metrics)
        self.handlers: SigningHandlers = {
            SigningKind.REFUND: settling,
            SigningKind.COUPON: self.coupon_settling,
            SigningKind.TOP_UP: TopUpSettling(self.top_ups, config.prefix),
            SigningKind.GRANT: self.welcomes,
        }
        self.office = SigningOffice(
            engine, node, tip, self.book, self.handlers, config.prefix, now_ms
        )
        self._carry_out(desks)
        self.reader = SignerReader(tip, now_ms)
        self.parties = self._who_settle(settling)

    def _who_settle(self, settling: RefundSettling) -> SettlingParties:
        return SettlingParties(
            {SIGNING: self.office.settle, CASH_OUT: self.cash_outs.collected},
            {SIGNING: self.office.orders_of},
            (settling.witness, self.loyalty.witness),
            (self.cash_outs.collect,),
        )

    def _open_cash_desk(
        self,
        engine: AsyncEngine,
        node: NodePort,
        tip: SettledTip,
        config: ApiConfig,
        desks: Desks,
        price_id: str,
        metrics: Metrics,
    ) -> None:
        vault, litre_sen = desks.means.vault, config.litre_price_sen
        self.floats = FloatDesk(node, FloatGauges(metrics.registry))
        self.top_ups = TopUpDesk(
            self.book, self.floats, vault, config.prefix, (price_id, litre_sen), self._poke
        )
        self.welcomes = WelcomeDesk(self.book, vault, config.prefix, self._poke)
        self.cash_outs = CashOutDesk(price_id, litre_sen)
        self.customer = customer_of(
            engine, node, tip, config.customer, config.transaction_ttl_blocks
        )

    def _carry_out(self, desks: Desks) -> None:
        """Say what is done when somebody has approved, or has linked a wallet."""
        desks.approvals.carry(ApprovalKind.REFUND, refund_carrier(self.refunds, self._now_ms))
        desks.approvals.carry(
            ApprovalKind.LOYALTY_ADJUSTMENT, adjustment_carrier(self.loyalty, self._now_ms)
        )
        desks.approvals.carry(ApprovalKind.TOP_UP, top_up_carrier(self.top_ups, self._now_ms))
        desks.approvals.carry(ApprovalKind.BUDGET, carry_limit_out)
        desks.approvals.carry(ApprovalKind.CASH_OUT, cash_out_carrier(self.cash_outs, self._now_ms))
        for witness in (self.loyalty.credit_linked, self.welcomes.linked):
            desks.wallets.when_linked(self._by_our_clock(witness))

    def _by_our_clock(self, witness: LinkWitness) -> LinkWitness:
        """Let a witness of links go by the time of money, which is the chain's: people's is not."""

        async def told(
            connection: AsyncConnection, union_id: str, user_id: str, address: Address, _: int
        ) -> Sequence[NewEvent]:
            return await witness(connection, union_id, user_id, address, self._now_ms())

        return told

    async def order_changed(
        self, connection: AsyncConnection, before: Order, after: Order, now_ms: int
    ) -> Sequence[NewEvent]:
        """Hold milk back whose money goes back, free a coupon, give a point: an `OrderWitness`."""
        await hold_back(connection, before, after)
        freed = await self.coupon_settling.order_changed(connection, before, after, now_ms)
        return [*freed, *await self.loyalty.order_changed(connection, before, after, now_ms)]

    async def sweep(self) -> None:
        """End what time ends: coupons, prices, points; give points that missed their link."""

        async def work(connection: AsyncConnection) -> None:
            now_ms, linked_since_ms = self._now_ms(), self._people_ms() - MISSED_MS
            events = await self.loyalty.credit_missed(connection, linked_since_ms, now_ms)
            await forget_waiting(connection, now_ms)
            await self.cash_outs.expire(connection, now_ms)
            events += await self.coupons.expire(connection, now_ms)
            await write_events(connection, events)

        await in_transaction(self._engine, work)

    def _poke(self) -> None:
        """Say that there is something to sign."""
        self.office.poke()


def _reward(config: ApiConfig) -> Reward:
    """Give what finds the product that five points buy: the configured one, or the first."""
    known = [product.id for product in config.products]
    product_id = config.reward_product if config.reward_product in known else known[0]

    async def find(connection: AsyncConnection, merchant_id: str) -> ShopProduct:
        found = await find_product(connection, merchant_id, product_id)
        assert found is not None, "what is configured was written at the start"
        return found

    return find
