"""Categories, exchanges and chains that tokens are given; a few ids and names are upstream's, the rest made up."""

import zlib
from typing import Any

from integration.sandbox.market.token import Token

CATEGORIES: dict[str, tuple[int, str]] = {
    "layer-1": (63, "Layer 1 (L1)"),
    "smart-contract-platform": (28, "Smart Contract Platform"),
    "ethereum-ecosystem": (143, "Ethereum Ecosystem"),
    "binance-smart-chain": (102, "BNB Chain Ecosystem"),
    "solana-ecosystem": (144, "Solana Ecosystem"),
    "layer-2": (64, "Layer 2 (L2)"),
    "defi": (12, "Decentralized Finance (DeFi)"),
    "yield-farming": (15, "Yield Farming"),
    "meme": (35, "Meme"),
    "stablecoin": (40, "Stablecoins"),
    "ai": (51, "Artificial Intelligence (AI)"),
    "gaming": (55, "Gaming (GameFi)"),
    "nft": (56, "NFT"),
    "payments": (60, "Payments"),
    "privacy": (61, "Privacy Coins"),
    "infrastructure": (62, "Infrastructure"),
}
"""slug -> (category_id, category_name)."""

_ALSO = {
    "layer-1": ("smart-contract-platform",),
    "defi": ("ethereum-ecosystem", "yield-farming"),
    "gaming": ("nft",),
    "layer-2": ("ethereum-ecosystem",),
}

EXCHANGES: dict[str, str] = {
    "binance": "Binance",
    "gate": "Gate.io",
    "mxc": "MEXC",
    "bybit_spot": "Bybit",
    "okex": "OKX",
    "crypto_com": "Crypto.com Exchange",
    "whitebit": "WhiteBIT",
    "bitmart": "BitMart",
    "kraken": "Kraken",
    "kucoin": "KuCoin",
    "uniswap_v3": "Uniswap V3 (Ethereum)",
    "pancakeswap_new": "PancakeSwap (v2)",
}
"""exchange_id -> exchange_name."""

_CHAINS = {"ethereum": "ethereum-ecosystem", "binance-smart-chain": "binance-smart-chain", "solana": "solana-ecosystem"}
_OWN_CHAIN = {"layer-1", "payments", "privacy"}


def slugs(token: Token) -> tuple[str, ...]:
    """Category slugs of a token: its sector, what goes with it, and its chains."""
    found = [token.sector, *_ALSO.get(token.sector, ()), *(_CHAINS[chain] for chain in token.chains)]
    return tuple(dict.fromkeys(found))


def category_list(token: Token) -> list[dict[str, Any]]:
    """CATEGORY_LIST as upstream prints it."""
    return [
        {"category_id": CATEGORIES[slug][0], "category_name": CATEGORIES[slug][1], "category_slug": slug} for slug in slugs(token)
    ]


def exchange_list(token: Token) -> list[dict[str, Any]]:
    """EXCHANGE_LIST as upstream prints it."""
    return [{"exchange_id": key, "exchange_name": EXCHANGES[key]} for key in token.exchanges]


def placed(token: Token, place: int) -> dict[str, Any]:
    """Exchanges and contract addresses for the token of rank ``place``; the larger, the more exchanges."""
    mix = zlib.crc32(f"{token.token_id} {token.name}".encode())
    names = tuple(EXCHANGES)
    count = len(names) if place < 30 else 1 + mix % 6
    first = 0 if place < 30 else mix // 7 % len(names)
    exchanges = tuple(names[(first + step) % len(names)] for step in range(count))
    if token.sector in _OWN_CHAIN:
        return {"exchanges": exchanges, "chains": {}}
    chain = tuple(_CHAINS)[mix // 11 % len(_CHAINS)]
    return {"exchanges": exchanges, "chains": {chain: f"0x{mix:08x}{token.token_id:032x}"}}
