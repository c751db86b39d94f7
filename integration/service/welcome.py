"""A newcomer's first look: an account, a key, and events to see without setting anything up."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from integration.domain.errors import GradewireError, InvalidInput
from integration.service import accounts, destinations, inbox, subscribe
from integration.service.wiring import Gradewire

#: Whoever opens the page of a fresh installation; a real address for e-mail is given with the subscription.
DEMO = "demo@localhost"
RECEIVER, CATCHER = "Built-in receiver", "Mail catcher"


def welcome(gradewire: Gradewire) -> str:
    """The key of an account to try things with; it stays in the data folder.

    On a sandbox also what makes the first events visible: three rules, each told to the built-in webhook receiver where
    private addresses may be reached, two also by e-mail to the catcher. On Token Metrics they would spend the plan's
    calls unasked.
    """
    file = Path(gradewire.settings["data"]) / f"{'sandbox' if gradewire.settings.sandbox else 'demo'}.key"
    key = file.read_text(encoding="ascii").strip() if file.exists() else ""
    try:
        owner = accounts.authenticate(gradewire, key).account_id
    except GradewireError:
        key = accounts.create_key(gradewire, DEMO, "made at first start")
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
            out.write(key + "\n")
        owner = accounts.authenticate(gradewire, key).account_id
    if gradewire.settings.sandbox:
        _subscribe(gradewire, owner)
    return key


def _subscribe(gradewire: Gradewire, owner: str) -> None:
    """Once; but the receiver's address follows the port."""
    path, secret = inbox.receiver(gradewire)
    hook = f"http://127.0.0.1:{gradewire.settings['port']}{path}"
    there = {row["label"]: row for row in destinations.list_destinations(gradewire, owner)}
    receiver = there.get(RECEIVER)
    if receiver is not None and receiver["hint"] != gradewire.channels["webhook"].hint({"url": hook}):
        destinations.delete_destination(gradewire, owner, there.pop(RECEIVER)["id"])
    for label, channel, config, wanted in (
        (RECEIVER, "webhook", {"url": hook, "secret": secret}, ("sharpe_threshold", "grade_changed", "index_ranking")),
        (CATCHER, "email", {"to": DEMO}, ("sharpe_threshold", "index_ranking")),
    ):
        if label in there or (label == RECEIVER and not gradewire.settings["allow_private"]):
            continue
        destination = destinations.create_destination(gradewire, owner, channel, config, label)
        for trigger in wanted:
            with contextlib.suppress(InvalidInput):  # the plan may not have it
                subscribe.create_subscription(gradewire, owner, trigger, {}, {}, destination["id"])
