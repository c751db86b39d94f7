"""Who is told of what has fired: looked up when it has, as scopes hold the subjects at that moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection

from integration.domain.digest import BUDGET
from integration.service.asked import Asked
from integration.service.crowd import Crowd
from integration.service.evaluate import ActiveRule, Found
from integration.service.grouping import bundle, group
from integration.store.queries import deliveries, digests, rules

#: (event seq, subscription id, destination id).
Owed = tuple[int, str, str]


class Audience:
    """The subscriptions and feeds that want events of some rules about some subjects.

    Whoever is seen here was there before the readings were: that is what "from the next reading on" means.
    """

    def __init__(self, connection: Connection, asked: Asked, found: Sequence[tuple[ActiveRule, str]], now: int) -> None:
        names = sorted({subject for _, subject in found})
        self._place = {name: at for at, name in enumerate(names)}
        crowd = Crowd(connection, names)
        self._through: dict[tuple[str, str], list[str]] = {
            (rule.id, subject): list(asked.scopes(rule.id, crowd, self._place[subject])) for rule, subject in found
        }
        pairs = sorted({(rule, scope) for (rule, _), scopes in self._through.items() for scope in scopes})
        self._subscriptions: dict[tuple[str, str], list[rules.Wish]] = defaultdict(list)
        self._feeds: dict[tuple[str, str], list[rules.Wish]] = defaultdict(list)
        wanting, feeding = rules.wishes(connection, now, pairs)
        for wishes, by_pair in ((wanting, self._subscriptions), (feeding, self._feeds)):
            for wish in wishes:
                by_pair[wish.rule_id, wish.scope].append(wish)

    def told(self, rule: str, subject: str) -> list[rules.Wish]:
        """The subscriptions that are told of a rule, by its id, and a subject."""
        pairs = [(rule, scope) for scope in self._through[rule, subject]]
        return [wish for pair in pairs for wish in self._subscriptions.get(pair, ()) if not wish.shadow]

    def wants(self, found: Found) -> bool:
        """Whether anyone wants this firing."""
        rule, subject, _ = found
        pairs = [(rule.id, scope) for scope in self._through[rule.id, subject]]
        return any(pair in self._subscriptions or pair in self._feeds for pair in pairs)

    def tell(self, connection: Connection, numbered: Sequence[tuple[int, str, str]], now: int, due: int, hour: int) -> int:
        """Put new events into the feeds and owe them to the subscriptions that want them; how many are owed.

        `hour` is how long an hour lasts in wall time (ms): the budget of notices is by the hour.
        """
        items: list[tuple[str, int]] = []
        owed: list[Owed] = []
        recorded: list[Owed] = []
        grouped: dict[str, list[int]] = defaultdict(list)
        bundled: dict[str, list[int]] = defaultdict(list)
        for seq, rule, subject in numbered:
            for pair in ((rule, scope) for scope in self._through[rule, subject]):
                items += [(wish.id, seq) for wish in self._feeds.get(pair, ())]
                for wish in self._subscriptions.get(pair, ()):
                    (recorded if wish.shadow else owed).append((seq, wish.id, wish.destination_id))
                    if wish.manner != "each" and not wish.shadow:
                        (grouped if wish.manner == "grouped" else bundled)[wish.id].append(seq)
        rules.add_feed_items(connection, items)
        recent = digests.recent(connection, list(grouped), due - hour, BUDGET) if grouped else {}
        deliveries.insert_deliveries(connection, owed, due)
        group(connection, grouped, recent, due=due, hour=hour)
        bundle(connection, bundled, due=due)
        deliveries.record_shadows(connection, recorded, now)
        return len(owed)
