"""`TorchDipole`: tensors from a dipole written in torch, by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.models.adapters.named_object import named_object
from aptbench.models.protocol import Array
from aptbench.units import factor


class TorchDipole:
    """Differentiate a torch function of the positions: P = dM / dR, exactly.

    The tensors are the derivative of one function, so they are integrable; if the dipole knows
    differences of positions only, the acoustic sum rule holds too.

    Parameters
    ----------
    function : callable, torch.nn.Module or str
        ``function(positions, numbers, cell) -> dipole`` of one frame: positions (atom, 3), numbers
        (atom,) of int64, cell (3, 3) with lattice vectors as rows or None; the dipole has shape
        (3,). Or ``module:object``, the name of one or of a class or function that makes one.
        Which branch of the dipole of a cell it takes does not matter.
    arguments : mapping, optional
        Keyword arguments, if the name is that of a class or of a function that makes it.
    weights : str or Path, optional
        A file with the ``state_dict`` of the module, read with ``weights_only=True``.
    unit : {"e angstrom", "debye", "e bohr"}
        Of the dipole.
    dtype : {"float64", "float32"}
        Of positions and cell, and of the parameters of a module.
    device : str
        As in torch.

    Examples
    --------
    >>> def charges(positions, numbers, cell):
    ...     return (torch.where(numbers == 8, -0.8, 0.4)[:, None] * positions).sum(0)
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> TorchDipole(charges).predict(frames)[0, :, 0, 0].round(6)
    array([-0.8,  0.4,  0.4])
    """

    def __init__(
        self,
        function: Callable[..., torch.Tensor] | str,
        *,
        arguments: Mapping[str, Any] | None = None,
        weights: str | Path | None = None,
        unit: str = "e angstrom",
        dtype: str = "float64",
        device: str = "cpu",
        folder: Path | None = None,
    ) -> None:
        self.name = "torch-dipole"
        if dtype not in ("float64", "float32"):
            raise InputError(
                "The 'dtype' of TorchDipole is unknown.", got=dtype, expected="float64 or float32"
            )
        self.dtype, self.device = getattr(torch, dtype), torch.device(device)
        self.factor = factor("dipole", unit)
        made = named_object(function, arguments, folder) if isinstance(function, str) else function
        if not callable(made):
            raise InputError(
                "This is not a torch function.",
                got=type(made).__name__,
                expected="function(positions, numbers, cell) -> dipole of shape (3,)",
            )
        if isinstance(made, torch.nn.Module):
            made = made.to(device=self.device, dtype=self.dtype).eval()
            if weights is not None:
                path = Path(weights) if folder is None else folder / weights
                state = torch.load(path, map_location=self.device, weights_only=True)
                made.load_state_dict(state)
        elif weights is not None:
            raise InputError("Only a torch.nn.Module has weights.", got=type(made).__name__)
        self.function: Callable[..., torch.Tensor] = made

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> TorchDipole:
        """Make the model of a folder; the weights are a file of it."""
        return cls(**parameters, folder=folder)

    def dipole(self, frames: Frames) -> Array:
        """Return the dipole in e angstrom, shape (frame, pol)."""
        with torch.no_grad():
            moments = [self._evaluate(frames, k)[0] for k in range(len(frames))]
        return np.array([moment.cpu().numpy() for moment in moments], float) * self.factor

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp), three backward passes a frame."""
        with torch.enable_grad():
            tensors = [dipole_jacobian(*self._evaluate(frames, k)) for k in range(len(frames))]
        return np.array(tensors) * self.factor

    def _evaluate(self, frames: Frames, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the dipole of one frame, and the positions it depends on."""

        def tensor(array: Any) -> torch.Tensor:
            return torch.tensor(array, dtype=self.dtype, device=self.device)

        positions = tensor(frames.positions[k]).requires_grad_(torch.is_grad_enabled())
        numbers = torch.tensor(frames.atomic_numbers, device=self.device)
        cell = None if frames.cell is None else tensor(frames.cell[k])
        moment = self.function(positions, numbers, cell)
        if tuple(moment.shape) != (3,):
            raise InputError(
                "The torch function did not give a dipole.",
                got=tuple(moment.shape),
                expected="(3,)",
            )
        return moment, positions


def dipole_jacobian(dipole: torch.Tensor, positions: torch.Tensor) -> Array:
    """Differentiate a dipole by the positions it was computed from.

    Parameters
    ----------
    dipole : tensor, shape (pol,)
    positions : tensor, shape (atom, disp)
        A leaf with ``requires_grad``.

    Returns
    -------
    array, shape (atom, pol, disp)
        In the unit of the dipole by that of the positions; zero where there is no dependence.

    Examples
    --------
    >>> positions = torch.eye(3, requires_grad=True)
    >>> dipole_jacobian(positions.sum(0), positions)[2].trace()
    np.float64(3.0)
    """
    rows = np.zeros((3, *positions.shape))
    if dipole.requires_grad:
        for pol in range(3):
            (row,) = torch.autograd.grad(
                dipole[pol], positions, retain_graph=pol < 2, allow_unused=True
            )
            if row is not None:
                rows[pol] = row.detach().cpu().numpy()
    return np.swapaxes(rows, 0, 1)
