"""How much may be asked, as a configuration says it."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from node.addresses import Network, parse_networks
from node.errors import BadConfig

CAMPUS_TIMES: Final = 100
"""A campus network is one address of so many people."""

Rate = Annotated[int, Field(ge=1, le=10_000_000)]


class LimitsConfig(BaseModel):
    """Requests a minute, each over a sliding window that all workers share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    payer_per_minute: Rate = 10
    """Payment attempts of one payer, by what they signed: a person with all their wallets."""
    flagged_per_minute: Rate = 3
    """The same, while a flag of theirs stands."""
    order_per_minute: Rate = 30
    """Payment attempts for one order; apart from them as many that nobody signed for it."""
    address_per_minute: Rate = 600
    """Requests of one address (of one /64 for IPv6) that show no credential."""
    person_per_minute: Rate = 600
    """Requests of one person who has logged in."""
    campus_networks: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    """Networks that many people share an address of: a hundred times as much is let through."""

    @field_validator("campus_networks")
    @classmethod
    def _campuses_are_networks(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what is no network now, rather than never to match it."""
        try:
            parse_networks(texts)
        except BadConfig as fault:
            raise ValueError(str(fault)) from fault
        return texts

    @property
    def campuses(self) -> tuple[Network, ...]:
        """Give the networks, read."""
        return parse_networks(self.campus_networks)


MEASURED: Final = LimitsConfig(
    payer_per_minute=1_000_000,
    order_per_minute=1_000_000,
    address_per_minute=1_000_000,
    person_per_minute=1_000_000,
)
"""Limits of a network that is measured: its wallets pay without rest."""
