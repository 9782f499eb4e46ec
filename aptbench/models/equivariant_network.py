"""`EquivariantNetwork`: from the graph of a frame to the nine components of every atom."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from aptbench.models.coupling import Irreps, spherical
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


class EquivariantNetwork(nn.Module):
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

    density_mean: Tensor
    density_scale: Tensor

    def __init__(self, species: int, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        graph, channels = settings.graph, settings.channels
        density = spherical(graph.degree)
        n_in = species * graph.radial
        self.register_buffer("density_mean", torch.zeros(species, n_in))
        self.register_buffer("density_scale", torch.ones(species, graph.degree + 1, n_in))
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
        parts = split_irreps(self._normalized(graph), spherical(self.settings.graph.degree))
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

    @torch.no_grad()
    def measure_density(self, graphs: list[AtomGraph]) -> None:
        """Set mean (l = 0 only, else it would not be covariant) and rms of the density."""
        degree, radial = self.settings.graph.degree, self.settings.graph.radial
        smooth = 1 / (1 + (torch.arange(radial) / self.settings.smoothness) ** 2)
        smooth = smooth.repeat(len(self.density_mean))
        for s in range(len(self.density_mean)):
            density = torch.cat([graph.density.split(graph.counts)[s] for graph in graphs]).double()
            if not len(density):
                continue
            mean = density[:, 0].mean(0)
            self.density_mean[s] = mean
            density[:, 0] -= mean
            for k, part in enumerate(split_irreps(density, spherical(degree))):
                rms = part.square().mean((0, 1)).sqrt()
                # a radial function that no neighbour reaches has no spread: leave it alone
                scale = torch.where(rms > 1e-4, 1 / rms.clamp(min=1e-4), 0)
                self.density_scale[s, k] = scale * smooth

    def _normalized(self, graph: AtomGraph) -> Tensor:
        repeats = torch.arange(self.density_scale.shape[1]) * 2 + 1
        blocks = []
        for s, block in enumerate(graph.density.split(graph.counts)):
            scalar = block[:, :1] - self.density_mean[s]
            scale = self.density_scale[s].repeat_interleave(repeats, 0)
            blocks.append(torch.cat([scalar, block[:, 1:]], 1) * scale)
        return torch.cat(blocks)


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
