"""What triggers over a level or a state share: from sides to what is told, payload fields and look back included."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import fields

from integration.domain.catalogue import Kept, Lookback, Options, States
from integration.domain.delta import COUNTED, MEMORY, Crossing, Sides, cool_down, crossings, standing, thresholds
from integration.domain.history import Floats, History, Ints
from integration.domain.payload import described, iso
from integration.domain.screen import Watch
from integration.triggers._options import cooldown, held_for

UP, DOWN = 1, -1
#: The sides that a direction asks for.
WANTED: Mapping[str, tuple[int, ...]] = {"up": (UP,), "down": (DOWN,), "either": (UP, DOWN)}


@dataclass(frozen=True, slots=True)
class Crossed:
    """A change of side that is told. Positions are those of the observations.

    It counts from `at`; its run began at `start`; `before` was the last observation not yet on the new side. `suppressed`
    changes were kept silent since the last one told.
    """

    at: int
    start: int
    before: int
    side: int
    previous: int
    suppressed: int


def confirmed(history: History, as_of: Ints, sides: Sides, options: Options) -> list[Crossing]:
    """The changes of side that held for as many readings and as long as the options ask."""
    return crossings(
        as_of,
        sides,
        cadence=history.cadence,
        max_gap=history.max_gap,
        observations=options["min_observations"],
        duration=held_for(options),
    )


def crossed(
    history: History,
    as_of: Ints,
    sides: Sides,
    options: Options,
    wanted: Collection[int] | None = None,
    fits: Callable[[Crossing], bool] = lambda _: True,
) -> list[Crossed]:
    """The changes of side that a rule tells: confirmed, not within the quiet time of another, to a wanted side, and fit."""
    found = confirmed(history, as_of, sides, options)

    def told(k: int) -> bool:
        return (wanted is None or found[k].side in wanted) and fits(found[k])

    notices = cool_down(as_of, [c.at for c in found], cooldown(options), told)
    by_position = {crossing.at: crossing for crossing in found}
    return [Crossed(n.at, c.start, c.before, c.side, c.previous, n.suppressed) for n in notices for c in (by_position[n.at],)]


def level_lookback(options: Options, observations: int = 2, milliseconds: int = 0) -> Lookback:
    """A side is remembered for MEMORY; silent changes are counted for COUNTED, each by its own quiet time.

    `observations` and `milliseconds` are what a single value looks back to, beyond that. How long a side must hold is
    part of MEMORY: see `held_for`.
    """
    return Lookback(observations, MEMORY + COUNTED + cooldown(options) + milliseconds)


def counting(history: History, as_of: Ints, sides: Sides, options: Options) -> Sides:
    """The side that counts at each observation, 0 until one does: what `confirmed` are changes of."""
    return standing(
        as_of,
        sides,
        cadence=history.cadence,
        max_gap=history.max_gap,
        observations=options["min_observations"],
        duration=held_for(options),
    )


def holding(history: History, values: Floats, sides: Sides, options: Options, side: int) -> States:
    """Whether a lasting condition is true at each reading: 1 or 0, and -1 until a side is known.

    `values` are the readings', NaN where there was no observation; `sides` those of the observations alone.
    """
    known = ~np.isnan(values)
    counted = counting(history, history.as_of[known], sides, options)
    states = np.full(len(values), -1, dtype=np.int8)
    states[known] = np.where(counted == 0, -1, counted == side)
    return states


def kept(source: str, metric: str, options: Options, side: int, upper: float = UP, lower: float = DOWN) -> Kept:
    """What is so while a side counts that is confirmed as the options say; of signals, bullish and bearish are sides."""
    return Kept(f"{source}.{metric}", (options["min_observations"], float(held_for(options))), side, upper, lower)


def kept_level(source: str, metric: str, level: float, hysteresis: float, options: Options, *, below: bool) -> Kept:
    """As `kept`, for the side of a level that is asked for."""
    return kept(source, metric, options, DOWN if below else UP, *thresholds(level, hysteresis, below=below))


def watch_level(metric: str, level: float, hysteresis: float, options: Options, *, below: bool, tells: Sequence[int]) -> Watch:
    """What a rule over a level watches, for screening: see `domain.delta.level_sides` for the two thresholds."""
    upper, lower = thresholds(level, hysteresis, below=below)
    return Watch(metric, upper, lower, tuple(tells), options["min_observations"], cooldown(options))


# -- payload fields --------------------------------------------------------------------------------------------------


def suppressed_field() -> fields.Integer:
    """How many changes were kept silent."""
    return fields.Integer(required=True, metadata=described("Suppressed", "Changes kept silent since the last one told"))


def crossed_at_field() -> fields.String:
    """When a confirmed change began."""
    return fields.String(required=True, metadata=described("Crossed At", "The first reading on the new side"))


def direction_field() -> fields.String:
    """up or down."""
    return fields.String(required=True, metadata=described("Direction", "up or down"))


def crossing_fields(crossing: Crossed, as_of: Ints) -> dict[str, Any]:
    """`direction`, `crossed_at` and `suppressed_count` of a change between two sides or classes."""
    return {
        "direction": "up" if crossing.side > crossing.previous else "down",
        "crossed_at": iso(int(as_of[crossing.start])),
        "suppressed_count": crossing.suppressed,
    }
