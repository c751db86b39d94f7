"""The largest tokens by market cap, each with whether it is a stablecoin or stands for another token.

Derived from upstream's own order; see `domain.pegged` for how stablecoins and wrapped tokens are recognised.
"""

from __future__ import annotations

from integration.domain.catalogue import Panel, SubjectRow
from integration.domain.history import Floats
from integration.domain.pegged import is_stablecoin, is_wrapped
from integration.sources._panels import RANKS
from integration.sources._ranking import Ranking, ranking_source

#: Enough that the top 100 and its exit buffer can be told without stablecoins and wrapped tokens.
KEPT = 300


def figures(panel: Panel) -> dict[str, Floats]:
    """Market cap ranks; 1 is the largest."""
    return {"market_cap": panel.of("market_rank")}


def pegged(token: SubjectRow) -> dict[str, bool]:
    """What a token stands for."""
    return {"stablecoin": is_stablecoin(token), "wrapped": is_wrapped(token)}


SOURCE = ranking_source(
    "market_cap_ranking",
    "Ranking by market cap",
    # each list is whole: one that it leaves out is no longer among the largest
    Ranking(RANKS, {"market_cap": "market cap"}, figures, lowest=True, kept=KEPT, carried=0, more=pegged),
)
