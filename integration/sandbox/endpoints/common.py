"""Parts that rows share."""

from integration.sandbox.market.base import Bools
from integration.sandbox.market.token import Token
from integration.sandbox.query import BadRequestError, Query
from integration.sandbox.selection import NAMED
from integration.sandbox.view import Row, View


def identity(token: Token) -> Row:
    """TOKEN_ID, TOKEN_NAME, TOKEN_SYMBOL."""
    return {"TOKEN_ID": token.token_id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol}


def require(query: Query, *v2_names: str) -> None:
    """BadRequest unless a required parameter is there; v3 takes any parameter that names tokens."""
    names = NAMED if query.version == "v3" else v2_names
    if query.text(*names) is None:
        raise BadRequestError(f"{' or '.join(names)} is required")


def blank(view: View, stream: int, share: float) -> Bools:
    """Tokens whose value is null, about ``share`` of all, never a well-known one; none where nulls are off."""
    small = ~view.market.well_known
    if not view.settings.nulls or not small.any():
        return ~small & small
    chance = share * len(small) / int(small.sum())
    hidden: Bools = small & (view.market.draw(stream).random(len(small)) < chance)
    return hidden


def percent_change(now: float, before: float) -> float:
    """Change in percent of the value before, 2 digits."""
    return round(100 * (now / before - 1), 2) if before else 0.0
