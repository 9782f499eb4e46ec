"""`Normalization`: scales of the labels by species and irrep, which keep rotational covariance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aptbench.frames import LabelledFrames
from aptbench.models.tensor_basis import SLICES, to_irreps


@dataclass(frozen=True)
class Normalization:
    """Mean of L = 0 and root mean square of L = 0, 1, 2, by species.

    Only the scalar part has a mean: subtracting one from any other component, or scaling the
    components of one irrep differently, would depend on the orientation of the axes.

    Parameters
    ----------
    species : tuple of int
        Atomic numbers, ascending.
    mean : array, shape (species,)
        Of the L = 0 component (sqrt(3) times the isotropic charge), in e.
    scale : array, shape (species, 3)
        Root mean square of a component of L = 0, 1, 2 about the mean, in e.
    """

    species: tuple[int, ...]
    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    @classmethod
    def measure(cls, *systems: LabelledFrames) -> Normalization:
        """Measure on training labels, of several systems together."""
        numbers = [labels.frames.atomic_numbers for labels in systems]
        components = [to_irreps(labels.apt) for labels in systems]
        species = tuple(int(z) for z in np.unique(np.concatenate(numbers)))

        def of(z: int) -> npt.NDArray[np.float64]:
            parts = [c[:, n == z] for c, n in zip(components, numbers, strict=True)]
            if len(parts) == 1:
                return parts[0]
            return np.concatenate([part.reshape(1, -1, 9) for part in parts], axis=1)

        mean = np.array([of(z)[..., 0].mean() for z in species])
        scale = np.empty((len(species), 3))
        for s, z in enumerate(species):
            part = of(z)
            for degree, columns in SLICES.items():
                centred = part[..., columns] - (mean[s] if degree == 0 else 0.0)
                # a floor for labels without spread, such as a single frame of one atom
                scale[s, degree] = max(np.sqrt(np.mean(centred**2)), 1e-4)
        return cls(species, mean, scale)

    def arrays(
        self, atomic_numbers: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return mean and scale of every component, each of shape (atom, 9)."""
        kind = np.searchsorted(self.species, atomic_numbers)
        mean = np.zeros((len(kind), 9))
        mean[:, 0] = self.mean[kind]
        return mean, np.repeat(self.scale[kind], [1, 3, 5], axis=1)
