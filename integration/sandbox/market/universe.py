"""The model's tokens: the real ones first, then as many made-up ones as asked."""

import re
from dataclasses import replace

import numpy as np

from integration.sandbox.market.catalogue import placed
from integration.sandbox.market.known import LISTED, OWN_IDS, TWINS
from integration.sandbox.market.token import Token, slug_of

_SECTORS = ("defi", "layer-1", "gaming", "meme", "infrastructure", "ai", "layer-2", "payments", "privacy")
_HEADS = re.findall(r"\w+", "ar bel cor dan el fin gor hal ix jun kor lum mer nov or pal qui ras sol tor ul ver wen xan yor zel")
_MIDS = re.findall(r"\w+", "a e i o u ami eri ona ulo ita era ovi ane")
_TAILS = re.findall(r"\w+", "chain dex fi grid lux mint net ora pay rix swap tide verse x yield zone")


def universe(count: int, seed: int) -> tuple[Token, ...]:
    """``count`` tokens, larger ones first; the same for the same seed."""
    real = (*LISTED, *TWINS)[:count]
    made_up = _made_up(count - len(real), len(real), seed)
    tokens = []
    for place, token in enumerate((*real, *made_up)):
        numbered = token if token.token_id else replace(token, token_id=OWN_IDS + 1)
        tokens.append(replace(numbered, **placed(numbered, place)))
    return tuple(tokens)


def _made_up(count: int, before: int, seed: int) -> list[Token]:
    """Tokens with invented names, own ids from 900,002, and market caps that fall with rank."""
    rng = np.random.default_rng([seed, 1])
    names: set[str] = set()
    symbols = {token.symbol for token in (*LISTED, *TWINS)}
    tokens: list[Token] = []
    for number in range(count):
        name = _name(rng, names)
        price = float(10 ** rng.uniform(-5, 1.7))
        cap = 4e9 * ((before + number + 1) / 50) ** -1.6 * float(np.exp(rng.normal(0, 0.3)))
        # About one symbol in sixty is shared with another token, as upstream.
        symbol = tokens[-1].symbol if tokens and number % 60 == 59 else _symbol(name, symbols)
        tokens.append(
            Token(
                token_id=OWN_IDS + 2 + number,
                name=name,
                symbol="BTC" if number == 20 else symbol,
                sector=_SECTORS[int(rng.integers(len(_SECTORS)))],
                price=price,
                supply=float(f"{cap / price:.4g}"),
                max_supply=float(f"{cap / price * rng.uniform(1, 3):.4g}"),
                slug=slug_of(name),
            )
        )
    return tokens


def _name(rng: np.random.Generator, taken: set[str]) -> str:
    """An invented name not used before."""
    while True:
        head, mid, tail = (parts[int(rng.integers(len(parts)))] for parts in (_HEADS, _MIDS, _TAILS))
        name = f"{head}{mid}{tail}".capitalize()
        if name in taken:
            name = f"{name} {_HEADS[int(rng.integers(len(_HEADS)))].capitalize()}"
        if name not in taken:
            taken.add(name)
            return name


def _symbol(name: str, taken: set[str]) -> str:
    """Three to five upper-case letters of the name; a number is added where that is taken."""
    letters = [letter for letter in name.upper() if letter.isalpha()]
    kept = letters[:1] + [letter for letter in letters[1:] if letter not in "AEIOU"]
    stem = "".join(kept[: 3 + len(name) % 3])
    symbol, number = stem, 2
    while symbol in taken:
        symbol, number = f"{stem}{number}", number + 1
    taken.add(symbol)
    return symbol
