"""A simulation in a thread of its own, for those who show how far it is."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from tb.verdict import Verdict

POLL = 0.2  # seconds between two looks


def watched(simulate: Callable[[], Verdict], look: Callable[[], None]) -> Verdict:
    """Call `simulate`, and `look` again and again until it has ended. Returns, or raises, what it does."""
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(simulate)
        while not wait([running], POLL).done:
            look()
    look()
    return running.result()
