"""`LinearTensor`: ridge regression on tensor features of the neighbourhood, without any network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from aptbench.atomic import write_atomically
from aptbench.elements import SYMBOLS, atomic_number
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.protocol import Array
from aptbench.models.spherical_tensors import cartesian_basis
from aptbench.models.tensor_features import FeatureSettings, tensor_features
from aptbench.models.tensor_ridge import MORE_STRENGTHS, STRENGTHS, RidgeData, TensorRidge
from aptbench.models.weights_file import reading_weights

WEIGHTS: Final = "weights.json"
DEGREES: Final = (0, 1, 2)
FOLDS: Final = 10
MOST_GB: Final = 8.0
"""Memory that the data of a fit may take; features grow with the square of the elements."""


@dataclass(frozen=True)
class _Fit:
    species: tuple[int, ...]
    # by species, then by degree
    ridges: tuple[tuple[TensorRidge, ...], ...]


class LinearTensor:
    """Predict a tensor as a sum of tensor features, with one number for each feature and species.

    Every feature is itself a tensor of degree 0, 1 or 2 that turns with the neighbourhood, and the
    numbers are scalars: the prediction is covariant under rotations and reflections whatever the
    numbers are. Nothing depends on molecules, bonds or a cell.

    Parameters
    ----------
    **features
        Fields of `aptbench.models.tensor_features.FeatureSettings`.

    Raises
    ------
    InputError
        If a setting does not exist or is out of its range.

    Notes
    -----
    Least squares with a penalty on the square of the coefficients of features of unit variance,
    one regression for each species and degree. The penalty is chosen by leaving out training
    frames, one after the other, or in ten blocks of them where there are more; of several systems
    each is divided, so that frames of one that has few are left out in turn, too. Where there are
    ten systems or more, systems are left out instead, because the question is then what the model
    says of others; a species that only one of them has takes the middle of the penalties of the
    other species, and the largest of their errors.

    Examples
    --------
    >>> frames = Frames([8, 1], [[[0, 0, 0], [0, 0, z]] for z in (0.9, 1.0, 1.1)])
    >>> apt = np.zeros((3, 2, 3, 3))
    >>> apt[:, 0, 2, 2], apt[:, 1, 2, 2] = -0.5, 0.5
    >>> model = LinearTensor(cutoff=3.0).fit(LabelledFrames(frames, apt))
    >>> model.predict(frames.rotated([[0, 0, 1], [0, 1, 0], [1, 0, 0]]))[0, 1].round(1) + 0
    array([[0.5, 0. , 0. ],
           [0. , 0. , 0. ],
           [0. , 0. , 0. ]])
    """

    def __init__(self, **features: Any) -> None:
        self.name = "linear-tensor"
        try:
            self.features = FeatureSettings(**features)
        except TypeError as error:
            raise InputError(
                "The linear tensor model has no such setting.",
                got=error,
                expected="fields of FeatureSettings",
            ) from error
        self.fit_: _Fit | None = None
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> LinearTensor:
        """Make the model of a folder: its ``weights.json``, or untrained.

        Raises
        ------
        StoreError
            If the file of the weights is damaged.
        InputError
            If they are of other features than the parameters say.
        """
        path = folder / WEIGHTS
        if not path.is_file():
            return cls(**parameters)
        with reading_weights(path):
            content = json.loads(path.read_text(encoding="utf-8"))
            model = cls(**content["features"])
            model.fit_ = _Fit(
                tuple(atomic_number(symbol) for symbol in content["species"]),
                tuple(
                    tuple(
                        TensorRidge(
                            np.array(one["coefficients"], np.float64),
                            float(one["constant"]),
                            float(one["strength"]),
                            float(one["error"]),
                        )
                        for one in content["species"][symbol]
                    )
                    for symbol in content["species"]
                ),
            )
            model.provenance_ = dict(content["provenance"])
            model._check_sizes()
        if parameters and FeatureSettings(**parameters) != model.features:
            raise InputError(
                f"The weights {path} are of other features.",
                got=model.features,
                expected=parameters,
                do="correct the parameters of model.yaml, or train again",
            )
        return model

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> LinearTensor:
        """Make the model of a folder without its weights."""
        return cls(**parameters)

    @property
    def fitted(self) -> bool:
        """Whether there are coefficients to predict with."""
        return self.fit_ is not None

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers: a coefficient for each feature, and a constant a species."""
        if self.fit_ is None:
            return 0
        counts = [len(r.coefficients) for ridges in self.fit_.ridges for r in ridges]
        return sum(counts) + len(self.fit_.species)

    def fit(self, train: LabelledFrames, validation: LabelledFrames | None = None) -> LinearTensor:
        """Learn from training labels alone; they also choose the regularisation."""
        return self.fit_systems([train])

    def fit_systems(
        self, train: Sequence[LabelledFrames], validation: Sequence[LabelledFrames] = ()
    ) -> LinearTensor:
        """Learn from several systems together; every atom counts the same."""
        species = tuple(sorted({int(z) for one in train for z in one.frames.atomic_numbers}))
        whole = len(train) >= FOLDS  # systems are left out, not some frames of each
        n_folds = FOLDS if whole else min(max(map(len, train)), FOLDS)
        data: list[list[RidgeData]] = []
        for s, one in enumerate(train):
            for k in range(len(one)):
                features = tensor_features(one.frames[k], species, self.features)
                if not data:
                    data = self._data(train, species, [f.shape[2] for f in features], n_folds)
                fold = s % n_folds if whole else k * n_folds // len(one)
                for row, z in zip(data, species, strict=True):
                    atoms = one.frames.atomic_numbers == z
                    for n in DEGREES if atoms.any() else ():
                        target = np.einsum("cpd,apd->ac", cartesian_basis(n), one.apt[k, atoms])
                        row[n].add(fold, features[n][atoms], target)
        strengths = MORE_STRENGTHS if whole else STRENGTHS
        ridges = (_solve([row[n] for row in data], strengths) for n in DEGREES)
        self.fit_ = _Fit(species, tuple(zip(*ridges, strict=True)))
        self.provenance_ = {}
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``weights.json``: features, coefficients, and what they were learned from."""
        fit = self._expect_fitted()
        self.provenance_ = dict(provenance or {})
        content = {
            "features": asdict(self.features),
            "species": {
                SYMBOLS[z]: [
                    # ten digits leave the tensors as they are to 1e-8 e
                    {**asdict(ridge), "coefficients": [float(f"{c:.10g}") for c in row]}
                    for ridge, row in ((r, r.coefficients.tolist()) for r in ridges)
                ]
                for z, ridges in zip(fit.species, fit.ridges, strict=True)
            },
            "unit": "e",
            "provenance": self.provenance_,
        }
        return write_atomically(folder / WEIGHTS, f"{json.dumps(content)}\n")

    def predict(self, frames: Frames) -> Array:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp), frame by frame.

        Raises
        ------
        InputError
            If the model was not fitted, or the frames have a species that it did not learn.
        """
        fit = self._expect_fitted()
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        for k in range(len(frames)):
            features = tensor_features(frames[k], fit.species, self.features)
            for z, ridges in zip(fit.species, fit.ridges, strict=True):
                atoms = frames.atomic_numbers == z
                for n, ridge in enumerate(ridges):
                    components = ridge.predict(features[n][atoms])
                    result[k, atoms] += np.einsum("ac,cpd->apd", components, cartesian_basis(n))
        return result

    def predict_std(self, frames: Frames) -> Array:
        """Return the standard error in e, shape (frame, atom, pol, disp).

        It is the error on training frames that were left out, by species and degree: the same for
        all atoms of a species, and no warning of an environment that was never seen.
        """
        fit = self._expect_fitted()
        result = np.zeros((len(frames), frames.n_atoms, 3, 3))
        for z, ridges in zip(fit.species, fit.ridges, strict=True):
            shares = [
                ridge.error**2 * np.sum(cartesian_basis(n) ** 2, 0)
                for n, ridge in enumerate(ridges)
            ]
            result[:, frames.atomic_numbers == z] = np.sqrt(sum(shares))
        return result

    def _data(
        self,
        train: Sequence[LabelledFrames],
        species: tuple[int, ...],
        sizes: list[int],
        n_folds: int,
    ) -> list[list[RidgeData]]:
        """Return what the regressions of each species and degree are solved from, still empty.

        Raises
        ------
        InputError
            If it would not fit into memory.
        """
        atoms = [sum(len(t) * np.sum(t.frames.atomic_numbers == z) for t in train) for z in species]
        rows = [[int(count) * (2 * n + 1) for n in DEGREES] for count in atoms]
        numbers = sum(
            size * min(count, n_folds * size)
            for row in rows
            for count, size in zip(row, sizes, strict=True)
        )
        if 8e-9 * numbers > MOST_GB:
            raise InputError(
                f"The model {self.name!r} has too many features of so many elements.",
                got=f"{sum(sizes)} features of {len(species)} elements, whose regressions need "
                f"{8e-9 * numbers:.0f} GB",
                expected=f"{MOST_GB:g} GB at most",
                do="make its features fewer (FeatureSettings), or train a network",
            )
        return [[RidgeData.of_size(n, sizes[n], row[n], n_folds) for n in DEGREES] for row in rows]

    def _check_sizes(self) -> None:
        """Refuse coefficients that do not belong to the features."""
        fit = self._expect_fitted()
        lone = Frames(np.array([fit.species[0]]), np.zeros((1, 1, 3)))
        expected = [f.shape[2] for f in tensor_features(lone, fit.species, self.features)]
        for ridges in fit.ridges:
            got = [len(ridge.coefficients) for ridge in ridges]
            if got != expected:
                raise ValueError(f"{got} coefficients for {expected} features")

    def _expect_fitted(self) -> _Fit:
        if self.fit_ is None:
            raise InputError(
                f"The model {self.name!r} has no weights.",
                do="fit it on labels, or train it: aptbench train baselines/linear-tensor",
            )
        return self.fit_


def _solve(data: Sequence[RidgeData], strengths: Array) -> list[TensorRidge]:
    """Solve the regressions of one degree; a species that has nothing to choose by asks others."""
    found = [one.solve(strengths) if one.can_choose else None for one in data]
    chosen = [one for one in found if one is not None]
    if not chosen:
        return [one.solve() for one in data]
    middle = sorted(one.strength for one in chosen)[len(chosen) // 2]
    largest = max(one.error for one in chosen)
    return [one or rows.fit(middle, largest) for one, rows in zip(found, data, strict=True)]
