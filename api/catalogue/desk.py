"""What a merchant does with its products. Each act runs in the caller's transaction.

A price is changed by two people: `change_price` is what an approval carries out. What is new has
the price that it comes with.
"""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.model import PRODUCTS_MAX, ShopProduct
from api.catalogue.store import count_products, find_product, lock_shop, store_product
from api.errors import Conflict, NotFound


class ProductDesk:
    """Begins and changes products; `litre_price_sen` is what a litre costs now."""

    def __init__(self, litre_price_sen: int) -> None:
        self._litre_price_sen = litre_price_sen

    async def begin(self, connection: AsyncConnection, product: ShopProduct) -> ShopProduct:
        """Let a merchant sell something new."""
        await lock_shop(connection, product.merchant_id)
        if await find_product(connection, product.merchant_id, product.id) is not None:
            raise Conflict("something is sold under this id: change it", code="ALREADY_KNOWN")
        if await count_products(connection, product.merchant_id) >= PRODUCTS_MAX:
            raise Conflict(
                f"a merchant has at most {PRODUCTS_MAX} products", code="TOO_MANY_PRODUCTS"
            )
        self.check_price(product, product.price_sen)
        await store_product(connection, product)
        return product

    async def correct(
        self,
        connection: AsyncConnection,
        merchant_id: str,
        product_id: str,
        changes: Mapping[str, object],
    ) -> ShopProduct:
        """Write names anew, pause or resume; what all sell becomes the merchant's own by that."""
        product = await self.locked(connection, merchant_id, product_id)
        if not changes:
            return product
        return await self._store(connection, merchant_id, product.changed(**changes))

    async def locked(
        self, connection: AsyncConnection, merchant_id: str, product_id: str
    ) -> ShopProduct:
        """Read a product that nobody else changes until the transaction ends."""
        await lock_shop(connection, merchant_id)
        product = await find_product(connection, merchant_id, product_id)
        if product is None:
            raise NotFound("there is no such product")
        return product

    async def change_price(
        self,
        connection: AsyncConnection,
        merchant_id: str,
        product_id: str,
        from_sen: int,
        to_sen: int,
    ) -> ShopProduct:
        """Write a price that two people agreed to, if it still is what they have changed."""
        product = await self.locked(connection, merchant_id, product_id)
        if product.price_sen != from_sen:
            raise Conflict("the price is another one by now: ask anew", code="PRICE_CHANGED")
        self.check_price(product, to_sen)
        return await self._store(connection, merchant_id, product.changed(price_sen=to_sen))

    def check_price(self, product: ShopProduct, price_sen: int) -> None:
        """Raise `Conflict` for a price that does not cover the milk."""
        if not product.changed(price_sen=price_sen).covers(self._litre_price_sen):
            raise Conflict(
                "at the price of milk now, this is less than the milk in it costs",
                code="PRICE_BELOW_MILK",
            )

    async def _store(
        self, connection: AsyncConnection, merchant_id: str, product: ShopProduct
    ) -> ShopProduct:
        own = product.changed(merchant_id=merchant_id)
        if product.merchant_id != merchant_id:
            count = await count_products(connection, merchant_id)
            if count >= PRODUCTS_MAX:
                raise Conflict(
                    f"a merchant has at most {PRODUCTS_MAX} products", code="TOO_MANY_PRODUCTS"
                )
        await store_product(connection, own)
        return own
