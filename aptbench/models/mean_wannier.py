"""`MeanWannier`: mean Wannier centres in axes fixed to the molecule, a dipole model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.molecular_frame import MolecularFrame, Turn
from aptbench.models.molecular_graph import find_molecules, gather_molecules, refuse_unknown
from aptbench.models.protocol import Array
from aptbench.models.wannier_centers import valence_charges, wannier_centroids
from aptbench.models.weights_file import reading_weights

WEIGHTS: Final = "centers.json"


@dataclass(frozen=True, eq=False)
class _Molecule:
    frame: MolecularFrame
    # of core and Wannier centres on each atom, in e, shape (atom,)
    charges: Array
    # sum of r_W - R_owner over all centres of the molecule, in its frame, in angstrom, (xyz,)
    displacement: Array
    # change of that with the shape of the molecule, shape (xyz, atom, xyz)
    response: Array

    def __post_init__(self) -> None:
        shape = self.frame.geometry.shape
        shapes = self.charges.shape, self.displacement.shape, self.response.shape
        if shapes != (shape[:1], (3,), (3, *shape)):
            raise ValueError(f"arrays of shapes {shapes} for {self.frame.graph.formula}")

    def in_frame(self, places: Array, turn: Turn) -> Array:
        """Return the displacement in the frame of each molecule, shape (..., xyz)."""
        change = self.frame.shape_change(places, turn)
        return self.displacement + np.einsum("sar,...ar->...s", self.response, change)

    def derivative(self, places: Array, turn: Turn) -> Array:
        """Return how the displacement in space moves with the atoms, (..., atom, pol, disp)."""
        turning = self.frame.derivative(turn)
        result = np.einsum("...psad,...s->...apd", turning, self.in_frame(places, turn))
        masses = self.frame.graph.masses
        # the centre of mass moves too
        share = masses[:, None] / masses.sum()
        response = self.response - self.response.sum(1, keepdims=True) * share
        result += np.einsum("...ps,sar,...dr->...apd", turn.matrix, response, turn.matrix)
        centered = places - np.einsum("a,...ax->...x", share[:, 0], places)[..., None, :]
        reshaped = np.einsum("...xrad,...bx->...brad", turning, centered)
        result += np.einsum("...ps,sbr,...brad->...apd", turn.matrix, self.response, reshaped)
        return result


class MeanWannier:
    """Predict dipoles from mean Wannier centres that turn with the molecule, and differentiate.

    It learns from Wannier centres and never sees an atomic polar tensor. A molecule has the dipole
    of its cores and of the mean positions of its electron pairs, which keep their places relative
    to their atoms in axes fixed to the molecule. The tensors are the exact derivative of that
    dipole, so the acoustic sum rule holds, and for isolated systems the rotational one.

    Parameters
    ----------
    order : {0, 1}
        0: mean centres; 1: centres that also move linearly with the shape of the molecule.

    Raises
    ------
    InputError
        If the order is neither 0 nor 1.

    Notes
    -----
    With cores Z_i, n_i centres of charge -2 e owned by atom i, and w_i the sum of their
    displacements from it,
    M = sum_i (Z_i - 2 n_i) R_i - 2 sum_i w_i,
    P_j = (Z_j - 2 n_j) 1 - 2 sum_i dw_i / dR_j,
    where w_i is constant in the axes of `aptbench.models.molecular_frame.MolecularFrame`, whose
    rotation is differentiated in closed form. What the electrons do when a bond stretches,
    beyond following their atom, is there with ``order`` 1 only: then the sum of all w_i of a
    molecule is linear in its shape, the difference to its mean geometry.

    Examples
    --------
    >>> hydrogen_fluoride = Frames([9, 1], [[0, 0, 0], [0, 0, 0.9]])
    >>> centers = [[[0, 0, 0.4], [0.3, 0, -0.2], [-0.2, 0.2, -0.2], [-0.1, -0.2, -0.2]]]
    >>> labels = LabelledFrames(hydrogen_fluoride, np.zeros((1, 2, 3, 3)), wannier_centers=centers)
    >>> model = MeanWannier().fit(labels)
    >>> model.dipole(hydrogen_fluoride).round(6) + 0
    array([[0. , 0. , 1.3]])
    >>> model.predict(hydrogen_fluoride)[0, 1].diagonal().round(6).tolist()  # across: 1.3 / 0.9
    [1.444444, 1.444444, 1.0]
    """

    def __init__(self, *, order: int = 0) -> None:
        if order not in (0, 1):
            raise InputError(
                "The 'order' of MeanWannier is impossible.", got=order, expected="0, 1"
            )
        self.name = "wannier-mean"
        self.order = order
        self.molecules_: list[_Molecule] = []
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> MeanWannier:
        """Make the model of a folder: its ``centers.json``, or untrained.

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
            model.molecules_ = [
                _Molecule(
                    MolecularFrame.from_dict(one),
                    np.array(one["charges"], np.float64),
                    np.array(one["displacement"], np.float64),
                    np.array(one["response"], np.float64),
                )
                for one in content["molecules"]
            ]
            model.provenance_ = dict(content["provenance"])
        return model

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> MeanWannier:
        """Make the model of a folder without its centres."""
        return cls(**parameters)

    @property
    def fitted(self) -> bool:
        """Whether there is a molecule to predict."""
        return bool(self.molecules_)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers: geometries, charges, displacements, and their response."""
        responses = sum(m.response.size for m in self.molecules_) if self.order else 0
        return responses + sum(
            m.frame.geometry.size + m.charges.size + m.displacement.size for m in self.molecules_
        )

    def fit(self, train: LabelledFrames, validation: LabelledFrames | None = None) -> MeanWannier:
        """Learn the mean displacements of every kind of molecule; there is nothing to validate.

        Raises
        ------
        InputError
            If there are no Wannier centres, or as `wannier_centroids`.
        """
        return self.fit_systems([train])

    def fit_systems(
        self, train: Sequence[LabelledFrames], validation: Sequence[LabelledFrames] = ()
    ) -> MeanWannier:
        """Learn from several systems together; errors as `fit`."""
        learned = []
        for graph, places, (displacements, charges) in gather_molecules(
            (one.frames, self._centers(one)) for one in train
        ):
            frame = MolecularFrame.learn(graph, places)
            order, turn = frame.place(places)
            places = np.take_along_axis(places, order[..., None], axis=1)
            here = np.take_along_axis(displacements, order[..., None], axis=1)
            own = np.take_along_axis(charges, order, axis=1)
            # a molecule counts once for each symmetry operation: what is learned is symmetric
            total = frame.symmetry_images(turn.vectors_back(here)).sum(-2).reshape(-1, 3)
            change = frame.symmetry_images(frame.shape_change(places, turn))
            mean, response = _regression(change.reshape(len(total), -1), total, self.order)
            permutations, _ = frame.symmetries
            learned.append(
                _Molecule(
                    frame,
                    own.mean(0)[permutations].mean(0),
                    mean,
                    response.reshape(3, *frame.geometry.shape),
                )
            )
        self.molecules_, self.provenance_ = learned, {}
        return self

    def _centers(self, labels: LabelledFrames) -> list[Array]:
        """Return sums of r_W - R_owner (frame, atom, xyz), and charges (frame, atom)."""
        if labels.wannier_centers is None:
            raise InputError(
                f"The model {self.name!r} learns from Wannier centres.",
                got="labels without them",
                expected="LabelledFrames with 'wannier_centers'",
                do="choose a task whose data set has them",
            )
        centroids = wannier_centroids(labels.frames, labels.wannier_centers)
        charges = valence_charges(labels.frames.atomic_numbers)
        charges[centroids.owner] -= 2.0 * centroids.count
        displacements = np.zeros((len(labels), labels.frames.n_atoms, 3))
        displacements[:, centroids.owner] = centroids.displacement
        return [displacements, np.broadcast_to(charges, displacements.shape[:2])]

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``centers.json``: geometries, centres, and what they were learned from."""
        self.provenance_ = dict(provenance or {})
        content = {
            "molecules": [
                {
                    **molecule.frame.to_dict(),
                    "charges": molecule.charges.tolist(),
                    "displacement": molecule.displacement.tolist(),
                    "response": molecule.response.tolist(),
                }
                for molecule in self.molecules_
            ],
            "unit": {"charges": "e", "displacement": "angstrom", "response": "1"},
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
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        frame_index = np.arange(len(frames))[:, None, None]
        for molecule, atoms, places, turn in self._place(frames):
            own = molecule.charges[:, None, None] * np.eye(3)
            result[frame_index, atoms] = own - 2 * molecule.derivative(places, turn)
        return result

    def dipole(self, frames: Frames) -> Array:
        """Return the dipole in e angstrom, shape (frame, pol); see `predict` for errors.

        Of the positions as they are: in a cell it is defined modulo the polarization quantum, and
        continuous along a trajectory whose positions are unwrapped.
        """
        result = np.zeros((len(frames), 3))
        frame_index = np.arange(len(frames))[:, None, None]
        for molecule, atoms, places, turn in self._place(frames):
            positions = frames.positions[frame_index, atoms]
            result += np.einsum("a,fmax->fx", molecule.charges, positions)
            displacement = molecule.in_frame(places, turn)
            result -= 2 * np.einsum("fmxr,fmr->fx", turn.matrix, displacement)
        return result

    def _place(self, frames: Frames) -> list[tuple[_Molecule, Any, Array, Turn]]:
        """Return each kind of molecule, its atoms (frame, molecule, atom), places and turns."""
        if not self.fitted:
            raise InputError(
                f"The model {self.name!r} was not fitted.",
                do="fit it on labels, or train it: aptbench train baselines/wannier-mean",
            )
        graphs = [molecule.frame.graph for molecule in self.molecules_]
        found, positions = find_molecules(frames, graphs)
        refuse_unknown(found, graphs)
        result = []
        for molecules in found:
            molecule = self.molecules_[graphs.index(molecules.graph)]
            places = positions[:, molecules.atoms]
            order, turn = molecule.frame.place(places)
            atoms = molecules.atoms[np.arange(len(molecules.atoms))[:, None], order]
            places = np.take_along_axis(places, order[..., None], axis=2)
            result.append((molecule, atoms, places, turn))
        return result


def _regression(change: Array, target: Array, order: int) -> tuple[Array, Array]:
    """Return the constant (xyz,) and the slopes (xyz, coordinate) of least squared error.

    A molecule cannot change along every coordinate, as its centre and its axes are fixed: those
    that it cannot have no slope.
    """
    mean = target.mean(0)
    if order == 0:
        return mean, np.zeros((3, change.shape[1]))
    middle = change.mean(0)
    slopes = np.linalg.lstsq(change - middle, target - mean, rcond=1e-6)[0].T
    return mean - slopes @ middle, slopes
