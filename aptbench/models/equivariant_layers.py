"""`NodeProduct`, `Convolution` and `Gate`: equivariant layers on (atom, component, channel).

The edges of a frame enter as constants (`AtomGraph`), so a convolution is one batched matrix
product over the neighbours of every atom, and all Clebsch-Gordan algebra happens on atoms, of
which there are a hundred times fewer than edges.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from aptbench.models.coupling import Coupling, Irreps, dimension, offsets, spherical
from aptbench.models.graph import AtomGraph


class IrrepLinear(nn.Module):
    """Mix the channels of every irrep; scalars 0e get a bias.

    Parameters
    ----------
    irreps : tuple of (l, p)
    channels_in : tuple of int
        For each irrep.
    channels_out : int
    species : int
        Number of weight matrices; with more than one, atoms must be sorted by species.
    bias : bool
    """

    def __init__(
        self,
        irreps: Irreps,
        channels_in: tuple[int, ...],
        channels_out: int,
        *,
        species: int = 1,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.irreps, self.species = irreps, species
        self.weights = nn.ParameterList(
            torch.randn(species, n, channels_out) / n**0.5 for n in channels_in
        )
        self.bias = nn.Parameter(torch.zeros(species, 1, 1, channels_out)) if bias else None

    def forward(self, parts: list[Tensor], counts: tuple[int, ...]) -> Tensor:
        """Return (atom, component, channels_out) from one (atom, 2l+1, channels_in) an irrep."""
        result = []
        for k, (irrep, part) in enumerate(zip(self.irreps, parts, strict=True)):
            weight = self.weights[k]
            bias = self.bias if irrep == (0, 1) else None
            if self.species == 1:
                mixed = part @ weight[0]
                result.append(mixed if bias is None else mixed + bias[0])
                continue
            blocks = []
            for s, block in enumerate(part.split(counts)):
                mixed = block @ weight[s]
                blocks.append(mixed if bias is None else mixed + bias[s])
            result.append(torch.cat(blocks))
        return torch.cat(result, 1)


def split_irreps(features: Tensor, irreps: Irreps) -> list[Tensor]:
    """Return one (atom, 2l+1, channel) for each irrep."""
    return list(features.split([2 * degree + 1 for degree, _ in irreps], 1))


def bounded(features: Tensor, irreps: Irreps, limit: float) -> Tensor:
    """Return features whose norm saturates at ``limit`` root mean squares.

    Products are polynomials: without a bound, an environment unlike those of the training set
    (a surface, a cluster) gives tensors of any size. Smooth and covariant: only norms enter.
    """
    parts = []
    for part in split_irreps(features, irreps):
        square = part.square().mean(1, keepdim=True)
        parts.append(part * torch.rsqrt(1 + square / limit**2))
    return torch.cat(parts, 1)


class NodeProduct(nn.Module):
    """Channel-wise product of two feature tensors of one atom, then a mixing of all paths.

    Parameters
    ----------
    first, second, result : tuple of (l, p)
    channels : int
    species : int
        Number of sets of mixing weights.
    """

    matrix: Tensor

    def __init__(
        self, first: Irreps, second: Irreps, result: Irreps, channels: int, species: int
    ) -> None:
        super().__init__()
        self.coupling = Coupling(first, second, result)
        matrix = torch.tensor(self.coupling.matrix, dtype=torch.float32)
        self.register_buffer("matrix", matrix, persistent=False)
        counts = tuple(self.coupling.count(k) for k in range(len(result)))
        self.mix = IrrepLinear(
            result, tuple(n * channels for n in counts), channels, species=species
        )

    def couple(self, first: Tensor, second: Tensor) -> Tensor:
        """Return every path, shape (atom, rows of the coupling, channel)."""
        outer = first[:, :, None] * second[:, None, :]
        return self.matrix @ outer.flatten(1, 2)

    def forward(self, first: Tensor, second: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return (atom, component of result, channel)."""
        return self.mix(gather_paths(self.couple(first, second), self.coupling), counts)


