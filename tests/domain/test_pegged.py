"""Stablecoins and wrapped tokens are recognised by category, symbol or name, and nothing else is."""

from __future__ import annotations

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.pegged import is_stablecoin, is_wrapped


def token(name: str = "Token", symbol: str = "T", *categories: str) -> SubjectRow:
    return SubjectRow("token:1", "token", name, symbol, categories)


@pytest.mark.parametrize(
    ("row", "stable", "wrapped"),
    [
        (token("Tether", "USDT"), True, False),
        (token("Token", "T", "usd-stablecoin"), True, False),
        (token("Dai", "DAI"), True, False),
        (token("Lido Staked Ether", "STETH"), False, True),
        (token("Token", "T", "liquid-staking-tokens"), False, True),
        (token("Token", "USDC.E", "bridged-usdc"), False, True),
        (token("Sol (Wormhole)", "SOL"), False, True),
        (token("Binance-Peg Dogecoin", "DOGE"), False, True),
        (token("Wormhole", "W"), False, False),
        (token("Lido DAO", "LDO", "liquid-staking-governance-tokens"), False, False),
        (token("Bitcoin", "BTC", "layer-1"), False, False),
    ],
)
def test_stablecoins_and_wrapped_tokens_are_told_by_category_symbol_or_name(row: SubjectRow, stable: bool, wrapped: bool) -> None:
    assert (is_stablecoin(row), is_wrapped(row)) == (stable, wrapped)
