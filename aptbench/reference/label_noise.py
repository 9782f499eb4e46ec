"""`label_noise`: one figure for the numerical noise of labels, from a table of convergence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aptbench.errors import InputError
from aptbench.reference.convergence import SHIFT

if TYPE_CHECKING:
    from aptbench.data import Dataset

KINDS: Final[dict[str, str]] = {
    "eps_scf": "scf",
    "eps_default": "scf",
    "outer_scf": "scf",
    "cutoff": "grid",
    "rel_cutoff": "grid",
    "n_grids": "grid",
    "grid_level": "grid",
    SHIFT: "grid",
    "field": "field",
    "basis": "basis",
    "basis_file": "basis",
    "potential": "basis",
    "functional": "functional",
}
"""What a changed setting tells of."""
NUMERICAL: Final = ("scf", "grid", "field")
"""Kinds that are noise; the others are systematic."""
_TIGHTER: Final = {
    "eps_scf": -1,
    "eps_default": -1,
    "outer_scf": 1,
    "cutoff": 1,
    "rel_cutoff": 1,
    "grid_level": 1,
}
"""Sign of the change that makes a setting better."""

RULE: Final = (
    "Root-mean-square error of a tensor component. For each of SCF threshold, grid and field step "
    "the largest change that one tighter setting makes (a changed field step as it is; where it "
    "takes other iterations, and moves no more than twice what the SCF threshold does, it tells of "
    "the SCF threshold, and the larger of the two counts; a shift of all atoms over the root of "
    "two, because both labels have the noise of the grid; a looser setting only where there is no "
    "other, as an upper bound); the three in quadrature. Basis, potential and functional are "
    "systematic and are not in it."
)
"""The rule of `label_noise`, to be printed with its figures."""


def label_noise(convergence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numerical noise of labels per element and overall.

    Parameters
    ----------
    convergence : mapping
        What `aptbench converge` writes to ``convergence.json``: ``changes`` with ``setting`` and
        ``rms`` of each, and the unchanged ``theory``.

    Returns
    -------
    dict
        ``noise``: by element and for ``all``, in e. ``parts``: the same for each of ``scf``,
        ``grid`` and ``field`` that was measured. ``systematic``: the same, the largest change, for
        ``basis`` and what else was changed. ``missing``: numerical kinds that were not looked at,
        so that the noise is a lower bound. ``rule``, ``frame``, ``pol`` and ``code``: how and
        where it was measured.

    Raises
    ------
    InputError
        If there is no changed setting, or one variant changes settings of two kinds.

    Notes
    -----
    A change between a setting and a much better one is the error of the first; that between two
    equally noisy ones has the noise of both, so it is larger by the root of two. For the liquid
    water of this project, grid noise from a finer grid and from a shift agree to one percent.

    Examples
    --------
    >>> table = {
    ...     "theory": {"cutoff": 500.0, "eps_scf": 3e-7},
    ...     "changes": [
    ...         {"setting": {}, "rms": {"O": 0.0, "all": 0.0}},
    ...         {"setting": {"eps_scf": 3e-8}, "rms": {"O": 0.003, "all": 0.003}},
    ...         {"setting": {"cutoff": 800.0}, "rms": {"O": 0.004, "all": 0.004}},
    ...     ],
    ... }
    >>> figures = label_noise(table)
    >>> round(figures["noise"]["O"], 6), figures["missing"]
    (0.005, ['field'])
    """
    theory = convergence["theory"]
    iterations = next(
        (one.get("scf_iterations") for one in convergence["changes"] if not one["setting"]), None
    )
    sure: dict[str, list[dict[str, float]]] = {}
    bounds: dict[str, list[dict[str, float]]] = {}
    other_iterations: list[dict[str, float]] = []
    for change in convergence["changes"]:
        setting = change["setting"]
        if not setting:
            continue
        kinds = {KINDS.get(name, name) for name in setting}
        if len(kinds) != 1:
            raise InputError(
                "A variant of a convergence table changes settings of different kinds.",
                got=f"{setting}: {', '.join(sorted(kinds))}",
                expected="one kind at a time, so that its effect can be told",
            )
        (kind,) = kinds
        factor = 0.5**0.5 if SHIFT in setting else 1.0
        rms = {element: factor * value for element, value in change["rms"].items()}
        looser = any(
            (setting[name] - theory[name]) * sign < 0
            for name, sign in _TIGHTER.items()
            if name in setting
        )
        if kind == "field" and change.get("scf_iterations") != iterations:
            other_iterations.append(rms)
        else:
            (bounds if looser else sure).setdefault(kind, []).append(rms)
    if not (sure or bounds or other_iterations):
        raise InputError(
            "The convergence table has no changed setting.",
            do="give the recipe variants, and run 'aptbench converge'",
        )
    found = {kind: _largest(sure.get(kind) or bounds[kind]) for kind in {**bounds, **sure}}
    if other_iterations:
        moved = _largest(other_iterations)
        of_threshold = "scf" in found and moved["all"] <= 2 * found["scf"]["all"]
        kind = "scf" if of_threshold else "field"
        found[kind] = _largest([*([found[kind]] if kind in found else []), moved])
    parts = {kind: found[kind] for kind in NUMERICAL if kind in found}
    elements = convergence["changes"][0]["rms"]
    return {
        "noise": {e: sum(part[e] ** 2 for part in parts.values()) ** 0.5 for e in elements},
        "parts": parts,
        "systematic": {k: found[k] for k in sorted(found) if k not in NUMERICAL},
        "missing": [
            kind
            for kind in NUMERICAL
            if kind not in found and not (kind == "field" and other_iterations)
        ],
        "rule": RULE,
        **{key: convergence.get(key) for key in ("frame", "pol", "code")},
    }


def dataset_noise(dataset: Dataset) -> Any:
    """Return the noise that is known of the labels of a data set.

    Returns
    -------
    mapping, float or None
        The attribute ``label_noise`` of the store as it is, else what `label_noise` makes of the
        ``convergence.json`` beside it; None where there is neither.
    """
    stated = dataset.attrs.get("label_noise")
    path = dataset.path.parent / "convergence.json"
    if stated is None and path.is_file():
        return label_noise(json.loads(path.read_text(encoding="utf-8")))
    return stated


def _largest(changes: list[dict[str, float]]) -> dict[str, float]:
    return {element: max(rms[element] for rms in changes) for element in changes[0]}
