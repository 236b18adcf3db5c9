"""AXI4: which exclusive writes succeed at a memory (IHI 0022 A7.2)."""

from __future__ import annotations

from collections.abc import Sequence


def span(beats: Sequence[range]) -> range:
    """From the lowest byte of a burst to the highest; beats: the bytes of each."""
    return range(min(beat.start for beat in beats), max(beat.stop for beat in beats))


class ExclusiveMonitor:
    """A reservation per ID: a read makes it, a write within its lowest and highest byte takes it away."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[range, ...]] = {}

    def reserve(self, ident: int, beats: Sequence[range]) -> None:
        """An exclusive read; it takes the place of an earlier one with its ID."""
        self._held[ident] = tuple(beats)

    def claim(self, ident: int, beats: Sequence[range]) -> bool:
        """An exclusive write; True if the read with its ID was of the same bytes and still holds."""
        return self._held.pop(ident, None) == tuple(beats)

    def written(self, beats: Sequence[range]) -> None:
        """Any write that changes the memory."""
        hit = span(beats)
        for ident, held in list(self._held.items()):
            reserved = span(held)
            if hit.start < reserved.stop and reserved.start < hit.stop:
                del self._held[ident]
