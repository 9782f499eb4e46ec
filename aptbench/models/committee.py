"""`CommitteeModel`: what models share that are a committee of networks in a ``weights.pt``."""

from __future__ import annotations

import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import yaml

from aptbench.atomic import write_atomically
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.calibration import Calibration, committee_spread
from aptbench.models.protocol import Array
from aptbench.models.training import Progress

WEIGHTS = "weights.pt"
CONFIG = "train.yaml"


def training_identity(config: Mapping[str, Any], *parts: Sequence[LabelledFrames]) -> str:
    """Return a SHA-256 of what a training depends on besides its schedule: settings and labels."""
    fixed = {key: value for key, value in config.items() if key not in ("training", "committee")}
    digest = hashlib.sha256(json.dumps(fixed, sort_keys=True).encode())
    for part in parts:
        digest.update(b"part")
        for one in part:
            frames = one.frames
            digest.update(repr((frames.positions.shape, frames.total_charge)).encode())
            arrays = (frames.atomic_numbers, frames.positions, frames.cell, one.apt)
            for array in (*arrays, one.wannier_centers):
                digest.update(b"-" if array is None else array.tobytes())
    return digest.hexdigest()


class CommitteeModel(ABC):
    """Networks that differ in their seeds; the prediction is their mean.

    Parameters
    ----------
    committee : int
        Number of networks. With two or more the model has ``predict_std(frames)``, the calibrated
        standard error of the mean.
    """

    def __init__(self, committee: int) -> None:
        self.committee = committee
        if committee > 1:
            # one network has no spread, and callers ask for one by looking for the method
            self.predict_std = self._standard_error
        self.calibration_ = Calibration()
        self.networks_: list[Any] = []
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> Self:
        """Make the model of a folder: its ``weights.pt``, or untrained from its ``train.yaml``.

        Raises
        ------
        InputError
            If the weights were trained with other parameters.
        """
        path = folder / WEIGHTS
        if not path.is_file():
            return cls.untrained(folder, **parameters)
        model = cls.read(path)
        for name, value in parameters.items():
            trained = model.config.get(name)
            if isinstance(value, Mapping) and isinstance(trained, Mapping):
                trained = {key: trained.get(key) for key in value}
            if value != trained:
                raise InputError(
                    f"The weights {path} were trained with another {name!r}.",
                    got=trained,
                    expected=value,
                    do="correct the parameters of model.yaml, or train again",
                )
        return model

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The settings of the model, plain values."""

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> Self:
        """Make the model of ``train.yaml``, without weights."""
        config = folder / CONFIG
        settings = yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else {}
        return cls(**{**settings, **parameters})

    @classmethod
    @abstractmethod
    def read(cls, path: Path) -> Self:
        """Read weights; the file holds tensors and plain values only, never code."""

    @abstractmethod
    def _members(self, frame: Frames) -> Array:
        """Return what every network says of one frame, shape (network, 1, atom, pol, disp)."""

    def fit(
        self,
        train: LabelledFrames,
        validation: LabelledFrames | None = None,
        *,
        checkpoint: Path | None = None,
        report: Callable[[int, Progress], None] | None = None,
    ) -> Self:
        """Train every network of the committee and return self.

        Parameters
        ----------
        train : LabelledFrames
        validation : LabelledFrames, optional
            Selects the step that is kept, the last one without it, and calibrates `predict_std`.
        checkpoint : Path, optional
            Stem of the checkpoints, one a network; a killed run goes on from the last one.
        report : callable, optional
            Called with the index of the network and its progress at every step.
        """
        selected = () if validation is None else (validation,)
        return self.fit_systems([train], selected, checkpoint=checkpoint, report=report)

    @abstractmethod
    def fit_systems(
        self,
        train: Sequence[LabelledFrames],
        validation: Sequence[LabelledFrames] = (),
        *,
        checkpoint: Path | None = None,
        report: Callable[[int, Progress], None] | None = None,
    ) -> Self:
        """Train on several systems together; the parameters are those of `fit`."""

    @property
    def fitted(self) -> bool:
        """Whether the model has weights."""
        return bool(self.networks_)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers, those of all networks of the committee together."""
        return sum(p.numel() for network in self.networks_ for p in network.parameters())

    def predict(self, frames: Frames) -> Array:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp), frame by frame."""
        return np.asarray(self._predictions(frames).mean(0))

    def _standard_error(self, frames: Frames) -> Array:
        """Return the standard error of `predict` in e, shape (frame, atom, pol, disp).

        From the spread of the committee, calibrated on the validation labels if there were any;
        the same for the nine components of an atom, which no rotation changes.
        """
        spread = committee_spread(self._predictions(frames))
        return self.calibration_.standard_error(frames.atomic_numbers, spread)

    def _predictions(self, frames: Frames) -> Array:
        """Return what every network says, shape (network, frame, atom, pol, disp)."""
        return np.concatenate([self._members(frames[k]) for k in range(len(frames))], axis=1)

    def _calibrate(self, validation: Sequence[LabelledFrames]) -> None:
        """Fit the calibration of a trained committee to labels that it was not fitted to."""
        self.calibration_ = Calibration()
        if not validation or self.committee == 1:
            return
        members = [self._predictions(labels.frames) for labels in validation]
        numbers = [labels.frames.atomic_numbers for labels in validation]
        spreads = [committee_spread(one) for one in members]
        errors = [one.mean(0) - labels.apt for one, labels in zip(members, validation, strict=True)]
        if len(validation) > 1:
            # atoms of all frames of all systems in a row
            numbers = [np.tile(n, len(s)) for n, s in zip(numbers, spreads, strict=True)]
            spreads = [spread.reshape(1, -1) for spread in spreads]
            errors = [error.reshape(1, -1, 3, 3) for error in errors]
        self.calibration_ = Calibration.measure(
            np.concatenate(numbers),
            np.concatenate(spreads, axis=1),
            np.concatenate(errors, axis=1),
        )

    def _write(
        self, folder: Path, content: Mapping[str, Any], provenance: Mapping[str, Any] | None
    ) -> Path:
        """Write ``weights.pt``: what a subclass says, weights, and what they were trained on."""
        self.provenance_ = dict(provenance or {})
        stream = io.BytesIO()
        shared = {
            "calibration": self.calibration_.to_dict(),
            "members": [network.state_dict() for network in self.networks_],
            "provenance": self.provenance_,
        }
        torch.save({**content, **shared}, stream)
        return write_atomically(folder / WEIGHTS, stream.getvalue())
