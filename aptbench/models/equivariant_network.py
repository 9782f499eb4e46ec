"""`EquivariantNetwork`: from the graph of a frame to the nine components of every atom."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from aptbench.models.coupling import Irreps, spherical
from aptbench.models.density_network import DensityNetwork
from aptbench.models.equivariant_layers import (
    Convolution,
    Gate,
    IrrepLinear,
    NodeProduct,
    bounded,
    split_irreps,
)
from aptbench.models.graph import AtomGraph, GraphSettings

FEATURES: Irreps = ((0, 1), (1, -1), (2, 1), (1, 1), (2, -1))
OUTPUT: Irreps = ((0, 1), (1, 1), (2, 1))


@dataclass(frozen=True)
class NetworkSettings:
    """Size of the network.

    Parameters
    ----------
    graph : GraphSettings
    channels : int
        Of every irrep.
    message_channels : int
        Of the features that travel to neighbours.
    messages : int
        Number of rounds of messages.
    smoothness : float
        Index of the radial function at which its share in the density has fallen to one half.
    limit : float
        Bound of the features of a layer, in units of their usual size.
    output_scale : float
        Of the initial weights of the readout; small, so that training starts from the mean charge.
    """

    graph: GraphSettings = field(default_factory=GraphSettings)
    channels: int = 24
    message_channels: int = 16
    messages: int = 1
    smoothness: float = 1.5
    limit: float = 6.0
    output_scale: float = 0.01


class EquivariantNetwork(DensityNetwork):
    """Neighbour density, products up to four bodies, messages, products again, readout.

    Parameters
    ----------
    species : int
    settings : NetworkSettings

    Notes
    -----
    Density and products follow the atomic cluster expansion (doi:10.1103/PhysRevB.99.014104),
    messages of equivariant features follow tensor field networks (arXiv:1802.08219).
    """

    def __init__(self, species: int, settings: NetworkSettings) -> None:
        graph, channels = settings.graph, settings.channels
        super().__init__(species, graph.radial, graph.degree, settings.smoothness)
        self.settings = settings
        density = spherical(graph.degree)
        n_in = species * graph.radial
        self.embed = IrrepLinear(
            density, (n_in,) * len(density), 3 * channels, species=species, bias=True
        )
        self.square = NodeProduct(density, density, FEATURES, channels, species)
        self.first_gate = Gate(FEATURES, channels, species)
        self.cube = NodeProduct(FEATURES, density, FEATURES, channels, species)
        self.local_gate = Gate(FEATURES, channels, species)
        self.blocks = nn.ModuleList(
            _MessageBlock(settings, species) for _ in range(settings.messages)
        )
        sizes = (channels * (1 + settings.messages),) * len(OUTPUT)
        self.readout = IrrepLinear(OUTPUT, sizes, 1, species=species, bias=True)
        with torch.no_grad():
            for weight in self.readout.weights:
                weight.mul_(settings.output_scale)

    def forward(self, graph: AtomGraph) -> Tensor:
        """Return the normalised components of every atom of the graph, shape (atom, 9)."""
        counts = graph.counts
        parts = split_irreps(
            self.normalized(graph.density, counts), spherical(self.settings.graph.degree)
        )
        limit = self.settings.limit
        embedded = bounded(self.embed(parts, counts), spherical(self.settings.graph.degree), limit)
        first, second, third = embedded.chunk(3, 2)
        features = _add(self.square(first, second, counts), third)
        features = self.first_gate(bounded(features, FEATURES, limit), counts)
        features = features + self.cube(features, third, counts)
        features = bounded(features, FEATURES, limit)
        features = self.local_gate(features, counts)
        seen = [features]
        for block in self.blocks:
            features = block(features, graph)
            seen.append(features)
        outputs = [split_irreps(f, FEATURES) for f in seen]
        gathered = [torch.cat([f[FEATURES.index(irrep)] for f in outputs], 2) for irrep in OUTPUT]
        return self.readout(gathered, counts)[:, :, 0]


class _MessageBlock(nn.Module):
    def __init__(self, settings: NetworkSettings, species: int) -> None:
        super().__init__()
        channels, sent = settings.channels, settings.message_channels
        sizes = (channels,) * len(FEATURES)
        self.limit = settings.limit
        self.send = IrrepLinear(FEATURES, sizes, sent, species=species)
        self.convolution = Convolution(
            FEATURES, FEATURES, sent, settings.graph.message_radial, species
        )
        self.receive = IrrepLinear(FEATURES, (sent,) * len(FEATURES), channels)
        self.gate = Gate(FEATURES, channels, species)
        self.product = NodeProduct(FEATURES, FEATURES, FEATURES, channels, species)
        self.out_gate = Gate(FEATURES, channels, species)

    def forward(self, features: Tensor, graph: AtomGraph) -> Tensor:
        counts = graph.counts
        sent = self.send(split_irreps(features, FEATURES), counts)
        received = self.convolution(sent, graph)
        received = self.receive(split_irreps(received, FEATURES), counts)
        received = bounded(received, FEATURES, self.limit)
        mixed = self.gate(features + received, counts)
        mixed = mixed + self.product(mixed, received, counts)
        return self.out_gate(bounded(mixed, FEATURES, self.limit), counts)


def _add(features: Tensor, density: Tensor) -> Tensor:
    """Add 0e, 1o and 2e of a density, which are the first irreps of the features."""
    return torch.cat([features[:, :9] + density[:, :9], features[:, 9:]], 1)
