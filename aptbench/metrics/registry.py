"""`METRICS`: every metric by name; `get_metric` reads names such as ``rmse[O,L=1]``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError, UnknownNameError
from aptbench.frames import Frames
from aptbench.metrics.base import Metric
from aptbench.metrics.irreps import IRREPS
from aptbench.metrics.tensor_metrics import (
    AssignmentError,
    CurrentError,
    MeanAbsoluteError,
    NormalizedError,
    RootMeanSquareError,
    SumRuleResidual,
    TailError,
)
from aptbench.molecules import MoleculeTable
from aptbench.spectra.modes import MODES, WATER_MODES, modes_of


@dataclass(frozen=True)
class Entry:
    """A metric of the registry, and the selections in brackets that its name may have.

    Another value for the same tensors is another ``version``: tasks are frozen with it.
    """

    make: Callable[..., Metric]
    title: str
    species: bool = False
    irreps: bool = False
    modes: bool = False
    version: int = 1


METRICS: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "rmse": Entry(RootMeanSquareError, "root mean square error", True, True),
        "mae": Entry(MeanAbsoluteError, "mean absolute error", True),
        "normalized_rmse": Entry(NormalizedError, "error over the spread of the labels", True),
        "worst_1_percent": Entry(TailError, "root mean square error of the worst 1 % of atoms"),
        "current_error": Entry(CurrentError, "relative error of the current (eta)"),
        "assignment_error": Entry(
            AssignmentError, "relative error of the currents of all modes", modes=True
        ),
        "sum_rule_residual": Entry(SumRuleResidual, "acoustic sum rule residual of the prediction"),
    }
)
"""Metrics by base name; a species and an irrep, or a mode of motion, may follow in brackets."""


def get_metric(name: str) -> Metric:
    """Return the metric with a name such as ``rmse``, ``rmse[O,L=1]``, ``assignment_error[bend]``.

    Raises
    ------
    UnknownNameError
        If there is no such metric, or it does not have the selection in brackets.

    Examples
    --------
    >>> get_metric("rmse[O,L=1]")
    RootMeanSquareError(species='O', irrep=1)
    """
    match = re.fullmatch(r"(\w+)(?:\[([^\[\]]+)\])?", name.strip())
    if match is None or match[1] not in METRICS:
        raise UnknownNameError("metric", match[1] if match else name, METRICS)
    entry, selection = METRICS[match[1]], {}
    for part in (match[2] or "").split(",") if match[2] else ():
        key, value = _selection(" ".join(part.split()))
        if key in selection or key is None or not getattr(entry, key):
            raise UnknownNameError("metric", name, _forms(match[1]))
        selection[{"irreps": "irrep", "modes": "mode"}.get(key, key)] = value
    return entry.make(**selection)


def metric_names(frames: Frames, *others: Frames) -> tuple[str, ...]:
    """Return the names of all metrics that frames allow, in the order of the tables.

    Those of several systems together have the species of all of them.

    Examples
    --------
    >>> metric_names(Frames([1], np.zeros((1, 3))))[:4]
    ('rmse', 'rmse[H]', 'rmse[L=0]', 'rmse[L=1]')
    """
    systems = (frames, *others)
    symbols = [SYMBOLS[z] for z in np.unique(np.concatenate([f.atomic_numbers for f in systems]))]
    moving = all(f.velocities is not None for f in systems)
    modes = _modes(systems) if moving else ()
    names = []
    for base, entry in METRICS.items():
        if (base == "current_error" and not moving) or (entry.modes and not modes):
            continue
        irreps = [f"L={k}" for k in IRREPS] if entry.irreps else []
        species = symbols if entry.species else []
        pairs = [f"{symbol},{irrep}" for symbol in species for irrep in irreps]
        names += [base, *(f"{base}[{inner}]" for inner in (*species, *irreps, *pairs))]
        names += [f"{base}[{mode}]" for mode in modes] if entry.modes else []
    return tuple(names)


def _modes(systems: Iterable[Frames]) -> tuple[str, ...]:
    """Return the modes of the molecules of systems; none if one of them has no molecules."""
    try:
        return modes_of(kind for frames in systems for kind in MoleculeTable.of(frames).kinds)
    except InputError:
        return ()


def _selection(part: str) -> tuple[str | None, str | int | None]:
    if part in {f"L={k}" for k in IRREPS}:
        return "irreps", int(part[2:])
    if part in SYMBOLS[1:]:
        return "species", part
    if part in (*WATER_MODES, *MODES):
        return "modes", part
    return None, None


def _forms(base: str) -> list[str]:
    entry = METRICS[base]
    forms = [base]
    forms += [f"{base}[<element>]"] if entry.species else []
    forms += [f"{base}[L={k}]" for k in IRREPS] if entry.irreps else []
    forms += [f"{base}[<element>,L={k}]" for k in IRREPS] if entry.irreps else []
    forms += [f"{base}[{mode}]" for mode in dict.fromkeys((*WATER_MODES, *MODES)) if entry.modes]
    return forms
