"""The walk behind the market model: regimes, a market factor, sector factors and each token's own moves, seeded.

Log price of token i on day d, up to a constant: beta_i * M(d) + gamma_i * S_sector(d) + I_i(d). M, S and I are
random walks with a weak pull to zero, so that prices stay in range however long the clock runs. M's drift and all
volatilities depend on a regime (bull, bear, sideways) that follows a Markov chain. Day d draws from streams seeded
by (seed, label, d) only, so the path does not depend on how the clock gets there.
"""

from collections.abc import Sequence

import numpy as np

from integration.sandbox.market.base import Floats
from integration.sandbox.market.token import Token

BULL, BEAR, SIDEWAYS = 0, 1, 2
_DRIFT = (0.0040, -0.0040, 0.0)
_VOLATILITY = (0.020, 0.028, 0.013)
_STAY = (1 - 1 / 45, 1 - 1 / 35, 1 - 1 / 25)
_MARKET_PULL, _SECTOR_PULL, _OWN_PULL, _STABLE_PULL = 0.0015, 0.004, 0.003, 0.3
_SECTOR_VOLATILITY, _STABLE_VOLATILITY = 0.012, 0.0008
_JUMP_CHANCE, _JUMP_SIZE = 0.004, 0.25
# A t distribution with 5 or 6 degrees of freedom times these has a standard deviation of one.
_T5, _T6 = 0.77, 0.82
_CHARACTERS, _REGIME, _DAY = 3, 4, 5


class Walk:
    """The walk of a set of tokens; each step goes one day on, from day index 0."""

    def __init__(self, tokens: Sequence[Token], seed: int) -> None:
        self._seed, self._day = seed, 0
        n, rng = len(tokens), np.random.default_rng([seed, _CHARACTERS])
        sectors = sorted({token.sector for token in tokens})
        self._sector = np.array([sectors.index(token.sector) for token in tokens])
        self._stable = np.array([token.sector == "stablecoin" for token in tokens])
        small = np.clip(np.arange(n) / 60, 0, 1)
        self._beta = np.where(self._stable, 0.0, rng.normal(1.05, 0.15, n) + 0.15 * small)
        self._gamma = np.where(self._stable, 0.0, rng.uniform(0.6, 1.4, n))
        usual = rng.uniform(0.016, 0.026, n) + 0.022 * small
        self.volatility: Floats = np.where(self._stable, _STABLE_VOLATILITY, usual)
        self.regime = SIDEWAYS
        self._market = 0.0
        self._sectors: Floats = np.zeros(len(sectors))
        self._own: Floats = np.zeros(n)

    def step(self) -> Floats:
        """Log price of each token on the next day, less its constant."""
        rng = np.random.default_rng([self._seed, _DAY, self._day])
        self._change_regime(np.random.default_rng([self._seed, _REGIME, self._day]))
        self._day += 1
        shock = _DRIFT[self.regime] + _VOLATILITY[self.regime] * float(rng.standard_t(6)) * _T6
        self._market += shock - _MARKET_PULL * self._market
        self._sectors += rng.normal(0, _SECTOR_VOLATILITY, len(self._sectors)) - _SECTOR_PULL * self._sectors
        pull = np.where(self._stable, _STABLE_PULL, _OWN_PULL)
        self._own += self._moves(rng) - pull * self._own
        level: Floats = self._beta * self._market + self._gamma * self._sectors[self._sector] + self._own
        return level

    def _change_regime(self, rng: np.random.Generator) -> None:
        if rng.random() > _STAY[self.regime]:
            self.regime = int((self.regime + rng.integers(1, 3)) % 3)

    def _moves(self, rng: np.random.Generator) -> Floats:
        """Each token's own move: fat tails, wilder in a bear market, and now and then a jump."""
        n = len(self._own)
        moves = rng.standard_t(5, n) * _T5 * self.volatility * (1.25 if self.regime == BEAR else 1.0)
        jumped = (rng.random(n) < _JUMP_CHANCE) & ~self._stable
        moved: Floats = moves + np.where(jumped, rng.normal(0, _JUMP_SIZE, n), 0.0)
        return moved
