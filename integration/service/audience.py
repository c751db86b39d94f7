"""Who is told of what has fired: looked up when it has, as scopes hold the subjects at that moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from integration.domain.scope import Scope
from integration.service.crowd import Crowd
from integration.service.evaluate import Found
from integration.store.queries import deliveries, rules

#: (event seq, subscription id, destination id).
Owed = tuple[int, str, str]
#: Rules whose subscriptions are read at a time.
AT_ONCE = 500


class Audience:
    """The subscriptions and feeds that want events of some rules about some subjects.

    Whoever is seen here was there before the readings were: that is what "from the next reading on" means.
    """

    def __init__(self, connection: Connection, found: Sequence[Found], now: int) -> None:
        names = sorted({subject for _, subject, _ in found})
        self._place = {name: at for at, name in enumerate(names)}
        self._crowd = Crowd(connection, names)
        self._scopes: dict[str, Scope] = {}
        self._subscriptions: dict[str, list[rules.Wish]] = defaultdict(list)
        self._feeds: dict[str, list[rules.Wish]] = defaultdict(list)
        fired = sorted({rule.id for rule, _, _ in found})
        for start in range(0, len(fired), AT_ONCE):
            wanting, feeding = rules.wishes(connection, now, fired[start : start + AT_ONCE])
            for wishes, by_rule in ((wanting, self._subscriptions), (feeding, self._feeds)):
                for wish in wishes:
                    by_rule[wish.rule_id].append(wish)

    def wants(self, found: Found) -> bool:
        """Whether anyone wants this firing."""
        rule, subject, _ = found
        place = self._place[subject]
        return any(self._holds(wish, place) for wishes in (self._subscriptions, self._feeds) for wish in wishes[rule.id])

    def _holds(self, wish: rules.Wish, place: int) -> bool:
        scope = self._scopes.get(wish.scope)
        if scope is None:
            scope = self._scopes[wish.scope] = Scope.parse(wish.scope)
        return self._crowd.holds(scope, place)

    def tell(self, connection: Connection, numbered: Sequence[tuple[int, str, str]], now: int, due: int) -> int:
        """Put new events into the feeds and owe them to the subscriptions that want them; how many are owed."""
        items: list[tuple[str, int]] = []
        owed: list[Owed] = []
        recorded: list[Owed] = []
        for seq, rule, subject in numbered:
            place = self._place[subject]
            items += [(wish.id, seq) for wish in self._feeds[rule] if self._holds(wish, place)]
            for wish in self._subscriptions[rule]:
                if self._holds(wish, place):
                    (recorded if wish.shadow else owed).append((seq, wish.id, wish.destination_id))
        rules.add_feed_items(connection, items)
        deliveries.insert_deliveries(connection, owed, due)
        deliveries.record_shadows(connection, recorded, now)
        return len(owed)
