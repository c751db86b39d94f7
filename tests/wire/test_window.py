"""How many requests are begun: a window of those that may yet be answered at once, and the rest beside it."""

from __future__ import annotations

from integration.wire.window import LOOKS, SILENCE_S, WINDOW, Window


def filled() -> tuple[Window, list[int]]:
    """A window into which nothing more fits, and when each request entered."""
    window, entered = Window(), []
    while not window.full:
        entered.append(window.enter())
    return window, entered


def test_what_is_over_makes_room_for_as_many() -> None:
    window, entered = filled()
    assert len(entered) == WINDOW
    for at in entered[:5]:
        window.leave(at)
    window.looked()
    assert window.count == WINDOW - 5


def test_who_answers_at_once_never_has_more_under_way_than_the_window() -> None:
    window, entered = filled()
    for _ in range(20):
        for at in entered:
            window.leave(at)
        window.looked()
        entered = []
        while not window.full:
            entered.append(window.enter())
        assert len(entered) == WINDOW


def test_who_was_passed_by_others_a_few_times_counts_no_longer() -> None:
    window, entered = filled()
    for look in range(LOOKS):
        assert window.full, look
        window.leave(entered.pop(0))
        entered.append(window.enter())
        window.looked()
    assert window.count == LOOKS - 1, "those that came since"
    for at in entered[: WINDOW - LOOKS]:
        window.leave(at)  # too late to count
    assert window.count == LOOKS - 1


def test_in_a_silence_burst_follows_on_burst_until_something_is_over() -> None:
    window, _ = filled()
    assert window.patience == SILENCE_S
    for _ in range(3):
        window.silence()
        assert (window.count, window.patience) == (0, 0.0)
        while not window.full:
            last = window.enter()
    window.leave(last)
    window.looked()
    assert (window.count, window.patience) == (WINDOW - 1, SILENCE_S)


def test_what_was_begun_before_a_silence_leaves_without_a_trace() -> None:
    window, entered = filled()
    window.silence()
    for at in entered:
        window.leave(at)
    assert window.count == 0
