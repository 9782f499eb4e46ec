"""`DipoleModel`: what models share that give a dipole and differentiate it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import torch
from torch import nn

from aptbench.errors import InputError, StoreError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.calibration import Calibration
from aptbench.models.committee import CommitteeModel, training_identity
from aptbench.models.differentiable_graph import DensitySettings, DifferentiableGraph
from aptbench.models.dipole_network import (
    DipoleNetwork,
    DipoleNetworkSettings,
    vectors_and_gradient,
)
from aptbench.models.protocol import Array
from aptbench.models.training import Example, Progress, TrainingSettings, train_committee
from aptbench.models.weights_file import reading_weights

FORMAT = 1

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class DipoleScales:
    """What is measured on training labels before any weight is learned.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers, ascending.
    charges : tuple of float
        Of each species, in e: what multiplies positions in the dipole.
    sites : tuple of int
        Atomic numbers of the atoms that carry a vector.
    unit : float
        Dipole of a site whose network gives a vector of length one, in e angstrom.
    """

    species: tuple[int, ...]
    charges: tuple[float, ...]
    sites: tuple[int, ...]
    unit: float


class DipoleModel(CommitteeModel):
    """A committee of networks whose dipole is M = sum_i q_i R_i + sum_site mu_site.

    Tensors are its exact derivative, P_i = q_i 1 + sum_site d mu_site / d R_i: they obey the
    acoustic sum rule, dP_i,ab/dR_jc = dP_j,ac/dR_ib, and the rotational sum rule of an isolated
    system. A subclass says what q is and what the vectors learn.

    Parameters
    ----------
    density, network, training : mapping, optional
        Fields of `DensitySettings`, `DipoleNetworkSettings` (without ``density``) and
        `TrainingSettings`.
    committee : int
        Number of networks, with different seeds; the prediction is their mean. More than one also
        has ``predict_std(frames)``, the calibrated standard error of that mean.

    Raises
    ------
    InputError
        If a setting does not exist or has an impossible value.
    """

    default_name: ClassVar[str]

    def __init__(
        self,
        *,
        density: Settings | None = None,
        network: Settings | None = None,
        training: Settings | None = None,
        committee: int = 1,
    ) -> None:
        if committee < 1:
            raise InputError("A committee has no member.", got=committee, expected="at least 1")
        super().__init__(committee)
        self.name = self.default_name
        try:
            self.network = DipoleNetworkSettings(
                density=DensitySettings(**(density or {})), **(network or {})
            )
            self.training = TrainingSettings(**(training or {}))
        except TypeError as error:
            raise InputError(
                f"The model {self.name!r} has no such setting.",
                got=error,
                expected="fields of DensitySettings, DipoleNetworkSettings, TrainingSettings",
            ) from error
        self.scales_: DipoleScales | None = None

    @abstractmethod
    def _measure(self, systems: Sequence[LabelledFrames]) -> DipoleScales:
        """Return the scales of training labels."""

    @abstractmethod
    def _charges(self, frames: Frames, scales: DipoleScales) -> Array:
        """Return q of every atom in e, shape (atom,); they add up to the total charge."""

    @abstractmethod
    def _target(self, labels: LabelledFrames, scales: DipoleScales) -> tuple[Array, float]:
        """Return what a learner predicts for each frame, and the unit in which errors count."""

    @abstractmethod
    def _learner(self, network: DipoleNetwork) -> nn.Module:
        """Return a module from a graph to the target of a frame, which trains the network."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read weights; the file holds tensors and plain values only, never code.

        Raises
        ------
        StoreError
            If the file is damaged, of another format, or of another kind of model.
        """
        do = "fetch them again with 'dvc pull --force', or train the model again"
        with reading_weights(path, do=do, errors=(Exception,)):
            content = torch.load(path, weights_only=True)
            if (content["format"], content["kind"]) != (FORMAT, cls.__name__):
                raise StoreError(
                    f"{path} holds weights of another kind.",
                    got=f"{content['kind']}, format {content['format']}",
                    expected=f"{cls.__name__}, format {FORMAT}",
                )
            model = cls(**content["config"])
            scales = content["scales"]
            model.scales_ = DipoleScales(
                tuple(scales["species"]),
                tuple(scales["charges"]),
                tuple(scales["sites"]),
                scales["unit"],
            )
            for weights in content["members"]:
                network = DipoleNetwork(len(model.scales_.species), model.network)
                network.load_state_dict(weights)
                model.networks_.append(network.eval())
        model.calibration_ = Calibration(**content["calibration"])
        model.provenance_ = content["provenance"]
        return model

    @property
    def config(self) -> dict[str, Any]:
        """Keyword arguments that make an untrained copy."""
        network = asdict(self.network)
        return {
            "density": network.pop("density"),
            "network": network,
            "training": asdict(self.training),
            "committee": self.committee,
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
        scales = self._measure(train)
        examples = [one for labels in train for one in self._examples(labels, scales)]
        selection = [one for labels in validation for one in self._examples(labels, scales)]
        graphs = cast("list[DifferentiableGraph]", [example.graph for example in examples])

        def make_learner() -> nn.Module:
            network = DipoleNetwork(len(scales.species), self.network)
            network.measure_density(graphs)
            return self._learner(network)

        learners = train_committee(
            make_learner,
            self.committee,
            examples,
            selection,
            self.training,
            identity=training_identity(self.config, train, validation),
            checkpoint=checkpoint,
            report=report,
        )
        self.scales_, self.networks_ = scales, [learner.network for learner in learners]
        self._calibrate(validation)
        return self

    def save(self, folder: Path, provenance: Mapping[str, Any] | None = None) -> Path:
        """Write ``weights.pt``: settings, scales, weights, and what they were trained on."""
        scales = self._expect_fitted()
        content = {
            "format": FORMAT,
            "kind": type(self).__name__,
            "config": self.config,
            "scales": asdict(scales),
        }
        return self._write(folder, content, provenance)

    @torch.no_grad()
    def dipole(self, frames: Frames) -> Array:
        """Return M in e angstrom, shape (frame, pol), of the positions as they are (unwrapped).

        With a cell it is defined modulo the quantum, e times a lattice vector.
        """
        scales = self._expect_fitted()
        result = np.einsum("a,fax->fx", self._charges(frames, scales), frames.positions)
        for k in range(len(frames)):
            graph = self._graph(frames[k], scales)
            vectors = [network(graph.density, graph.counts) for network in self.networks_]
            mean = np.mean([v.double().sum(0).numpy() for v in vectors], axis=0)
            result[k] += scales.unit * mean
        return result

    @torch.no_grad()
    def _members(self, frame: Frames) -> Array:
        """Return the tensors of every member in e, shape (member, 1, atom, pol, disp)."""
        scales = self._expect_fitted()
        graph = self._graph(frame, scales)
        charges = self._charges(frame, scales)[:, None, None] * np.eye(3)
        gradients = [vectors_and_gradient(network, graph)[1].numpy() for network in self.networks_]
        return (charges + scales.unit * np.stack(gradients))[:, None]

    def _graph(self, frame: Frames, scales: DipoleScales) -> DifferentiableGraph:
        return DifferentiableGraph.build(frame, scales.species, self.network.density, scales.sites)

    def _examples(self, labels: LabelledFrames, scales: DipoleScales) -> list[Example]:
        targets, spread = self._target(labels, scales)
        examples = []
        for k in range(len(labels)):
            graph = cast("Any", self._graph(labels.frames[k], scales))
            target = torch.from_numpy(targets[k].astype(np.float32))
            examples.append(Example(graph, target, torch.full_like(target, spread)))
        return examples

    def _expect_fitted(self) -> DipoleScales:
        if self.scales_ is None or not self.networks_:
            raise InputError(
                f"The model {self.name!r} has no weights.",
                do=f"'dvc pull' its weights, or train it: aptbench train baselines/{self.name}",
            )
        return self.scales_
