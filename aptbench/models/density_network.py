"""`DensityNetwork`: a network whose input is a neighbour density in units of its own spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from aptbench.models.coupling import spherical
from aptbench.models.equivariant_layers import split_irreps


class DensityGraph(Protocol):
    """A frame with a density, atoms sorted by species."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of atoms of each species."""
        ...

    @property
    def density(self) -> Tensor:
        """Neighbour density, shape (atom, lm, species * radial)."""
        ...


class DensityNetwork(nn.Module):
    """Mean and spread of the density of training frames, by species, degree and column.

    Parameters
    ----------
    species, radial, degree : int
        Number of species and of radial functions, largest degree of the harmonics.
    smoothness : float
        Index of the radial function at which its share in the density has fallen to one half.
    """

    density_mean: Tensor
    density_scale: Tensor

    def __init__(self, species: int, radial: int, degree: int, smoothness: float) -> None:
        super().__init__()
        self._radial, self._degree, self._smoothness = radial, degree, smoothness
        self.register_buffer("density_mean", torch.zeros(species, species * radial))
        self.register_buffer("density_scale", torch.ones(species, degree + 1, species * radial))

    @torch.no_grad()
    def measure_density(self, graphs: Sequence[DensityGraph]) -> None:
        """Set mean (l = 0 only, else it would not be covariant) and rms of the density."""
        smooth = 1 / (1 + (torch.arange(self._radial) / self._smoothness) ** 2)
        smooth = smooth.repeat(len(self.density_mean))
        for s in range(len(self.density_mean)):
            density = torch.cat([graph.density.split(graph.counts)[s] for graph in graphs]).double()
            if not len(density):
                continue
            mean = density[:, 0].mean(0)
            self.density_mean[s] = mean
            density[:, 0] -= mean
            for k, part in enumerate(split_irreps(density, spherical(self._degree))):
                rms = part.square().mean((0, 1)).sqrt()
                # a radial function that no neighbour reaches has no spread: leave it out
                scale = torch.where(rms > 1e-4, 1 / rms.clamp(min=1e-4), 0)
                self.density_scale[s, k] = scale * smooth

    def normalized(self, density: Tensor, counts: tuple[int, ...]) -> Tensor:
        """Return the density in these units, of the same shape."""
        repeats = torch.arange(self._degree + 1) * 2 + 1
        blocks = []
        for s, block in enumerate(density.split(counts)):
            scalar = block[:, :1] - self.density_mean[s]
            scale = self.density_scale[s].repeat_interleave(repeats, 0)
            blocks.append(torch.cat([scalar, block[:, 1:]], 1) * scale)
        return torch.cat(blocks)
