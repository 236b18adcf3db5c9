"""Functional coverage inside an environment: a component that takes samples and hands them in at the end."""

from __future__ import annotations

from pyuvm import uvm_component

from tb.common.cover import Coverage, Hits, commit


class Collector(uvm_component):
    """Counts the samples of one environment for a block's model.

        self.cover = Collector("cover", self, COVERAGE)
        self.cover.sample(mode=desc.mode, out="tie_up")

    Only a test that reaches the end of its environment hands them in: a test that fails, or a twin that is
    meant to fail, covers nothing.
    """

    def __init__(self, name: str, parent: uvm_component, model: Coverage) -> None:
        super().__init__(name, parent)
        self.hits = Hits(model)
        self.sample = self.hits.sample
        self.sample_each = self.hits.sample_each

    def report_phase(self) -> None:
        """After the check phase, which raises in a test that fails."""
        commit(self.hits)
