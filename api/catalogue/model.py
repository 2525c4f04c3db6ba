"""A pack that is sold, in words: what all merchants sell, or one merchant's own."""

from dataclasses import dataclass, replace
from typing import Final

from api.amounts import units_for

SHARED: Final = ""
"""Whose product it is that the configuration gives to all merchants."""
PRODUCTS_MAX: Final = 200
"""How many products of its own a merchant has at most, paused ones too."""
PRICE_SEN_MAX: Final = 1_000_000
"""Ten thousand ringgit."""
PACK_UNITS_MAX: Final = 100_000_000
"""A hundred litres: no shop sells a larger pack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopProduct:
    """A pack: its price in sen, and the milk that it redeems in units.

    A merchant's own row of an id stands before the shared one. Kind and size never change: another
    pack is another product.
    """

    merchant_id: str
    id: str
    name_en: str
    name_ms: str
    kind: str
    price_sen: int
    redeem_units: int
    active: bool = True

    def covers(self, litre_price_sen: int) -> bool:
        """Tell whether its price covers its milk, at a price of milk; if not, it is paused."""
        return units_for(self.price_sen, litre_price_sen) >= self.redeem_units

    def changed(self, **changes: object) -> "ShopProduct":
        """Give the product with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
