"""A token as the market knows it."""

import re
from dataclasses import dataclass, field

SANDBOX_LINK = "https://sandbox.invalid"
"""Where app links point: a reserved name that never resolves, so that no one takes it for the vendor's page."""


@dataclass(frozen=True)
class Token:
    """One token: identity as upstream gives it, and the model's fixed figures (price in USD, supplies in coins)."""

    token_id: int
    name: str
    symbol: str
    sector: str
    price: float
    supply: float
    max_supply: float
    well_known: bool = False
    slug: str = ""
    chains: dict[str, str] = field(default_factory=dict)
    exchanges: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        """The token's app link, at an address that cannot exist."""
        return f"{SANDBOX_LINK}/{self.slug}"


def slug_of(name: str) -> str:
    """Lower-case words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
