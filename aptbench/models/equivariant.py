"""`EquivariantModel`: the e3nn reference model, numpy in and numpy out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from aptbench.errors import InputError, StoreError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.calibration import Calibration
from aptbench.models.committee import CommitteeModel, training_identity
from aptbench.models.equivariant_network import EquivariantNetwork, NetworkSettings
from aptbench.models.graph import AtomGraph, GraphSettings
from aptbench.models.normalization import Normalization
from aptbench.models.protocol import Array
from aptbench.models.tensor_basis import to_cartesian, to_irreps
from aptbench.models.training import Example, Progress, TrainingSettings, train_committee
from aptbench.models.weights_file import reading_weights

FORMATS = (1, 2)
"""Of the weights; the first has no calibration. The last one is written."""

Settings = Mapping[str, Any]


class EquivariantModel(CommitteeModel):
    """A committee of equivariant networks that predict the tensor of every atom directly.

    The components 0e + 1e + 2e of each tensor are predicted in units of their spread by species
    and irrep, so the model is covariant under all rotations and reflections by construction.

    Parameters
    ----------
    graph, network, training : mapping, optional
        Fields of `GraphSettings`, `NetworkSettings` (without ``graph``) and `TrainingSettings`.
    committee : int
        Number of networks, with different seeds; the prediction is their mean. With two or more
        the model has ``predict_std(frames)``, the calibrated standard error of that mean.
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
        super().__init__(committee)
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
        self.sum_rule = sum_rule
        self.normalization_: Normalization | None = None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read weights; the file holds tensors and plain values only, never code.

        Raises
        ------
        StoreError
            If the file is damaged or of another format.
        """
        do = "fetch them again with 'dvc pull --force', or train the model again"
        with reading_weights(path, do=do, errors=(Exception,)):
            content = torch.load(path, weights_only=True)
            if content["format"] not in FORMATS:
                raise StoreError(
                    f"{path} has an unknown format.", got=content["format"], expected=FORMATS
                )
            model = cls(**content["config"])
            model.normalization_ = Normalization(
                tuple(content["species"]), content["mean"].numpy(), content["scale"].numpy()
            )
            for weights in content["members"]:
                network = EquivariantNetwork(len(content["species"]), model.network)
                network.load_state_dict(weights)
                model.networks_.append(network.eval())
        model.calibration_ = Calibration(**content.get("calibration", {}))
        model.provenance_ = content["provenance"]
        return model

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

    def fit_systems(
        self,
        train: Sequence[LabelledFrames],
        validation: Sequence[LabelledFrames] = (),
        *,
        checkpoint: Path | None = None,
        report: Callable[[int, Progress], None] | None = None,
    ) -> Self:
        """Train on several systems together, frame by frame; the parameters are those of `fit`."""
        normalization = Normalization.measure(*train)
        examples = [one for labels in train for one in self._examples(labels, normalization)]
        selection = [one for labels in validation for one in self._examples(labels, normalization)]

        def make_network() -> EquivariantNetwork:
            network = EquivariantNetwork(len(normalization.species), self.network)
            network.measure_density([example.graph for example in examples])
            return network

        networks = train_committee(
            make_network,
            self.committee,
            examples,
            selection,
            self.training,
            identity=training_identity(self.config, train, validation),
            checkpoint=checkpoint,
            report=report,
        )
        self.normalization_, self.networks_ = normalization, networks
        self._calibrate(validation)
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``weights.pt``: settings, scales, weights, and what they were trained on."""
        normalization = self._expect_fitted()
        content = {
            "format": FORMATS[-1],
            "config": self.config,
            "species": list(normalization.species),
            "mean": torch.from_numpy(normalization.mean.copy()),
            "scale": torch.from_numpy(normalization.scale.copy()),
        }
        return self._write(folder, content, provenance)

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
