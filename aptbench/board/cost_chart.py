"""`cost_chart`: accuracy against speed as an inline drawing, every point a link."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from aptbench.board.cards import Cards
from aptbench.evaluate.canvas import model_colour
from aptbench.evaluate.result import Result
from aptbench.evaluate.table import number

WIDTH: Final = 820
HEIGHT: Final = 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 24, 18, 48


def cost_chart(results: Sequence[Result], cards: Cards) -> dict[str, Any] | None:
    """Return places of points, ticks and the front of the best, None with fewer than two speeds.

    Parameters
    ----------
    results : sequence of Result
        The best first; each model has the colour of its place.
    cards : Cards

    Returns
    -------
    dict or None
        ``points`` (x, y, name, words, colour, link, whether on the front), ``x_ticks`` and
        ``y_ticks`` (place, text), ``front`` (points of the line through the models that no other
        beats in both).
    """
    found = [
        (index, result.model.name, result.cost.inference.atoms_per_second, metric.value)
        for index, result in enumerate(results)
        if result.cost and result.cost.inference and (metric := result.metrics.get("rmse"))
    ]
    if len(found) < 2 or any(error <= 0 for *_, error in found):
        return None
    x = _Axis([speed for _, _, speed, _ in found], _LEFT, WIDTH - _RIGHT)
    y = _Axis([error for *_, error in found], HEIGHT - _BOTTOM, _TOP)
    front = {
        name
        for _, name, speed, error in found
        if not any(s >= speed and e <= error and (s, e) != (speed, error) for _, _, s, e in found)
    }
    points = [
        {
            "x": x.place(speed),
            "y": y.place(error),
            "name": name,
            "words": f"{name}: {number(error)} e, {speed:,.2g} atoms/s".replace("e+0", "e"),
            "colour": model_colour(index),
            "link": cards.page("models", name),
            "front": name in front,
            "left": x.place(speed) > WIDTH - 170,
        }
        for index, name, speed, error in found
    ]
    _keep_apart(points)
    line = sorted((one["x"], one["y"]) for one in points if one["front"])
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "points": points,
        "x_ticks": x.ticks,
        "y_ticks": y.ticks,
        "front": " ".join(f"{px},{py}" for px, py in line),
        "edges": (_LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM),
    }


def _keep_apart(points: Sequence[dict[str, Any]]) -> None:
    """Give every name a height of its own, ``label``, where points are close to each other."""
    taken: list[tuple[float, float]] = []
    for point in points:
        height = point["y"] + (-10 if point["left"] else 4)
        while any(abs(x - point["x"]) < 140 and abs(y - height) < 14 for x, y in taken):
            height = round(height + 7, 1)
        taken.append((point["x"], height))
        point["label"] = height


class _Axis:
    """A logarithmic axis from the values on it to places between two ends."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        logs = [math.log10(value) for value in values]
        margin = 0.08 * (max(logs) - min(logs)) or 0.3
        self.low, self.high = min(logs) - margin, max(logs) + margin
        self.first, self.last = first, last

    def place(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        span = self.high - self.low
        steps = (1,) if span > 2.5 else (1, 2, 5) if span > 0.8 else (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)
        values = [float(f"{step}e{power}") for power in powers for step in steps]
        inside = [value for value in values if self.low <= math.log10(value) <= self.high]
        return [(self.place(value), _short(value)) for value in inside]


def _short(value: float) -> str:
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:g}"
