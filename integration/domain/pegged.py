"""Which tokens stand for something else: stablecoins for a currency; wrapped, bridged and staked tokens for another token.

Categories say so where Token Metrics gives them; where they do not, well-known symbols and names do. Neither is complete:
what is not recognised counts as a token of its own.
"""

from __future__ import annotations

import re

from integration.domain.catalogue import SubjectRow

_STABLE = (
    "USDT USDC DAI USDS USDE USD1 FDUSD TUSD USDD PYUSD USDP GUSD BUSD LUSD FRXUSD RLUSD USDY USD0 USDX USDF USDTB USDG USDB "
    "SUSDE SUSDS SUSD CRVUSD GHO DOLA MIM BUIDL AUSD EURC EURS EURT EURI AEUR XSGD GYEN"
)
_WRAPPED = (
    "WBTC WETH WBNB WSOL WAVAX WMATIC WPOL WTRX WBETH WSTETH STETH WEETH EETH RETH CBETH METH SWETH OSETH EZETH RSETH PUFETH "
    "FRXETH SFRXETH CBBTC BTCB RENBTC HBTC TBTC LBTC SOLVBTC FBTC UNIBTC CLBTC BTC.B ENZOBTC EBTC JITOSOL MSOL BNSOL JUPSOL "
    "STSOL BSOL STBTC BTCK KHYPE WHYPE SAVAX STTRX"
)
STABLE_SYMBOLS, WRAPPED_SYMBOLS = frozenset(_STABLE.split()), frozenset(_WRAPPED.split())
#: liquid-staking-governance-tokens are tokens of their own, liquid-staking-tokens are not.
WRAPPED_SLUG = re.compile(r"wrapped|bridged|tokenized-btc|liquid-(re)?staked|liquid-(re)?staking-(tokens|eth|sol|btc|bnb)")
WRAPPED_NAME = re.compile(r"\b(wrapped|bridged|staked|restaked|peg|pegged)\b|\(wormhole\)", re.IGNORECASE)
STABLE_NAME = re.compile(r"\b(stablecoin|usd coin|trueusd|paypal usd|frax dollar)\b", re.IGNORECASE)


def is_stablecoin(token: SubjectRow) -> bool:
    """Whether a token is meant to be worth a unit of a currency."""
    if any("stablecoin" in slug for slug in token.categories):
        return True
    return token.symbol in STABLE_SYMBOLS or STABLE_NAME.search(token.name) is not None


def is_wrapped(token: SubjectRow) -> bool:
    """Whether a token stands for another token, and moves with it because of that."""
    if any(WRAPPED_SLUG.search(slug) for slug in token.categories):
        return True
    return token.symbol in WRAPPED_SYMBOLS or WRAPPED_NAME.search(token.name) is not None
