"""`converge_molecules`: how far labels of molecules move when one numerical setting changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.reference.convergence import Change, rms_by_element, variant_name
from aptbench.reference.label_settings import LabelSettings
from aptbench.reference.pyscf_field import PyscfField


@dataclass(frozen=True)
class _Counting(PyscfField):
    """The engine, which counts its steps in fields."""

    steps: list[int] = field(default_factory=list)

    def _in_field(self, *arguments: Any) -> Any:
        state = super()._in_field(*arguments)
        self.steps.append(state.cycles)
        return state


def converge_molecules(
    molecules: Sequence[Frames],
    settings: LabelSettings,
    variants: Sequence[Mapping[str, Any]],
    progress: Callable[[str], None] | None = None,
) -> list[Change]:
    """Label the first frame of molecules again with one setting changed at a time.

    Parameters
    ----------
    molecules : sequence of Frames
        Isolated; one set of figures is made of all.
    settings : LabelSettings
        The level of theory to which every change is compared.
    variants : sequence of mappings
        Settings to change, by their names in the provenance of labels, one mapping a variant.
    progress : callable, optional
        Called with the name of a variant before it is computed.

    Returns
    -------
    list of Change
        The unchanged level first. Changes are of all nine components; ``scf_iterations`` are
        those of all molecules, of the six fields with PySCF and of all seven runs with CP2K.

    Raises
    ------
    InputError
        If a variant changes a setting that does not exist, or there is no molecule.

    Examples
    --------
    >>> from aptbench.reference.label_settings import PyscfLabels
    >>> water = Frames([8, 1, 1], [[[0, 0, 0], [0.97, 0, 0], [-0.24, 0.93, 0.02]]])
    >>> settings = PyscfLabels(engine="pyscf", functional="PBE", basis="STO-3G", grid_level=0)
    >>> [change.slope for change in converge_molecules([water], settings, [])]
    [1.0]
    """
    if not molecules:
        raise InputError("There is no molecule to measure convergence on.")
    labellers = [settings.changed(variant).labeller() for variant in ({}, *variants)]
    numbers = np.concatenate([frames.atomic_numbers for frames in molecules])
    rows: list[Change] = []
    reference: npt.NDArray[np.float64] | None = None
    for variant, labeller in zip(({}, *variants), labellers, strict=True):
        if progress:
            progress(variant_name(variant))
        counting = _Counting(**asdict(labeller)) if isinstance(labeller, PyscfField) else None
        labels = [(counting or labeller).label(frames[0]) for frames in molecules]
        tensors = np.concatenate([one.apt[0] for one in labels])
        reference = tensors if reference is None else reference
        sums = [one.apt[0].sum(axis=0) for one in labels]
        iterations = [one.quality.get("scf_iterations", np.zeros(1)).sum() for one in labels]
        rows.append(
            Change(
                dict(variant),
                rms_by_element(tensors - reference, numbers),
                float((tensors * reference).sum() / (reference**2).sum()),
                float(np.sqrt(np.mean(np.square(sums)))),
                sum(counting.steps) if counting else int(sum(iterations)),
            )
        )
    return rows