def gather_paths(rows: Tensor, coupling: Coupling) -> list[Tensor]:
    """Return for each irrep of the result (atom, 2l+1, path * channel)."""
    n_atoms, _, channels = rows.shape
    parts, at = [], 0
    for k, (degree, _) in enumerate(coupling.result):
        n, m = coupling.count(k), 2 * degree + 1
        block = rows[:, at : at + n * m].reshape(n_atoms, n, m, channels)
        parts.append(block.transpose(1, 2).reshape(n_atoms, m, n * channels))
        at += n * m
    return parts


class Convolution(nn.Module):
    """Messages: sum over neighbours of R(r) (x) [Y(r) x features], R linear in radial functions.

    For every pair of degrees (l of the harmonics, irrep of the features) a matrix maps
    (radial function, channel) to channel; then Clebsch-Gordan paths are formed and mixed.

    Parameters
    ----------
    features, result : tuple of (l, p)
    channels, radial, species : int
    """

    matrix: Tensor

    def __init__(
        self, features: Irreps, result: Irreps, channels: int, radial: int, species: int
    ) -> None:
        super().__init__()
        self.features, self.radial = features, radial
        self.harmonics = spherical(2)
        self.coupling = Coupling(self.harmonics, features, result)
        matrix = torch.tensor(self.coupling.matrix, dtype=torch.float32)
        self.register_buffer("matrix", matrix, persistent=False)
        shape = (len(self.harmonics), len(features), radial * channels, channels)
        self.radial_weights = nn.Parameter(torch.randn(shape) / (radial * channels) ** 0.5)
        counts = tuple(self.coupling.count(k) for k in range(len(result)))
        self.mix = IrrepLinear(
            result, tuple(n * channels for n in counts), channels, species=species
        )

    def couple(self, features: Tensor, graph: AtomGraph) -> Tensor:
        """Return every path of the sum over neighbours, shape (atom, rows, channel)."""
        n_atoms, n_components, channels = features.shape
        sent = features.reshape(n_atoms, -1)[graph.neighbor.reshape(-1)]
        sent = sent.reshape(n_atoms, graph.neighbor.shape[1], -1)
        sums = torch.bmm(graph.edge, sent)
        sums = sums.reshape(n_atoms, self.radial, dimension(self.harmonics), n_components, channels)
        rows = []
        at, at_feature = offsets(self.harmonics), offsets(self.features)
        for a in range(len(self.harmonics)):
            columns = []
            for b in range(len(self.features)):
                block = sums[:, :, at[a] : at[a + 1], at_feature[b] : at_feature[b + 1]]
                block = block.permute(0, 2, 3, 1, 4).flatten(3)
                columns.append(block @ self.radial_weights[a, b])
            rows.append(torch.cat(columns, 2))
        products = torch.cat(rows, 1).flatten(1, 2)
        return self.matrix @ products

    def forward(self, features: Tensor, graph: AtomGraph) -> Tensor:
        """Return (atom, component of result, channel)."""
        return self.mix(gather_paths(self.couple(features, graph), self.coupling), graph.counts)


class Gate(nn.Module):
    """A perceptron on the scalars 0e that updates them and gates every other irrep.

    Parameters
    ----------
    irreps : tuple of (l, p)
        The first one must be 0e.
    channels, species : int
    """

    def __init__(self, irreps: Irreps, channels: int, species: int) -> None:
        super().__init__()
        self.sizes = [2 * degree + 1 for degree, _ in irreps[1:]]
        width = 2 * channels
        self.hidden = IrrepLinear(irreps[:1], (channels,), width, species=species, bias=True)
        self.out = IrrepLinear(irreps[:1], (width,), channels * len(irreps), bias=True)

    def forward(self, features: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return features of the same shape."""
        scalars = features[:, :1]
        hidden = 1.7 * nn.functional.silu(self.hidden([scalars], counts))
        update, *gates = self.out([hidden], counts).split(features.shape[2], 2)
        parts = [scalars + update]
        for gate, part in zip(gates, features[:, 1:].split(self.sizes, 1), strict=True):
            parts.append(part * (2 * torch.sigmoid(gate)))
        return torch.cat(parts, 1)
