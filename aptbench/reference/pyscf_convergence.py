"""`converge_molecules`: how far labels of molecules move when one numerical setting changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.reference.convergence import Change
from aptbench.reference.pyscf_field import PyscfField

FIELDS: Final[dict[str, str]] = {
    "functional": "functional",
    "basis": "basis",
    "grid_level": "grid_level",
    "eps_scf": "convergence",
    "field": "field_step",
}
"""Names of settings as the provenance of labels has them, and those of `PyscfField`."""


@dataclass(frozen=True)
class _Counting(PyscfField):
    """The engine, which counts its steps in fields."""

    steps: list[int] = field(default_factory=list)

    def _in_field(self, *arguments: Any) -> Any:
        state = super()._in_field(*arguments)
        self.steps.append(state.cycles)
        return state


def converge_molecules(
    molecules: Sequence[Frames], engine: PyscfField, variants: Sequence[Mapping[str, Any]]
) -> list[Change]:
    """Label the first frame of molecules again with one setting changed at a time.

    Parameters
    ----------
    molecules : sequence of Frames
        Isolated; one set of figures is made of all.
    engine : PyscfField
        The level of theory to which every change is compared.
    variants : sequence of mappings
        Settings by their names in `PyscfField.provenance`: some of ``functional``, ``basis``,
        ``grid_level``, ``eps_scf``, ``field``.

    Returns
    -------
    list of Change
        The unchanged level first. Changes are of all nine components; ``scf_iterations`` are
        those of the six fields of all molecules.

    Raises
    ------
    InputError
        If a variant changes a setting that does not exist, or there is no molecule.

    Examples
    --------
    >>> water = Frames([8, 1, 1], [[[0, 0, 0], [0.97, 0, 0], [-0.24, 0.93, 0.02]]])
    >>> engine = PyscfField("PBE", "STO-3G", grid_level=0)
    >>> [change.slope for change in converge_molecules([water], engine, [])]
    [1.0]
    """
    if not molecules:
        raise InputError("There is no molecule to measure convergence on.")
    for variant in variants:
        if not set(variant) <= set(FIELDS):
            raise InputError(
                "A variant changes a setting that does not exist.",
                got=sorted(set(variant) - set(FIELDS)),
                expected=f"some of {', '.join(FIELDS)}",
            )
    numbers = np.concatenate([frames.atomic_numbers for frames in molecules])
    rows: list[Change] = []
    reference: npt.NDArray[np.float64] | None = None
    for variant in [{}, *map(dict, variants)]:
        settings = {FIELDS[name]: value for name, value in variant.items()}
        changed = _Counting(**asdict(replace(engine, **settings)))
        labels = [changed.label(frames[0]) for frames in molecules]
        tensors = np.concatenate([one.apt[0] for one in labels])
        reference = tensors if reference is None else reference
        change = (tensors - reference) ** 2
        rms = {
            SYMBOLS[z]: float(np.sqrt(change[numbers == z].mean()))
            for z in sorted(set(numbers.tolist()), reverse=True)
        }
        sums = [one.apt[0].sum(axis=0) for one in labels]
        rows.append(
            Change(
                variant,
                rms | {"all": float(np.sqrt(change.mean()))},
                float((tensors * reference).sum() / (reference**2).sum()),
                float(np.sqrt(np.mean(np.square(sums)))),
                sum(changed.steps),
            )
        )
    return rows
