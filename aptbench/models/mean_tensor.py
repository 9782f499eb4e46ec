"""`MeanTensor`: the mean tensor of every atom of a molecule, in axes fixed to the molecule."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.molecular_frame import MolecularFrame
from aptbench.models.molecular_graph import find_molecules, gather_molecules, refuse_unknown
from aptbench.models.protocol import Array
from aptbench.models.weights_file import reading_weights

WEIGHTS: Final = "tensors.json"


class MeanTensor:
    """Predict the mean tensor of the same atom in the same molecule, turned with the molecule.

    What depends on the orientation of a molecule is there; what depends on its shape or on its
    neighbours is not. A single atom, as an ion, has an isotropic tensor.

    Parameters
    ----------
    neutral : bool
        Shift all atoms of a frame by one tensor, so that the tensors add up to the total charge
        and the acoustic sum rule holds exactly.

    Notes
    -----
    The axes are those of `aptbench.models.molecular_frame.MolecularFrame`. The mean in them is the
    constant of least squared error. It is averaged over the symmetry of the mean geometry, so that
    like atoms have like tensors, and the tensors of a planar molecule have its mirror plane.

    Examples
    --------
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.6, 0.75, 0], [-0.6, 0.75, 0]])
    >>> apt = np.array([[np.diag([-0.6, -0.4, -0.8]), [[0.3, 0.1, 0], [0.1, 0.2, 0], [0, 0, 0.4]],
    ...                  [[0.3, -0.1, 0], [-0.1, 0.2, 0], [0, 0, 0.4]]]])
    >>> model = MeanTensor().fit(LabelledFrames(frames, apt))
    >>> turned = model.predict(frames.rotated([[0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    >>> turned[0, 0].diagonal().round(6).tolist()
    [-0.8, -0.6, -0.4]
    """

    def __init__(self, *, neutral: bool = True) -> None:
        self.name = "mean-tensor"
        self.neutral = neutral
        self.molecules_: list[tuple[MolecularFrame, Array]] = []
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> MeanTensor:
        """Make the model of a folder: its ``tensors.json``, or untrained.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        model, path = cls(**parameters), folder / WEIGHTS
        if not path.is_file():
            return model
        with reading_weights(path):
            content = json.loads(path.read_text(encoding="utf-8"))
            for one in content["molecules"]:
                frame = MolecularFrame.from_dict(one)
                tensors = np.array(one["apt"], np.float64)
                if tensors.shape != (len(frame.geometry), 3, 3):
                    raise ValueError(f"tensors of shape {tensors.shape} for {one['formula']}")
                model.molecules_.append((frame, tensors))
            model.provenance_ = dict(content["provenance"])
        return model

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> MeanTensor:
        """Make the model of a folder without its tensors."""
        return cls(**parameters)

    @property
    def fitted(self) -> bool:
        """Whether there is a molecule to predict."""
        return bool(self.molecules_)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers: coordinates of the mean geometries, and their tensors."""
        return sum(frame.geometry.size + tensors.size for frame, tensors in self.molecules_)

    def fit(self, train: LabelledFrames, validation: LabelledFrames | None = None) -> MeanTensor:
        """Learn the mean tensors of every kind of molecule; there is nothing to validate."""
        return self.fit_systems([train])

    def fit_systems(
        self, train: Sequence[LabelledFrames], validation: Sequence[LabelledFrames] = ()
    ) -> MeanTensor:
        """Learn from several systems together; every molecule counts the same."""
        learned = []
        for graph, places, (apt,) in gather_molecules((one.frames, [one.apt]) for one in train):
            frame = MolecularFrame.learn(graph, places)
            order, turn = frame.place(places)
            labels = np.take_along_axis(apt, order[..., None, None], axis=1)
            mean = turn.tensors_back(labels).mean(0)
            learned.append((frame, frame.symmetrized_tensors(mean)))
        self.molecules_, self.provenance_ = learned, {}
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``tensors.json``: geometries, tensors, and what they were learned from."""
        self.provenance_ = dict(provenance or {})
        content = {
            "molecules": [
                {**frame.to_dict(), "apt": tensors.tolist()} for frame, tensors in self.molecules_
            ],
            "unit": "e",
            "provenance": self.provenance_,
        }
        return write_atomically(folder / WEIGHTS, f"{json.dumps(content, indent=1)}\n")

    def predict(self, frames: Frames) -> Array:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp).

        Raises
        ------
        InputError
            If the model was not fitted, or the frames have a molecule that it did not learn.
        """
        if not self.fitted:
            raise InputError(
                f"The model {self.name!r} was not fitted.",
                do="fit it on labels, or train it: aptbench train baselines/mean-tensor",
            )
        graphs = [frame.graph for frame, _ in self.molecules_]
        found, positions = find_molecules(frames, graphs)
        refuse_unknown(found, graphs)
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        for molecules in found:
            frame, tensors = self.molecules_[graphs.index(molecules.graph)]
            order, turn = frame.place(positions[:, molecules.atoms])
            atoms = molecules.atoms[np.arange(len(molecules.atoms))[:, None], order]
            result[np.arange(len(frames))[:, None, None], atoms] = turn.tensors(
                np.broadcast_to(tensors, (*turn.rank.shape, *tensors.shape))
            )
        if self.neutral:
            excess = result.sum(1) - frames.total_charge * np.eye(3)
            result -= excess[:, None] / frames.n_atoms
        return result
