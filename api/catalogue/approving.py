"""Prices that one manager does not change alone: a second person lets it happen."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.desk import Carrier
from api.approvals.model import Approval, ApprovalKind
from api.catalogue.desk import ProductDesk
from api.catalogue.model import ShopProduct
from api.config import ApiConfig
from api.people.desks import Desks
from api.people.means import Actor


async def ask_for_price(
    connection: AsyncConnection,
    desks: Desks,
    actor: Actor,
    merchant_id: str,
    product: ShopProduct,
    price_sen: int,
) -> Approval:
    """Ask a second person to let a product cost something else."""
    wish = {
        "productId": product.id,
        "fromSen": str(product.price_sen),
        "priceSen": str(price_sen),
    }
    kind = ApprovalKind.PRODUCT_PRICE
    return await desks.approvals.ask(connection, actor, kind, merchant_id, wish, merchant_id)


def open_catalogue(config: ApiConfig, desks: Desks) -> ProductDesk:
    """Make the desk of products, and let it carry out what was approved."""
    products = ProductDesk(config.litre_price_sen)
    desks.approvals.carry(ApprovalKind.PRODUCT_PRICE, _carrier(products))
    return products


def _carrier(products: ProductDesk) -> Carrier:
    """Make what writes a price once it was approved."""

    async def carry_out(connection: AsyncConnection, approval: Approval) -> None:
        told = approval.wish
        await products.change_price(
            connection,
            approval.merchant_id,
            told["productId"],
            int(told["fromSen"]),
            int(told["priceSen"]),
        )

    return carry_out
