"""`WannierNetworkModel`: learned Wannier centroids, differentiated to atomic polar tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from aptbench.elements import SYMBOLS
from aptbench.errors import InputError
from aptbench.frames import Frames, LabelledFrames
from aptbench.models.differentiable_graph import DifferentiableGraph
from aptbench.models.dipole_model import DipoleModel, DipoleScales
from aptbench.models.dipole_network import DipoleNetwork
from aptbench.models.protocol import Array
from aptbench.models.wannier_centers import valence_charges, wannier_centroids


class WannierNetworkModel(DipoleModel):
    """Learn the centroid of the Wannier centres of every atom, without their tensors.

    M = sum_i Z_i R_i - 2 sum_owner (n R_owner + w_owner) with the charges Z of the cores, the
    number n of centres of each owner, and the displacement w_owner of its centres, which is
    learned. The tensors are the derivative of M.

    Parameters
    ----------
    density, network, training, committee
        See `DipoleModel`. Errors of the training are those of w, in angstrom.

    Notes
    -----
    Dipoles of liquids from learned Wannier centroids: Zhang et al.,
    doi:10.1103/PhysRevB.102.041121.

    Examples
    --------
    >>> WannierNetworkModel(network={"channels": 4}).fitted
    False
    """

    default_name = "wannier-e3nn"

    def _measure(self, systems: Sequence[LabelledFrames]) -> DipoleScales:
        counts: dict[int, set[int]] = {}
        sites: set[int] = set()
        displacements = []
        for labels in systems:
            numbers = labels.frames.atomic_numbers
            centroids = wannier_centroids(labels.frames, _centers(labels))
            count = np.zeros(len(numbers), np.int64)
            count[centroids.owner] = centroids.count
            for z, n in zip(numbers.tolist(), count.tolist(), strict=True):
                counts.setdefault(z, set()).add(n)
            sites |= set(numbers[centroids.owner].tolist())
            displacements.append(centroids.displacement.ravel())
        charges = {}
        for z, found in sorted(counts.items()):
            if len(found) > 1:
                raise InputError(
                    f"Atoms of {SYMBOLS[z]} own different numbers of Wannier centres.",
                    got=", ".join(str(n) for n in sorted(found)),
                    expected="the same number for all atoms of an element",
                )
            charges[z] = float(valence_charges([z])[0] - 2 * found.pop())
        # centres of charge -2 e; a floor for labels without spread
        spread = float(np.sqrt(np.mean(np.concatenate(displacements) ** 2)))
        return DipoleScales(
            tuple(charges), tuple(charges.values()), tuple(sorted(sites)), 2 * max(spread, 1e-4)
        )

    def _charges(self, frames: Frames, scales: DipoleScales) -> Array:
        known = dict(zip(scales.species, scales.charges, strict=True))
        charges = np.array([known.get(z, 0.0) for z in frames.atomic_numbers.tolist()])
        unknown = set(frames.atomic_numbers.tolist()) - set(known)
        # the graph refuses an unknown species by name
        if not unknown and abs(charges.sum() - frames.total_charge) > 1e-6:
            raise InputError(
                "Cores and Wannier centres do not add up to the total charge.",
                got=f"{charges.sum():+g} e",
                expected=f"{frames.total_charge:+g} e",
                do="the model knows molecules with as many centres an atom as in its training only",
            )
        return charges

    def _target(self, labels: LabelledFrames, scales: DipoleScales) -> tuple[Array, float]:
        centroids = wannier_centroids(labels.frames, _centers(labels))
        numbers = labels.frames.atomic_numbers[centroids.owner]
        # owners in the order of the sites of a graph
        order = np.argsort(np.searchsorted(scales.species, numbers), kind="stable")
        length = scales.unit / 2
        return -centroids.displacement[:, order] / length, length

    def _learner(self, network: DipoleNetwork) -> nn.Module:
        return _VectorLearner(network)


class _VectorLearner(nn.Module):
    def __init__(self, network: DipoleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, graph: DifferentiableGraph) -> Tensor:
        """Return the vectors of the sites, shape (site, xyz)."""
        vectors: Tensor = self.network(graph.density, graph.counts)
        return vectors


def _centers(labels: LabelledFrames) -> Array:
    if labels.wannier_centers is None:
        raise InputError(
            "The Wannier network learns from Wannier centres, and the labels have none.",
            expected="LabelledFrames with 'wannier_centers', shape (frame, wannier, xyz)",
            do="label with Wannier centres, or choose a model that learns from tensors",
        )
    return labels.wannier_centers
