"""`ConstantCharge`: one isotropic charge a species, the baseline that every model must beat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.elements import SYMBOLS, atomic_number
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.protocol import Array
from aptbench.models.weights_file import reading_weights

WEIGHTS = "charges.json"


class ConstantCharge:
    """Predict q * identity with one charge q for each species.

    Parameters
    ----------
    charges : mapping of symbol to float, optional
        In e. None: to be learned by `fit`, as the mean isotropic charge tr(P) / 3 of each species,
        which is the constant of least squared error.
    neutral : bool
        Shift all atoms by one number, so that the charges add up to the total charge of the
        system and the acoustic sum rule holds exactly.

    Examples
    --------
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> ConstantCharge({"O": -0.9, "H": 0.45}).predict(frames)[0, :, 0, 0]
    array([-0.9 ,  0.45,  0.45])
    """

    def __init__(self, charges: Mapping[str, float] | None = None, *, neutral: bool = True) -> None:
        self.name = "constant-charge"
        self.neutral = neutral
        self.charges_: dict[int, float] = {
            atomic_number(symbol): float(q) for symbol, q in (charges or {}).items()
        }
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(
        cls, folder: Path, charges: Mapping[str, float] | None = None, *, neutral: bool = True
    ) -> ConstantCharge:
        """Read the learned charges of a model folder, if it has any.

        Raises
        ------
        StoreError
            If the file of the charges is damaged.
        """
        path = folder / WEIGHTS
        if charges is not None or not path.is_file():
            return cls(charges, neutral=neutral)
        with reading_weights(path):
            content = json.loads(path.read_text(encoding="utf-8"))
            model = cls(content["charges"], neutral=neutral)
            model.provenance_ = dict(content.get("provenance", {}))
        return model

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> ConstantCharge:
        """Make the model of a folder without its charges."""
        return cls(**parameters)

    @property
    def fitted(self) -> bool:
        """Whether there is a charge to predict with."""
        return bool(self.charges_)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers: one charge a species."""
        return len(self.charges_)

    def fit(
        self, train: LabelledFrames, validation: LabelledFrames | None = None
    ) -> ConstantCharge:
        """Learn the mean isotropic charge of each species; there is nothing to validate."""
        return self.fit_systems([train])

    def fit_systems(
        self, train: Sequence[LabelledFrames], validation: Sequence[LabelledFrames] = ()
    ) -> ConstantCharge:
        """Learn from several systems together; every atom counts the same."""
        charges: dict[int, list[Array]] = {}
        for labels in train:
            numbers = labels.frames.atomic_numbers
            isotropic = np.trace(labels.apt, axis1=-2, axis2=-1) / 3
            for z in np.unique(numbers):
                charges.setdefault(int(z), []).append(isotropic[:, numbers == z].ravel())
        self.charges_ = {z: float(np.concatenate(q).mean()) for z, q in sorted(charges.items())}
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``charges.json``, with what it was learned from, into a model folder."""
        self.provenance_ = dict(provenance or {})
        charges = {SYMBOLS[z]: q for z, q in self.charges_.items()}
        text = json.dumps(
            {"charges": charges, "unit": "e", "provenance": self.provenance_}, indent=1
        )
        return write_atomically(folder / WEIGHTS, f"{text}\n".encode())

    def predict(self, frames: Frames) -> Array:
        """Return q * identity, shape (frame, atom, pol, disp), in e.

        Raises
        ------
        InputError
            If the model was not fitted, or the frames have a species without a charge.
        """
        numbers = frames.atomic_numbers
        missing = sorted({int(z) for z in numbers} - set(self.charges_))
        if missing:
            known = ", ".join(SYMBOLS[z] for z in self.charges_)
            raise InputError(
                f"{self.name!r} has no charge for {', '.join(SYMBOLS[z] for z in missing)}.",
                got=f"charges for {known}" if known else "a model that was not fitted",
                do="fit it on labels with these species, or give it 'charges'",
            )
        charge = np.array([self.charges_[int(z)] for z in numbers])
        if self.neutral:
            charge = charge + (frames.total_charge - charge.sum()) / len(charge)
        return np.broadcast_to(
            charge[None, :, None, None] * np.eye(3), (len(frames), len(charge), 3, 3)
        ).copy()
