"""`check_model`: the properties that every model must have, measured on given frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aptbench.errors import AptbenchError, UnknownNameError
from aptbench.frames import Frames
from aptbench.models.properties import PROPERTIES, Subject
from aptbench.models.protocol import APTModel


@dataclass(frozen=True)
class CheckResult:
    """One measured property.

    Parameters
    ----------
    name : str
        What was checked.
    value : float
        Largest violation; infinite if the model raised an error.
    tolerance : float or None
        Largest value that passes; None for a property that is reported and not demanded.
    note : str
        The error, if the model raised one.
    unit : str
        Of value and tolerance.
    """

    name: str
    value: float
    tolerance: float | None
    note: str = ""
    unit: str = "e"

    @property
    def passed(self) -> bool:
        """Whether the value is within its tolerance; always true without one."""
        if self.note:
            return False
        return self.tolerance is None or self.value <= self.tolerance


@dataclass(frozen=True)
class ConformanceReport:
    """All measured properties of one model on one set of frames."""

    model: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every demanded property holds."""
        return all(result.passed for result in self.results)

    def __getitem__(self, name: str) -> CheckResult:
        return {result.name: result for result in self.results}[name]

    def __str__(self) -> str:
        width = max((len(r.name) for r in self.results), default=0)
        lines = [f"conformance of {self.model}"]
        for r in self.results:
            state = "report" if r.tolerance is None else "pass" if r.passed else "FAIL"
            state = "FAIL" if r.note else state
            limit = "" if r.tolerance is None else f" (at most {r.tolerance:.0e})"
            lines.append(
                f"  {state:6} {r.name:{width}} {r.value:.2e} {r.unit}{limit} {r.note}".rstrip()
            )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "model": self.model,
            "passed": self.passed,
            "unit": "e",
            "results": [
                {**dataclasses.asdict(result), "passed": result.passed} for result in self.results
            ],
        }

    def raise_if_failed(self) -> None:
        """Raise AssertionError with the whole report unless all passed, for use in pytest."""
        if not self.passed:
            raise AssertionError(str(self))


def check_model(
    model: APTModel,
    frames: Frames,
    *,
    tolerance: float = 2e-5,
    seed: int = 0,
    only: Iterable[str] | None = None,
) -> ConformanceReport:
    """Measure whether a model has the exact properties of an atomic polar tensor.

    Parameters
    ----------
    model : APTModel
        Ready to predict.
    frames : Frames
        At least two frames of a kind that the model knows; with a cell also the periodic
        properties are checked.
    tolerance : float
        Largest violation in e that passes; the default suits float32 inside. Raise it and say so
        for a model that is equivariant only approximately.
    seed : int
        Of the random rotations, shifts and permutation.
    only : iterable of str, optional
        Names of properties; all of `aptbench.models.properties.PROPERTIES` if left out.

    Returns
    -------
    ConformanceReport
        Of the properties that apply: periodic ones need a cell, those of a dipole or an
        uncertainty need the method. An error of the model inside a check is a failed check, never
        an exception.

    Raises
    ------
    UnknownNameError
        If ``only`` names something else.

    Notes
    -----
    Demanded: shape and finiteness, no mutation of the input, determinism, a batch equals its single
    frames, translation, permutation, proper and improper rotation P(R x) = R P(x) R^T, and with a
    cell lattice translation of single atoms and a supercell.

    Reported, because good models may lack them: the rms residual of the acoustic sum rule
    sum_i P_i = Q 1 and, for an isolated system, of the rotational sum rule divided by the rms
    radius; the difference between P and the derivative of the ``dipole`` along random directions,
    if the model has one; the curl of P, zero if it is the gradient of any dipole; and the rounding
    noise, near 1e-6 for float32 inside and
    below 1e-10 for float64.

    Examples
    --------
    >>> from aptbench.models.constant import ConstantCharge
    >>> frames = Frames([8, 1, 1], [[[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]] * 2)
    >>> report = check_model(ConstantCharge({"O": -0.9, "H": 0.45}), frames)
    >>> report.passed, round(report["acoustic_sum_rule_residual"].value, 12)
    (True, 0.0)
    """
    name = str(getattr(model, "name", type(model).__name__))
    chosen = list(PROPERTIES) if only is None else list(only)
    for unknown in set(chosen) - set(PROPERTIES):
        raise UnknownNameError("property of a model", unknown, PROPERTIES)
    results = []
    for check_name in chosen:
        check = PROPERTIES[check_name]
        limit = None if not check.demanded else 0.0 if check.exact else tolerance
        subject = Subject(model, frames, name, np.random.default_rng(seed))
        try:
            if not check.applies(model, frames):
                continue
            value, note = float(check.measure(subject)), ""
        except Exception as error:
            what = error.what if isinstance(error, AptbenchError) else str(error)
            value, note = float("inf"), f"{type(error).__name__}: {what}"
        results.append(CheckResult(check_name, value, limit, note, check.unit))
    return ConformanceReport(name, tuple(results))
