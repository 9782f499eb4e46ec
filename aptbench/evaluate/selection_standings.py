"""`Standings`: what the selections of a track led to, beside labels that were drawn at random."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.evaluate.learning_curve import LearningCurve
from aptbench.evaluate.result import Metric
from aptbench.evaluate.selection_track import SelectionTrack

METRIC: Final = "rmse"
_SAME: Final = 1e-6
"""Largest relative difference between two processors."""


@dataclass(frozen=True)
class Standings:
    """Errors by selection and budget.

    Parameters
    ----------
    track : SelectionTrack
    curves : mapping of str to LearningCurve
        By the name of the selection.

    Raises
    ------
    InputError
        If a curve lacks a budget of the track.

    Notes
    -----
    A selection is an order, so what it is worth is told by other orders of the same pool: with n
    drawn at random, of which k are better, one more draw would be better with a probability of
    about (k + 1) / (n + 1). The interval over the test frames is another thing: all selections are
    scored on the same frames.
    """

    track: SelectionTrack
    curves: Mapping[str, LearningCurve]

    def __post_init__(self) -> None:
        for name, curve in self.curves.items():
            missing = set(self.track.budgets) - {point.labels for point in curve.points}
            if missing:
                raise InputError(
                    f"The scores of the selection {name!r} are not those of its track.",
                    got=f"none at {min(missing)} labels",
                    expected=f"budgets {', '.join(map(str, self.track.budgets))}",
                    do="score it again: aptbench selections TASK --write",
                )

    @property
    def chosen(self) -> list[str]:
        """Names of the selections that are not drawn, the least error at most labels first."""
        most = self.track.budgets[-1]
        names = [name for name in self.curves if name not in self.track.chance]
        return sorted(names, key=lambda name: (self.error(name, most).value, name))

    def error(self, name: str, budget: int) -> Metric:
        """Return the error that a selection leads to, in e, with its interval."""
        return self.curves[name].of(self.track.model, budget)[0].metrics[METRIC]

    def drawn(self, budget: int) -> npt.NDArray[np.float64]:
        """Return the errors that labels drawn at random lead to, rising, shape (draw,), in e."""
        names = [name for name in self.track.chance if name in self.curves]
        return np.sort([self.error(name, budget).value for name in names])

    def luckier(self, name: str, budget: int) -> int:
        """Return how many draws led to a smaller error than a selection."""
        return int(np.sum(self.drawn(budget) < self.error(name, budget).value))

    def differences(self, other: Standings) -> list[str]:
        """Return the selections that have other errors there, or none."""
        return [
            name
            for name in self.curves
            if name not in other.curves
            or not all(
                math.isclose(self.error(name, n).value, other.error(name, n).value, rel_tol=_SAME)
                for n in self.track.budgets
            )
        ]
