"""`EquivariantModel`: the e3nn reference model, numpy in and numpy out."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from aptbench.atomic import write_atomically
from aptbench.errors import InputError, StoreError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.equivariant_network import EquivariantNetwork, NetworkSettings
from aptbench.models.graph import AtomGraph, GraphSettings
from aptbench.models.normalization import Normalization
from aptbench.models.protocol import Array
from aptbench.models.tensor_basis import to_cartesian, to_irreps
from aptbench.models.training import Example, Progress, TrainingSettings, train_network

WEIGHTS = "weights.pt"
CONFIG = "train.yaml"
FORMAT = 1

Settings = Mapping[str, Any]


class EquivariantModel:
    """A committee of equivariant networks that predict the tensor of every atom directly.

    The components 0e + 1e + 2e of each tensor are predicted in units of their spread by species
    and irrep, so the model is covariant under all rotations and reflections by construction.

    Parameters
    ----------
    graph, network, training : mapping, optional
        Fields of `GraphSettings`, `NetworkSettings` (without ``graph``) and `TrainingSettings`.
    committee : int
        Number of networks, with different seeds; the prediction is their mean.
    sum_rule : {"none", "mean"}
        Whether to subtract the mean over atoms of sum_i P_i - Q 1 from every tensor.

    Raises
    ------
    InputError
        If a setting does not exist or has an impossible value.
    """

    def __init__(
        self,
        *,
        graph: Settings | None = None,
        network: Settings | None = None,
        training: Settings | None = None,
        committee: int = 1,
        sum_rule: str = "none",
    ) -> None:
        if sum_rule not in ("none", "mean") or committee < 1:
            raise InputError(
                "The settings of the equivariant model are impossible.",
                got=f"sum_rule={sum_rule!r}, committee={committee}",
                expected="sum_rule 'none' or 'mean', committee at least 1",
            )
        self.name = "e3nn-reference"
        try:
            self.network = NetworkSettings(graph=GraphSettings(**(graph or {})), **(network or {}))
            self.training = TrainingSettings(**(training or {}))
        except TypeError as error:
            raise InputError(
                "The equivariant model has no such setting.",
                got=error,
                expected="fields of GraphSettings, NetworkSettings, TrainingSettings",
            ) from error
        self.committee, self.sum_rule = committee, sum_rule
        self.normalization_: Normalization | None = None
        self.networks_: list[EquivariantNetwork] = []
        self.provenance_: dict[str, Any] = {}

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> EquivariantModel:
        """Make the model of a folder: its ``weights.pt``, or untrained from its ``train.yaml``."""
        path = folder / WEIGHTS
        return cls.read(path) if path.is_file() else cls.untrained(folder, **parameters)

    @classmethod
    def untrained(cls, folder: Path, **parameters: Any) -> EquivariantModel:
        """Make the model of ``train.yaml``, without weights."""
        config = folder / CONFIG
        settings = yaml.safe_load(config.read_text(encoding="utf-8")) if config.is_file() else {}
        return cls(**{**settings, **parameters})

    @classmethod
    def read(cls, path: Path) -> EquivariantModel:
        """Read weights; the file holds tensors and plain values only, never code.

        Raises
        ------
        StoreError
            If the file is damaged or of another format.
        """
        try:
            content = torch.load(path, weights_only=True)
            if content["format"] != FORMAT:
                raise StoreError(
                    f"{path} has an unknown format.", got=content["format"], expected=FORMAT
                )
            model = cls(**content["config"])
            model.normalization_ = Normalization(
                tuple(content["species"]), content["mean"].numpy(), content["scale"].numpy()
            )
            for weights in content["members"]:
                network = EquivariantNetwork(len(content["species"]), model.network)
                network.load_state_dict(weights)
                model.networks_.append(network.eval())
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(
                f"The weights {path} cannot be read.",
                got=f"{type(error).__name__}: {error}",
                do="fetch them again with 'dvc pull --force', or train the model again",
            ) from error
        model.provenance_ = content["provenance"]
        return model

    @property
    def fitted(self) -> bool:
        """Whether the model has weights."""
        return bool(self.networks_)

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers of one network of the committee."""
        return sum(p.numel() for p in self.networks_[0].parameters()) if self.networks_ else 0

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments that make an untrained copy."""
        network = asdict(self.network)
        return {
            "graph": network.pop("graph"),
            "network": network,
            "training": asdict(self.training),
            "committee": self.committee,
            "sum_rule": self.sum_rule,
        }

    def fit(
        self,
        train: LabelledFrames,
        validation: LabelledFrames | None = None,
        *,
        checkpoint: Path | None = None,
        report: Callable[[int, Progress], None] | None = None,
    ) -> EquivariantModel:
        """Train every network of the committee and return self.

        Parameters
        ----------
        train : LabelledFrames
        validation : LabelledFrames, optional
            Selects the step that is kept; the last one without it.
        checkpoint : Path, optional
            Stem of the checkpoints, one a network; a killed run goes on from the last one.
        report : callable, optional
            Called with the index of the network and its progress at every step.
        """
        normalization = Normalization.measure(train)
        examples = self._examples(train, normalization)
        selection = [] if validation is None else self._examples(validation, normalization)
        networks = []
        for member in range(self.committee):
            settings = TrainingSettings(
                **{**asdict(self.training), "seed": self.training.seed + member}
            )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(settings.seed)
                network = EquivariantNetwork(len(normalization.species), self.network)
            network.measure_density([example.graph for example in examples])
            train_network(
                network,
                examples,
                selection,
                settings,
                checkpoint=checkpoint and checkpoint.with_name(f"{checkpoint.name}.{member}"),
                report=None if report is None else partial(report, member),
            )
            networks.append(network.eval())
        self.normalization_, self.networks_ = normalization, networks
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``weights.pt``: settings, scales, weights, and what they were trained on."""
        normalization = self._expect_fitted()
        self.provenance_ = dict(provenance or {})
        stream = io.BytesIO()
        content = {
            "format": FORMAT,
            "config": self.config,
            "species": list(normalization.species),
            "mean": torch.from_numpy(normalization.mean.copy()),
            "scale": torch.from_numpy(normalization.scale.copy()),
            "members": [network.state_dict() for network in self.networks_],
            "provenance": self.provenance_,
        }
        torch.save(content, stream)
        return write_atomically(folder / WEIGHTS, stream.getvalue())

    def predict(self, frames: Frames) -> Array:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp), frame by frame."""
        return np.concatenate([self._members(frames[k]).mean(0) for k in range(len(frames))])

    def predict_std(self, frames: Frames) -> Array:
        """Return the spread of the committee in e, shape (frame, atom, pol, disp)."""
        return np.concatenate([self._members(frames[k]).std(0) for k in range(len(frames))])

    @torch.no_grad()
    def _members(self, frame: Frames) -> Array:
        normalization = self._expect_fitted()
        graph = AtomGraph.build(frame, normalization.species, self.network.graph)
        mean, scale = normalization.arrays(frame.atomic_numbers)
        result = np.empty((len(self.networks_), 1, frame.n_atoms, 3, 3))
        for m, network in enumerate(self.networks_):
            components = np.empty((frame.n_atoms, 9))
            components[graph.order] = network(graph).numpy()
            apt = to_cartesian(components * scale + mean)
            if self.sum_rule == "mean":
                apt -= apt.mean(0) - frame.total_charge / frame.n_atoms * np.eye(3)
            result[m, 0] = apt
        return result

    def _examples(self, labels: LabelledFrames, normalization: Normalization) -> list[Example]:
        mean, scale = normalization.arrays(labels.frames.atomic_numbers)
        components = (to_irreps(labels.apt) - mean) / scale
        examples = []
        for k in range(len(labels)):
            graph = AtomGraph.build(labels.frames[k], normalization.species, self.network.graph)
            target = torch.from_numpy(components[k, graph.order].astype(np.float32))
            spread = torch.from_numpy(scale[graph.order].astype(np.float32))
            examples.append(Example(graph, target, spread))
        return examples

    def _expect_fitted(self) -> Normalization:
        if self.normalization_ is None or not self.networks_:
            raise InputError(
                f"The model {self.name!r} has no weights.",
                do="'dvc pull' its weights, or train it: aptbench train baselines/e3nn-reference",
            )
        return self.normalization_
