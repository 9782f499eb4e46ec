"""`DipoleNetwork`: from the neighbour density of every site to a vector of every site."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from aptbench.models.coupling import Irreps, spherical
from aptbench.models.density_network import DensityNetwork
from aptbench.models.differentiable_graph import DensitySettings, DifferentiableGraph
from aptbench.models.equivariant_layers import (
    Gate,
    IrrepLinear,
    NodeProduct,
    bounded,
    split_irreps,
)

PAIRS: Irreps = ((0, 1), (1, -1), (2, 1), (1, 1), (2, -1))
OUTPUT: Irreps = ((0, 1), (1, -1))


@dataclass(frozen=True)
class DipoleNetworkSettings:
    """Size of the network.

    Parameters
    ----------
    density : DensitySettings
    channels : int
        Of every irrep.
    smoothness : float
        Index of the radial function at which its share in the density has fallen to one half.
    limit : float
        Bound of the features of a layer, in units of their usual size.
    output_scale : float
        Of the initial weights of the readout; small, so that training starts from no vectors.
    """

    density: DensitySettings = field(default_factory=DensitySettings)
    channels: int = 12
    smoothness: float = 1.0
    limit: float = 4.0
    output_scale: float = 0.1


class DipoleNetwork(DensityNetwork):
    """Neighbour density, products up to four bodies, gated readout of 1o; smooth in positions.

    There are no messages: a vector within the cutoff already makes tensors that see twice as far,
    because the derivative by one atom collects the vectors of all its neighbours.

    Parameters
    ----------
    species : int
    settings : DipoleNetworkSettings

    Notes
    -----
    Density and products follow the atomic cluster expansion (doi:10.1103/PhysRevB.99.014104).
    """

    def __init__(self, species: int, settings: DipoleNetworkSettings) -> None:
        density, channels = settings.density, settings.channels
        super().__init__(species, density.radial, density.degree, settings.smoothness)
        self.settings = settings
        self.harmonics = spherical(density.degree)
        n_in = species * density.radial
        self.embed = IrrepLinear(
            self.harmonics, (n_in,) * len(self.harmonics), 3 * channels, species=species, bias=True
        )
        self.square = NodeProduct(self.harmonics, self.harmonics, PAIRS, channels, species)
        self.first_gate = Gate(PAIRS, channels, species)
        self.cube = NodeProduct(PAIRS, self.harmonics, OUTPUT, channels, species)
        self.last_gate = Gate(OUTPUT, channels, species)
        self.readout = IrrepLinear(OUTPUT[1:], (channels,), 1, species=species)
        with torch.no_grad():
            for weight in self.readout.weights:
                weight.mul_(settings.output_scale)

    def forward(self, density: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return a dimensionless vector of every site, shape (site, xyz)."""
        limit = self.settings.limit
        parts = split_irreps(self.normalized(density, counts), self.harmonics)
        embedded = bounded(self.embed(parts, counts), self.harmonics, limit)
        first, second, third = embedded.chunk(3, 2)
        features = self.square(first, second, counts)
        # 0e, 1o and 2e come first in both
        features = torch.cat([features[:, :9] + third[:, :9], features[:, 9:]], 1)
        features = self.first_gate(bounded(features, PAIRS, limit), counts)
        last = features[:, :4] + self.cube(features, third, counts)
        last = self.last_gate(bounded(last, OUTPUT, limit), counts)
        return self.readout([last[:, 1:]], counts)[:, :, 0]


def vectors_and_gradient(
    network: DipoleNetwork, graph: DifferentiableGraph
) -> tuple[Tensor, Tensor]:
    """Return the vectors of the sites and the derivative of their sum by all positions.

    Parameters
    ----------
    network : DipoleNetwork
    graph : DifferentiableGraph

    Returns
    -------
    vectors : tensor, shape (site, xyz)
    gradient : tensor of float64, shape (atom, pol, disp)
        In 1/angstrom; its sum over atoms vanishes to the rounding of float64, because what a pair
        gives to the one atom it takes from the other.

    Notes
    -----
    Three backward passes down to the density, then the chain rule with the derivative of the
    density that the graph holds. Differentiable by the weights where gradients are enabled.
    """
    training = torch.is_grad_enabled()
    with torch.enable_grad():
        density = graph.density.detach().requires_grad_()
        vectors = network(density, graph.counts)
        slopes = [
            torch.autograd.grad(
                vectors[:, pol].sum(), density, create_graph=training, retain_graph=True
            )[0]
            for pol in range(3)
        ]
        if not training:
            vectors, slopes = vectors.detach(), [slope.detach() for slope in slopes]
        gradient = _to_positions(torch.stack(slopes, 1), graph)
    return vectors, gradient


def _to_positions(slopes: Tensor, graph: DifferentiableGraph) -> Tensor:
    """Contract (site, pol, lm, species * radial) with the derivative of the density."""
    gradient = slopes.new_zeros((graph.n_atoms, 3, 3), dtype=torch.float64)
    by_species = slopes.chunk(len(graph.neighbor), 3)
    for slope, neighbor, derivative in zip(
        by_species, graph.neighbor, graph.derivative, strict=True
    ):
        pairs = torch.bmm(slope.flatten(2), derivative).double()
        pairs = pairs.reshape(*pairs.shape[:2], -1, 3).transpose(1, 2)
        gradient = gradient.index_add(0, neighbor.flatten(), pairs.flatten(0, 1))
        gradient = gradient.index_add(0, graph.site, -pairs.sum(1))
    return gradient
