"""The reference machine in a process of its own, beside the simulator.

A thread would wait for the simulator, which holds the interpreter while it runs.
"""

from __future__ import annotations

import mmap
import multiprocessing
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from models.isa import Windows
from models.machine import Machine
from models.trace import Trace


class Beside:
    """Starts to run a program on the machine; `result` waits for it."""

    def __init__(
        self, machine: Machine, memory: NDArray[np.uint8], base: int, length: int, windows: Windows
    ) -> None:
        # Both processes see it: only the trace has to be sent.
        self._memory = np.frombuffer(mmap.mmap(-1, memory.size), np.uint8)
        self._memory[:] = memory
        # A fork costs a few milliseconds, and leaves without the simulator's exit.
        fork = multiprocessing.get_context("fork")
        self._answer, sender = fork.Pipe(duplex=False)
        self._process = fork.Process(
            target=_work, args=(sender, machine, self._memory, base, length, windows), daemon=True
        )
        self._process.start()
        sender.close()

    def result(self) -> tuple[Trace, NDArray[np.uint8]]:
        """The trace, and the memory afterwards. Raises what the machine raised, EOFError if it died."""
        answer = self._answer.recv()
        self._process.join()
        if isinstance(answer, Exception):
            raise answer
        return answer, self._memory


def _work(
    sender: Connection,
    machine: Machine,
    memory: NDArray[np.uint8],
    base: int,
    length: int,
    windows: Windows,
) -> None:
    try:
        sender.send(machine.run(memory, base, length, windows=windows))
    except Exception as error:
        sender.send(error)
