"""`PublishedNetwork`: the published configuration, from e3nn's own network of 2021-06.

Architecture and training follow doi:10.1021/acs.jctc.2c00788 and the settings of its public
repository: `SimpleNetwork` with two gated layers of 30 features, degrees up to 2, cutoff 6
angstrom, species as one-hot input, 0e + 1e + 2e out, float64, one frame a step, Adam at 0.01 that
is lowered on a plateau of the error of the tenth of the frames that is not trained on.

What differs: labels are scaled by species and irrep, as for the reference model here (the original
scales Cartesian components, which breaks covariance), and pairs come from a cell list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from e3nn.nn.models.v2106.gate_points_networks import SimpleNetwork
from torch import Tensor

from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.neighbors import neighbor_pairs
from aptbench.models.normalization import Normalization
from aptbench.models.tensor_basis import to_cartesian, to_irreps

CUTOFF = 6.0
FEATURES = 30
LAYERS = 2
DEGREE = 2
LEARNING_RATE = 0.01
EPOCHS = 500
TRAINED_SHARE = 0.9

Graph = dict[str, Tensor]


class PeriodicNetwork(SimpleNetwork):
    """`SimpleNetwork` whose edges, images included, are handed in."""

    def preprocess(self, data: Graph) -> Any:
        """Return batch (all zero), species, source, destination and vector of every edge."""
        batch = data["source"].new_zeros(len(data["x"]))
        return batch, data["x"], data["source"], data["destination"], data["vector"]


@dataclass(eq=False)
class TrainingState:
    """A network in training: examples are pairs of graph and normalised target (atom, 9)."""

    network: PeriodicNetwork
    optimizer: torch.optim.Adam
    scheduler: torch.optim.lr_scheduler.ReduceLROnPlateau
    train: list[tuple[Graph, Tensor]]
    held_out: list[tuple[Graph, Tensor]]
    order: np.random.Generator


class PublishedNetwork:
    """The published configuration as a model of the benchmark.

    Parameters
    ----------
    steps : int, optional
        Optimiser steps; the published 500 epochs of nine tenths of the frames if left out.
    seed : int
        Of weights, of the frames that are held out, and of the order of frames.
    features : int
        Channels of every irrep; a smaller number is for tests.
    """

    def __init__(
        self, *, steps: int | None = None, seed: int = 0, features: int = FEATURES
    ) -> None:
        self.name = "published-network"
        self.steps, self.seed, self.features = steps, seed, features
        self.normalization_: Normalization | None = None
        self.network_: PeriodicNetwork | None = None

    @property
    def n_parameters(self) -> int:
        """Number of learned numbers."""
        return 0 if self.network_ is None else sum(p.numel() for p in self.network_.parameters())

    def start(self, train: LabelledFrames) -> TrainingState:
        """Return a fresh network with its optimiser and the examples of the labels."""
        normalization = Normalization.measure(train)
        mean, scale = normalization.arrays(train.frames.atomic_numbers)
        targets = (to_irreps(train.apt) - mean) / scale
        graphs = [_graph(train.frames[k], normalization.species) for k in range(len(train))]
        neighbors = float(np.mean([len(g["source"]) / len(g["x"]) for g in graphs]))
        examples = [(g, torch.from_numpy(t)) for g, t in zip(graphs, targets, strict=True)]
        order = np.random.default_rng(self.seed)
        chosen = order.permutation(len(examples))
        n_train = n_trained(len(examples))
        with _double_precision(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = PeriodicNetwork(
                irreps_in=f"{len(normalization.species)}x0e",
                irreps_out="0e + 1e + 2e",
                max_radius=CUTOFF,
                num_neighbors=neighbors,
                num_nodes=1.0,  # of no effect without pooling
                mul=self.features,
                layers=LAYERS,
                lmax=DEGREE,
                pool_nodes=False,
            )
        optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        self.normalization_, self.network_ = normalization, network
        return TrainingState(
            network,
            optimizer,
            torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
            [examples[k] for k in chosen[:n_train]],
            [examples[k] for k in chosen[n_train:]],
            order,
        )

    def step(self, state: TrainingState, example: tuple[Graph, Tensor]) -> float:
        """Take one optimiser step on one frame; return the normalised square error before it."""
        graph, target = example
        loss = (state.network(graph) - target).square().mean()
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        return float(loss.detach())

    def fit(
        self,
        train: LabelledFrames,
        validation: LabelledFrames | None = None,
        *,
        report: Callable[[int], None] | None = None,
    ) -> PublishedNetwork:
        """Train as published and return self; ``validation`` is not used, ``report`` gets steps."""
        state = self.start(train)
        steps = published_steps(len(train)) if self.steps is None else self.steps
        done = 0
        while done < steps:
            for k in state.order.permutation(len(state.train))[: steps - done]:
                self.step(state, state.train[k])
                done += 1
                if report is not None:
                    report(done)
            if state.held_out:
                state.scheduler.step(self._held_out_error(state))
        return self

    def predict(self, frames: Frames) -> npt.NDArray[np.float64]:
        """Return atomic polar tensors in e, shape (frame, atom, pol, disp), pairs included.

        Raises
        ------
        InputError
            If the model has not been trained.
        """
        if self.network_ is None or self.normalization_ is None:
            raise InputError(f"The model {self.name!r} has no weights.", do="call fit")
        mean, scale = self.normalization_.arrays(frames.atomic_numbers)
        components = []
        for k in range(len(frames)):
            with torch.no_grad():
                output = self.network_(_graph(frames[k], self.normalization_.species))
            components.append(output.numpy() * scale + mean)
        return to_cartesian(np.array(components))

    @torch.no_grad()
    def _held_out_error(self, state: TrainingState) -> float:
        errors = [(state.network(g) - t).square().mean().item() for g, t in state.held_out]
        return float(np.mean(errors))


def n_trained(n_frames: int) -> int:
    """Return how many of the frames the published script trains on; it holds out the rest.

    >>> n_trained(10), n_trained(1)
    (9, 1)
    """
    return max(int(TRAINED_SHARE * n_frames), 1)


def published_steps(n_frames: int) -> int:
    """Return the number of optimiser steps of the published training.

    >>> published_steps(10)
    4500
    """
    return EPOCHS * n_trained(n_frames)


def _graph(frame: Frames, species: tuple[int, ...]) -> Graph:
    cell = None if frame.cell is None else frame.cell[0]
    source, destination, vectors = neighbor_pairs(frame.positions[0], cell, CUTOFF)
    kind = np.searchsorted(species, frame.atomic_numbers)
    return {
        "x": torch.from_numpy(np.eye(len(species))[kind]),
        "source": torch.from_numpy(source),
        "destination": torch.from_numpy(destination),
        "vector": torch.from_numpy(vectors),
    }


@contextmanager
def _double_precision() -> Iterator[None]:
    # e3nn makes weights and Clebsch-Gordan constants in the default type
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
