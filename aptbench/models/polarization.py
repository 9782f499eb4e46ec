"""`PolarizationModel`: a learned polarization, differentiated to atomic polar tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from aptbench.frames import Frames, LabelledFrames
from aptbench.models.constant import ConstantCharge
from aptbench.models.differentiable_graph import DifferentiableGraph
from aptbench.models.dipole_model import DipoleModel, DipoleScales
from aptbench.models.dipole_network import DipoleNetwork, vectors_and_gradient
from aptbench.models.protocol import Array


class PolarizationModel(DipoleModel):
    """Learn a vector of every atom from atomic polar tensors.

    M = sum_i q_i R_i + sum_i mu_i with the mean isotropic charge q of each species, shifted alike
    for all atoms to the total charge, and mu_i from the environment of atom i. The tensors
    P_i = q_i 1 + sum_j d mu_j / d R_i are what is trained, so no dipole is needed, and M is
    known up to a constant.

    Parameters
    ----------
    density, network, training, committee
        See `DipoleModel`.

    Examples
    --------
    >>> PolarizationModel(network={"channels": 4}).fitted
    False
    """

    default_name = "e3nn-polarization"

    def _measure(self, systems: Sequence[LabelledFrames]) -> DipoleScales:
        charge = ConstantCharge(neutral=False).fit_systems(systems).charges_
        species, charges = tuple(charge), tuple(charge.values())
        scales = DipoleScales(species, charges, species, 1.0)
        rest = [
            labels.apt - self._charges(labels.frames, scales)[:, None, None] * np.eye(3)
            for labels in systems
        ]
        # a floor for labels without spread; the length that goes with it is one angstrom
        squares = np.concatenate([np.ravel(one) for one in rest]) ** 2
        unit = max(float(np.sqrt(np.mean(squares))), 1e-4)
        return DipoleScales(species, charges, species, unit)

    def _charges(self, frames: Frames, scales: DipoleScales) -> Array:
        kind = np.searchsorted(scales.species, frames.atomic_numbers)
        # unknown species are refused by the graph; keep them from being an index error here
        charges = np.array(scales.charges)[np.minimum(kind, len(scales.species) - 1)]
        return np.asarray(charges + (frames.total_charge - charges.sum()) / frames.n_atoms)

    def _target(self, labels: LabelledFrames, scales: DipoleScales) -> tuple[Array, float]:
        charges = self._charges(labels.frames, scales)
        rest = labels.apt - charges[:, None, None] * np.eye(3)
        return rest.reshape(len(labels), -1, 9) / scales.unit, scales.unit

    def _learner(self, network: DipoleNetwork) -> nn.Module:
        return _TensorLearner(network)


class _TensorLearner(nn.Module):
    def __init__(self, network: DipoleNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, graph: DifferentiableGraph) -> Tensor:
        """Return the derivative of the vectors, shape (atom, pol * disp)."""
        _, gradient = vectors_and_gradient(self.network, graph)
        return gradient.flatten(1).float()
