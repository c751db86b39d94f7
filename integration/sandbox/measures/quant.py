"""Quantmetrics of a day, computed in blocks of tokens when a page first needs them, with upstream's null rates."""

from collections import OrderedDict

import numpy as np

from integration.sandbox.market.base import Bools, Floats, Market
from integration.sandbox.measures.statistics import METRICS, quantmetrics

BLOCK = 256
_KEPT_BLOCKS = 64
_NULL_STREAM = 31
# upstream.md 2, quantmetrics: of 424 rows 131 are all null, 62 of those keep RISK_REWARD_RATIO, which is null in
# 76 of the others. Here nulls fall on tokens that are not well known only, so their rate is scaled up to match.
_NULL_SHARE, _KEEP_SHARE, _RATIO_NULL_SHARE = 131 / 424, 62 / 131, 76 / 293


class Quant:
    """Metrics by (day, token); pure in the market, the seed and ``nulls``."""

    def __init__(self, market: Market, nulls: bool) -> None:
        self._market = market
        self._blocks: OrderedDict[tuple[int, int], dict[str, Floats]] = OrderedDict()
        self._all_null, self._ratio_null = self._null_masks(nulls)

    def row(self, day: int, token: int) -> dict[str, float]:
        """The 14 metrics of a token on a day index; NaN where upstream would print null."""
        block = self._block(day, token // BLOCK)
        place = token % BLOCK
        return {metric: float(block[metric][place]) for metric in METRICS}

    def column(self, day: int, metric: str) -> Floats:
        """One metric for all tokens, shape (tokens,)."""
        blocks = range(-(-len(self._market.tokens) // BLOCK))
        return np.concatenate([self._block(day, block)[metric] for block in blocks])

    def _block(self, day: int, number: int) -> dict[str, Floats]:
        key = (day, number)
        if key not in self._blocks:
            self._blocks[key] = self._compute(day, number)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _compute(self, day: int, number: int) -> dict[str, Floats]:
        market, part = self._market, slice(number * BLOCK, (number + 1) * BLOCK)
        # A token listed after this day has no close yet: its first close is then taken on the day itself, as NaN.
        listed = np.minimum(market.listed[part], day)
        found = quantmetrics(market.close.rows[: day + 1, part], market.present.rows[: day + 1, part], listed)
        for metric in METRICS:
            hidden = self._ratio_null[part] if metric == "RISK_REWARD_RATIO" else self._all_null[part]
            found[metric] = np.where(hidden, np.nan, found[metric])
        return found

    def _null_masks(self, nulls: bool) -> tuple[Bools, Bools]:
        """Which tokens have every metric null, and which have no RISK_REWARD_RATIO."""
        known = self._market.well_known
        n, small = len(known), int((~known).sum())
        if not nulls or not small:
            return np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
        chance = self._market.draw(_NULL_STREAM).random((2, n))
        all_null = ~known & (chance[0] < _NULL_SHARE * n / small)
        ratio_null = ~known & (chance[1] < np.where(all_null, 1 - _KEEP_SHARE, _RATIO_NULL_SHARE))
        return all_null, ratio_null
