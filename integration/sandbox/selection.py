"""Which tokens a request asks for: ids, symbols, names, slugs, categories, exchanges, addresses, minimums."""

from collections.abc import Callable

import numpy as np

from integration.sandbox.market.base import Bools, Floats, Ints
from integration.sandbox.market.catalogue import CATEGORIES, EXCHANGES, slugs
from integration.sandbox.market.token import Token
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.view import View

NAMED = ("token_id", "symbol", "token_name", "slug")
"""Parameters that name tokens."""


def columns(view: View, query: Query) -> Ints:
    """Columns of the tokens listed today that pass every filter, larger tokens first."""
    return np.flatnonzero(selected(view, query))


def selected(view: View, query: Query) -> Bools:
    """The same as a mask over all columns."""
    mask = view.market.listed_by(view.today)
    mask &= _by_id(view, query)
    for test in _text_tests(query):
        mask &= np.fromiter((test(token) for token in view.market.tokens), np.bool_, len(mask))
    for name, values in _minimums(view, query):
        least = query.minimum(name)
        mask &= values >= least if least is not None else True
    return mask


def _by_id(view: View, query: Query) -> Bools:
    wanted = query.items("token_id")
    if not wanted:
        return np.ones(len(view.market.tokens), dtype=np.bool_)
    if not all(text.isdecimal() for text in wanted):
        raise BadRequestError("token_id must be whole numbers separated by commas")
    return np.isin(view.market.ids, [int(text) for text in wanted])


def _text_tests(query: Query) -> list[Callable[[Token], bool]]:
    """One test for each text filter given; case does not matter."""

    def among(name: str) -> frozenset[str]:
        return frozenset(text.lower() for text in query.items(name))

    symbols, names, slugs_wanted = among("symbol"), among("token_name"), among("slug")
    categories, exchanges, addresses = among("category"), among("exchange"), among("blockchain_address")
    tests: list[tuple[frozenset[str], Callable[[Token], bool]]] = [
        (symbols, lambda token: token.symbol.lower() in symbols),
        (names, lambda token: token.name.lower() in names),
        (slugs_wanted, lambda token: token.slug in slugs_wanted),
        (categories, lambda token: not categories.isdisjoint(_category_words(token))),
        (exchanges, lambda token: not exchanges.isdisjoint(_exchange_words(token))),
        (addresses, lambda token: not addresses.isdisjoint(f"{chain}:{at}" for chain, at in token.chains.items())),
    ]
    return [test for wanted, test in tests if wanted]


def _category_words(token: Token) -> set[str]:
    """A category may be given by slug, by name, or by slug with spaces."""
    own = slugs(token)
    return {*own, *(slug.replace("-", " ") for slug in own), *(CATEGORIES[slug][1].lower() for slug in own)}


def _exchange_words(token: Token) -> set[str]:
    return {*token.exchanges, *(EXCHANGES[key].lower() for key in token.exchanges)}


def _minimums(view: View, query: Query) -> list[tuple[str, Floats]]:
    """Size filters given, with today's values by column."""
    market, day = view.market, view.today
    sizes: dict[str, Callable[[], Floats]] = {
        "marketcap": lambda: market.market_cap(day),
        "volume": lambda: np.asarray(market.volume[day]),
        "fdv": lambda: np.asarray(market.close[day] * market.max_supply),
    }
    return [(name, values()) for name, values in sizes.items() if query.text(name)]
