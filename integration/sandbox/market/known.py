"""Real tokens: names and ids as upstream.md 1.8 lists them; prices and supplies are round figures, made up.

An id of 0 means that upstream.md lists none: the backend gives one of its own.
"""

from integration.sandbox.market.token import Token, slug_of

OWN_IDS = 900_000
"""Ids above this one are the sandbox's own, not Token Metrics'."""

_TABLE = """
BTC|3375|Bitcoin|layer-1|42000|19.6e6
ETH|3306|Ethereum|layer-1|2300|120e6
USDT|3379|Tether|stablecoin|1|91e9
BNB|3312|BNB|layer-1|310|153e6
SOL|3988|Solana|layer-1|100|430e6
XRP|3369|XRP|payments|0.62|54e9
USDC|3396|USD Coin|stablecoin|1|24.5e9
ADA|3315|Cardano|layer-1|0.6|35e9
AVAX|4015|Avalanche|layer-1|38|366e6
DOGE|3393|Dogecoin|meme|0.09|142e9
HYPE|0|Hyperliquid|defi|25|334e6
TRX|3119|Tron|layer-1|0.107|88e9
DOT|3924|Polkadot|layer-1|8.2|1.27e9
LINK|3796|Chainlink|infrastructure|15|568e6
MATIC|2974|Polygon|layer-2|0.97|9.3e9
TON|2037|Toncoin|layer-1|2.3|3.46e9
SHIB|14934|Shiba Inu|meme|1.03e-5|589e12
LTC|3377|Litecoin|payments|73|74e6
DAI|3427|Dai|stablecoin|1|5.3e9
BCH|3376|Bitcoin Cash|payments|260|19.6e6
UNI|4425|Uniswap|defi|7.3|754e6
XLM|3380|Stellar|payments|0.13|28.3e9
XMR|3381|Monero|privacy|165|18.1e6
ETC|3388|Ethereum Classic|layer-1|22|144e6
ICP|13138|Internet Computer|layer-1|13|452e6
NEAR|4348|NEAR Protocol|layer-1|3.7|1e9
FIL|4017|Filecoin|infrastructure|6.9|483e6
APT|25467|Aptos|layer-1|9.9|305e6
HBAR|3903|Hedera|layer-1|0.087|33.6e9
INJ|4360|Injective|defi|38|84e6
OP|24256|Optimism|layer-2|3.8|911e6
VET|3721|VeChain|infrastructure|0.034|72.7e9
LDO|13423|Lido DAO|defi|2.7|890e6
ARB|28575|Arbitrum|layer-2|1.6|1.27e9
GRT|4212|The Graph|infrastructure|0.18|9.3e9
KAS|24749|Kaspa|layer-1|0.11|22e9
RNDR|4139|Render|ai|4.6|373e6
AAVE|4053|Aave|defi|110|14.7e6
MKR|3389|Maker|defi|1700|0.92e6
SUI|25383|Sui|layer-1|0.77|1.03e9
RUNE|4306|THORChain|defi|5.2|337e6
ALGO|3078|Algorand|layer-1|0.22|8e9
FTM|3600|Fantom|layer-1|0.49|2.8e9
GALA|12631|Gala|gaming|0.03|27e9
PEPE|28902|Pepe|meme|1.3e-6|420e12
TMAI|36697|Token Metrics AI|ai|0.0015|6.4e9
"""

# Symbols are not unique upstream (1.8): these share one, or show that a symbol may read like a name.
_TWINS = """
SOL|20613|Wrapped Solana|infrastructure|100|2e6
SOL|21865|Sol (Wormhole)|infrastructure|100|0.9e6
TON|3813|Tokamak Network|layer-2|2.4|44e6
PEPE|29270|Pepe (29270)|meme|2e-8|9e13
PEPE|30483|Pepe (30483)|meme|4e-7|1e13
BITCOIN|29367|Harrypotterobamasonic10inu (Eth)|meme|0.09|1e9
GTC|17528|Gitcoin|infrastructure|1.2|61e6
EXVG|35809|Exverse|gaming|0.05|1e9
DCB|936|Decubate|defi|0.02|4e8
"""

_REPLAY_ONLY = """
ANT|0|Aragon|infrastructure|5|40e6
BAT|0|Basic Attention Token|infrastructure|0.8|1.49e9
BSV|0|Bitcoin SV|payments|90|19e6
COMP|0|Compound|defi|120|6.5e6
CRO|0|Cronos|layer-1|0.5|25.3e9
DASH|0|Dash|payments|100|10.6e6
ENJ|0|Enjin Coin|gaming|1.8|0.85e9
EOS|0|EOS|layer-1|2.4|0.97e9
HOT|0|Holo|infrastructure|0.005|172e9
LRC|0|Loopring|layer-2|0.9|1.25e9
MANA|0|Decentraland|gaming|2.8|1.8e9
NEO|0|Neo|layer-1|22|70.5e6
OMG|0|OMG Network|layer-2|4.8|140e6
ONT|0|Ontology|layer-1|0.55|0.87e9
QTUM|0|Qtum|layer-1|6.7|104e6
RVN|0|Ravencoin|payments|0.067|10e9
SNX|0|Synthetix|defi|4.5|114e6
THETA|0|Theta Network|infrastructure|3.6|1e9
TUSD|0|TrueUSD|stablecoin|1|1.4e9
WAVES|0|Waves|layer-1|9.4|108e6
XTZ|0|Tezos|layer-1|3.9|0.88e9
ZEC|0|Zcash|privacy|117|12e6
ZIL|0|Zilliqa|layer-1|0.049|12.6e9
"""


def _read(table: str) -> tuple[Token, ...]:
    tokens = []
    for line in table.split("\n"):
        if line:
            symbol, token_id, name, sector, price, supply = line.split("|")
            token = Token(
                token_id=int(token_id),
                name=name,
                symbol=symbol,
                sector=sector,
                price=float(price),
                supply=float(supply),
                max_supply=float(supply) * 1.2,
                well_known=True,
                slug=slug_of(name),
            )
            tokens.append(token)
    return tuple(tokens)


LISTED = _read(_TABLE)
"""The larger tokens, largest first."""

TWINS = _read(_TWINS)
"""Smaller tokens whose symbols are shared or misleading."""

BY_SYMBOL = {token.symbol: token for token in (*_read(_REPLAY_ONLY), *LISTED)}
"""For a replay: the token a CSV's symbol stands for."""
