"""Plausibility of labels: what a wrong unit, a missing atom or a transposed tensor looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from aptbench.elements import SYMBOLS
from aptbench.frames import LabelledFrames
from aptbench.units import UNITS

WATER_CHARGES: Final = {1: (0.2, 0.7), 8: (-1.4, -0.4)}
"""Range of the mean isotropic charge of H and O in water in e; liquid water has 0.45 and -0.90."""
LARGEST_CHARGE: Final = 10.0
"""No mean isotropic charge of an element is beyond this, in e; ferroelectric oxides reach 7."""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Parameters
    ----------
    check : str
    outcome : {"pass", "fail", "unknown"}
    message : str
    advice : str or None
        What to do, for a failure.
    """

    check: str
    outcome: Literal["pass", "fail", "unknown"]
    message: str
    advice: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the check did not fail."""
        return self.outcome != "fail"


def check_charges(labelled: LabelledFrames) -> Finding:
    """Check the mean isotropic charge of every element: it tells unit and sign."""
    numbers = labelled.frames.atomic_numbers
    isotropic = np.trace(labelled.apt, axis1=-2, axis2=-1) / 3
    means = {int(z): float(isotropic[:, numbers == z].mean()) for z in np.unique(numbers)}
    shown = ", ".join(f"{SYMBOLS[z]} {mean:+.3f} e" for z, mean in means.items())
    water = set(means) == {1, 8} and np.sum(numbers == 1) == 2 * np.sum(numbers == 8)
    limits = WATER_CHARGES if water else dict.fromkeys(means, (-LARGEST_CHARGE, LARGEST_CHARGE))

    def plausible(factor: float) -> bool:
        return all(limits[z][0] <= factor * mean <= limits[z][1] for z, mean in means.items())

    if plausible(1.0):
        return Finding("charges", "pass", f"mean charges {shown}")
    message = f"mean charges {shown} are outside " + ", ".join(
        f"{SYMBOLS[z]} {low:g} to {high:g}" for z, (low, high) in limits.items()
    )
    if plausible(-1.0):
        return Finding("charges", "fail", message, "the sign of the tensors is reversed")
    factors = [(unit, factor) for unit, factor in UNITS["apt"].items() if factor != 1]
    units = [f"the file may be in {unit}" for unit, factor in factors if plausible(factor)]
    units += [f"the file may not be in {unit}, but in e" for unit, f in factors if plausible(1 / f)]
    advice = "; or ".join(units) or "check the unit of the tensors"
    return Finding("charges", "fail", message, advice)


def check_order(labelled: LabelledFrames) -> Finding:
    """Check the index order with `aptbench.metrics.check_index_order`."""
    from aptbench.metrics import check_index_order

    if not len(labelled):
        return Finding("index_order", "unknown", "there is no label")
    verdict = check_index_order(labelled.frames, labelled.apt)
    if verdict.order == "disp,pol":
        return Finding(
            "index_order",
            "fail",
            f"the tensors look transposed: {verdict.explanation}",
            "read them with the other --order",
        )
    outcome: Literal["pass", "unknown"] = "pass" if verdict.order == "pol,disp" else "unknown"
    return Finding("index_order", outcome, verdict.explanation)
