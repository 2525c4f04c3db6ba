"""Products that a configuration knows from the start."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from api.catalogue.model import SHARED, ShopProduct

Positive = Annotated[int, Field(gt=0, le=2**53)]


class ProductConfig(BaseModel):
    """A pack that is sold: its price in sen, and the milk that it redeems in units."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    name_en: Annotated[str, Field(min_length=1, max_length=80)]
    name_ms: Annotated[str, Field(min_length=1, max_length=80)]
    kind: Annotated[str, Field(min_length=1, max_length=32)] = "whole"
    price_sen: Positive
    redeem_units: Positive

    def shared(self) -> ShopProduct:
        """Give it as what all merchants sell."""
        return ShopProduct(merchant_id=SHARED, **self.model_dump())


DEFAULT_PRODUCTS: Final = (
    ProductConfig(
        id="whole-200",
        name_en="Whole milk 200 ml",
        name_ms="Susu penuh krim 200 ml",
        price_sen=180,
        redeem_units=200_000,
    ),
    ProductConfig(
        id="whole-500",
        name_en="Whole milk 500 ml",
        name_ms="Susu penuh krim 500 ml",
        price_sen=380,
        redeem_units=500_000,
    ),
    ProductConfig(
        id="whole-1000",
        name_en="Whole milk 1 litre",
        name_ms="Susu penuh krim 1 liter",
        price_sen=690,
        redeem_units=1_000_000,
    ),
)
