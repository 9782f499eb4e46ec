"""`SystemData`: everything that a store holds about one system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import AlignmentError, InputError
from aptbench.frames import Frames, LabelledFrames

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SystemData:
    """A trajectory of one system and the sparse labels on it, ready to be written.

    Parameters
    ----------
    frames : Frames
        All frames, with velocities where they are known.
    label_frame : array of int, shape (label,)
        The frame of each label, strictly increasing.
    apt : array, shape (label, atom, pol, disp)
        Atomic polar tensors in e, as computed: no sum-rule correction.
    times : array, shape (frame,), optional
        In fs, strictly increasing; None for frames that are no trajectory.
    dipole : array, shape (label, pol), optional
        In e angstrom, modulo the polarization quantum for a periodic system.
    wannier_centers : array, shape (label, wannier, xyz), optional
        In angstrom, each of charge -2 e.
    quality : mapping of name to array (label,)
        What is known about the quality of each label, for example ``scf_residual``. The
        acoustic-sum-rule residual need not be given, it is always stored.
    quality_units : mapping of name to unit
        Units of quality columns; "1" where a column is not named.
    provenance : mapping
        Level of theory and sampling (code, version, functional, basis, cutoff, method, step);
        must be expressible as JSON.

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, or the provenance is no JSON.
    AlignmentError
        If labels point to frames that do not exist, or twice to one.

    Examples
    --------
    >>> frames = Frames([18], np.zeros((3, 1, 3)))
    >>> system = SystemData(frames, [2], np.zeros((1, 1, 3, 3)), times=[0.0, 2.0, 4.0])
    >>> system.n_labels, float(system.sum_rule_residual[0])
    (1, 0.0)
    """

    frames: Frames
    label_frame: npt.NDArray[np.int64]
    apt: Array
    times: Array | None = None
    dipole: Array | None = None
    wannier_centers: Array | None = None
    quality: Mapping[str, Array] = field(default_factory=dict)
    quality_units: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        label_frame = np.array(self.label_frame, np.int64)
        n_frames = len(self.frames)
        if (
            label_frame.ndim != 1
            or np.any(np.diff(label_frame) <= 0)
            or np.any((label_frame < 0) | (label_frame >= n_frames))
        ):
            raise AlignmentError(
                "The 'label_frame' of SystemData do not point to frames.",
                got=f"shape {label_frame.shape}, values {label_frame[:5]} ...",
                expected=f"strictly increasing integers from 0 to {n_frames - 1}",
            )
        # Shapes and finiteness of labels are what LabelledFrames checks.
        labelled = LabelledFrames(
            self.frames[label_frame], self.apt, self.dipole, self.wannier_centers
        )
        object.__setattr__(self, "label_frame", label_frame)
        object.__setattr__(self, "apt", labelled.apt)
        object.__setattr__(self, "dipole", labelled.dipole)
        object.__setattr__(self, "wannier_centers", labelled.wannier_centers)
        if self.times is not None:
            times = np.array(self.times, np.float64)
            if times.shape != (n_frames,) or not np.all(np.diff(times) > 0):
                raise InputError(
                    "The 'times' of SystemData are not those of a trajectory.",
                    got=f"shape {times.shape}",
                    expected=f"{n_frames} strictly increasing times in fs",
                )
            object.__setattr__(self, "times", times)
        quality = {name: np.array(column, float) for name, column in self.quality.items()}
        for name, column in quality.items():
            if column.shape != label_frame.shape or not np.all(np.isfinite(column)):
                raise InputError(
                    f"The quality column {name!r} does not fit the labels.",
                    got=f"shape {column.shape}",
                    expected=f"{len(label_frame)} finite numbers",
                )
        object.__setattr__(self, "quality", quality)
        try:
            provenance = json.loads(json.dumps(dict(self.provenance), allow_nan=False))
        except (TypeError, ValueError) as error:
            raise InputError("The 'provenance' of SystemData is no JSON.", got=error) from None
        object.__setattr__(self, "provenance", provenance)

    @classmethod
    def from_labelled(cls, labelled: LabelledFrames, **fields: Any) -> SystemData:
        """Return a system in which every frame is labelled; other fields as in `SystemData`."""
        return cls(
            labelled.frames,
            np.arange(len(labelled)),
            labelled.apt,
            dipole=labelled.dipole,
            wannier_centers=labelled.wannier_centers,
            **fields,
        )

    @property
    def n_labels(self) -> int:
        """Number of labelled frames."""
        return len(self.label_frame)

    @property
    def sum_rule_residual(self) -> Array:
        """What `sum_rule_residual` gives for the labels, in e, shape (label,)."""
        return sum_rule_residual(self.apt, self.frames.total_charge)


def sum_rule_residual(apt: npt.ArrayLike, total_charge: float = 0.0) -> Array:
    """Return one number a label for how far it is from the acoustic sum rule, shape (label,).

    It is the root mean square, in e, over the nine components of
    `aptbench.metrics.acoustic_sum_rule_residual`; ``apt`` has shape (label, atom, pol, disp).

    Examples
    --------
    >>> float(sum_rule_residual(np.ones((1, 2, 3, 3)))[0])
    2.0
    """
    from aptbench.metrics import acoustic_sum_rule_residual

    return np.sqrt(np.mean(acoustic_sum_rule_residual(apt, total_charge) ** 2, axis=(-2, -1)))
