"""What the tests of a model in another repository need: frames, labels, and a class to inherit.

Everything is synthetic: the polarizable water model of `aptbench.oracle`, water in kind only.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aptbench.errors import UnknownNameError
from aptbench.frames import Frames, LabelledFrames

if TYPE_CHECKING:
    from aptbench.models.pytest_kit import ModelConformance as ModelConformance

KINDS: Final = ("liquid", "molecule", "cluster")
"""Synthetic systems: eight molecules in a cell, one and four without."""

__all__ = ["KINDS", "ModelConformance", "sample_frames", "sample_labels"]


def sample_frames(kind: str = "liquid") -> Frames:
    """Return two frames of a synthetic water-like system, the same in every call.

    Parameters
    ----------
    kind : {"liquid", "molecule", "cluster"}
        A periodic cell of eight molecules, or one molecule or four without a cell.

    Returns
    -------
    Frames
        Atoms in the order O H H, with velocities and molecules.

    Raises
    ------
    UnknownNameError
        If there is no such system.

    Examples
    --------
    >>> frames = sample_frames("molecule")
    >>> len(frames), frames.atomic_numbers.tolist(), frames.periodic
    (2, [8, 1, 1], False)
    """
    return sample_labels(kind).frames


@cache
def sample_labels(kind: str = "liquid") -> LabelledFrames:
    """Return `sample_frames` with their exact tensors and dipoles, for a model that must be fitted.

    Parameters
    ----------
    kind : {"liquid", "molecule", "cluster"}

    Returns
    -------
    LabelledFrames
        Of the synthetic model, not of water.

    Raises
    ------
    UnknownNameError
        If there is no such system.

    Examples
    --------
    >>> sample_labels("cluster").apt.shape
    (2, 12, 3, 3)
    """
    from aptbench.oracle import PolarizableWater, cluster, liquid

    if kind not in KINDS:
        raise UnknownNameError("synthetic system", kind, KINDS)
    # short: the frames need to be without symmetry, and different, but not in equilibrium
    run: dict[str, Any] = {"n_frames": 2, "seed": 1, "equilibration": 20, "stride": 40}
    if kind == "liquid":
        return PolarizableWater().label(liquid(8, **run))
    return PolarizableWater().label(cluster(1 if kind == "molecule" else 4, **run))


def __getattr__(name: str) -> Any:
    if name == "ModelConformance":  # the only part that needs pytest
        from aptbench.models.pytest_kit import ModelConformance

        return ModelConformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
