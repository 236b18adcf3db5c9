"""Random items, as every tb/<block>/stimulus.py draws them: weights, and fields worked out of others.

`constrainedrandom` solves what is constrained by drawing again. Fields here that hang on others are computed
from them instead, in order: that costs no second draw, keeps the weights of what came first, and cannot fail
on a field that a test has fixed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from constrainedrandom import RandObj

# Value, or range of values -> weight.
Weights = Mapping[Any, int]
FLAG: Weights = {False: 1, True: 1}
ANY16: Weights = {range(1 << 16): 1}
ANY_INT8: Weights = {range(-128, 128): 1}


def flags(*names: str) -> dict[str, Weights]:
    """Bits, each as often set as not."""
    return dict.fromkeys(names, FLAG)


def int8_range(rng: random.Random) -> tuple[int, int]:
    """Two int8 values, the lower first."""
    low, high = sorted((rng.randint(-128, 127), rng.randint(-128, 127)))
    return low, high


def clamp(rng: random.Random, whole: int, part: int, one: int) -> tuple[int, int]:
    """The lowest and the highest result: all of int8, a part of it, one value, with these weights."""
    low, high = int8_range(rng)
    return rng.choices(((-128, 127), (low, high), (low, low)), (whole, part, one))[0]


class Draws:
    """Draws the fields of an item.

    weights: of each field that stands alone. derived: field, or a tuple of fields that are drawn together ->
    (function, names of earlier fields that are its arguments). given: arguments that draw() must be handed
    and that are no fields.
    """

    def __init__(
        self,
        rng: random.Random,
        weights: Mapping[str, Weights],
        derived: Mapping[str | tuple[str, ...], tuple[Callable[..., Any], Sequence[str]]] | None = None,
        given: Sequence[str] = (),
    ) -> None:
        self._object = draws = RandObj(rng)
        self._hidden = set(given)
        self._names = {*given, *weights}
        for name in given:
            draws.add_rand_var(name, domain=(0,))
        for name, weight in weights.items():
            draws.add_rand_var(name, domain=dict(weight))
        for target, (function, names) in (derived or {}).items():
            if isinstance(target, str):
                self._names.add(target)
                draws.add_rand_var(target, fn=function, rand_var_args=names)
                continue
            together = "+".join(target)
            self._hidden.add(together)
            self._names.update(target)
            draws.add_rand_var(together, fn=function, rand_var_args=names)
            for i, name in enumerate(target):
                draws.add_rand_var(name, fn=itemgetter(i), rand_var_args=(together,))

    def draw(self, **fixed: Any) -> dict[str, Any]:
        """All fields; `fixed` ones, and what is worked out of them, as they are."""
        known = {name: value for name, value in fixed.items() if name in self._names}
        self._object.randomize(with_values=known, check_with_values=False)
        drawn = self._object.get_results() | fixed
        return {name: value for name, value in drawn.items() if name not in self._hidden}
