"""`MACEDipole`: tensors from the dipole models of the package mace-torch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aptbench.elements import SYMBOLS, atomic_number
from aptbench.errors import InputError, MissingExtraError
from aptbench.frames import Frames
from aptbench.models.adapters.atoms import to_atoms
from aptbench.models.adapters.named_object import with_folder
from aptbench.models.protocol import Array
from aptbench.units import factor

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


class MACEDipole:
    """Differentiate the dipole of `AtomicDipolesMACE` or `EnergyDipolesMACE` networks.

    Parameters
    ----------
    models : str, Path, torch.nn.Module, or a sequence of them
        Files as mace writes them, or networks; several are a committee. **A file of mace is a
        pickle and may run code of its author: load only what you trust.**
    unit : {"debye", "e angstrom", "e bohr"}
        Of the dipole the networks were trained on; debye is the convention of mace.
    charges : mapping of symbol to float, optional
        The fixed charges in e that mace adds as a baseline, if it was trained with any.
    device : str
        As in torch.

    Raises
    ------
    MissingExtraError
        If mace-torch is not installed.
    InputError
        If a file cannot be read or is not a dipole network.

    Notes
    -----
    MACE: Batatia et al., arXiv:2206.07697. mace-torch asks for e3nn 0.4.4, and aptbench for
    e3nn 0.6. The code of mace runs on both, but a file that was written with the one cannot be
    read with the other. For files of e3nn 0.4.4 run this class in a Python of its own:
    `aptbench.models.adapters.external_python.ExternalPython`.
    """

    def __init__(
        self,
        models: str | Path | Module | Sequence[str | Path | Module],
        *,
        unit: str = "debye",
        charges: dict[str, float] | None = None,
        device: str = "cpu",
    ) -> None:
        self.name = "mace-dipole"
        self.factor = factor("dipole", unit)
        self.charges = {atomic_number(s): float(q) for s, q in (charges or {}).items()}
        self.device = device
        with _quiet():
            try:
                import mace.data  # noqa: F401
            except ImportError as error:
                raise MissingExtraError(str(error.name or "mace"), "mace") from error
            listed: list[Any] = [models] if _is_one(models) else list(models)  # type: ignore[arg-type]
            if not listed:
                raise InputError("MACEDipole needs at least one network.", got="an empty list")
            self.networks: list[Any] = [self._network(model) for model in listed]
        first = self.networks[0]
        self._numbers = [int(z) for z in first.atomic_numbers]
        self._cutoff = float(first.r_max)
        for network in self.networks[1:]:
            if [int(z) for z in network.atomic_numbers] != self._numbers or not np.isclose(
                float(network.r_max), self._cutoff
            ):
                raise InputError("The networks of the committee differ in elements or cutoff.")

    @classmethod
    def from_folder(cls, folder: Path, models: Any, **parameters: Any) -> MACEDipole:
        """Make the model of a folder; ``{folder}`` in the paths is its path."""
        return cls(with_folder(models, folder), **parameters)

    @property
    def n_parameters(self) -> int:
        """Learned numbers of all networks."""
        return sum(p.numel() for network in self.networks for p in network.parameters())

    def dipole(self, frames: Frames) -> Array:
        """Return the mean dipole of the committee in e angstrom, shape (frame, pol)."""
        return np.array(
            [
                np.mean(
                    [self._evaluate(n, frames, k)[0].detach().cpu().numpy() for n in self.networks],
                    axis=0,
                )
                for k in range(len(frames))
            ],
            float,
        )

    def predict(self, frames: Frames) -> Array:
        """Return the mean tensors of the committee in e, shape (frame, atom, pol, disp)."""
        return self._members(frames).mean(0)

    def predict_std(self, frames: Frames) -> Array:
        """Return the spread of the committee in e, shape (frame, atom, pol, disp)."""
        return self._members(frames).std(0)

    def _members(self, frames: Frames) -> Array:
        from aptbench.models.adapters.torch_dipole import dipole_jacobian

        return np.array(
            [
                [dipole_jacobian(*self._evaluate(n, frames, k)) for k in range(len(frames))]
                for n in self.networks
            ]
        )

    def _evaluate(self, network: Module, frames: Frames, k: int) -> tuple[Tensor, Tensor]:
        """Return the dipole of one frame in e angstrom, and the positions it depends on."""
        import torch

        batch = self._batch(frames, k, next(network.parameters()).dtype)
        with torch.enable_grad(), _quiet():
            output = network(batch, training=False, compute_force=False)
        return output["dipole"][0] * self.factor, batch["positions"]

    def _batch(self, frames: Frames, k: int, dtype: Any) -> dict[str, Any]:
        import torch
        from mace import data
        from mace.tools import AtomicNumberTable, torch_geometric

        missing = sorted({int(z) for z in frames.atomic_numbers} - set(self._numbers))
        if missing:
            raise InputError(
                f"The networks of {self.name!r} do not know {_symbols(missing)}.",
                expected=f"elements among {_symbols(self._numbers)}",
            )
        configuration = data.config_from_atoms(to_atoms(frames, k))
        graph = data.AtomicData.from_config(
            configuration, z_table=AtomicNumberTable(self._numbers), cutoff=self._cutoff
        )
        batch = torch_geometric.Batch.from_data_list([graph]).to(self.device).to_dict()
        for key, value in batch.items():
            if torch.is_tensor(value) and torch.is_floating_point(value):
                batch[key] = value.to(dtype)
        # from our own arrays: mace rounds them to the default dtype of torch on the way
        cell = np.zeros((3, 3)) if frames.cell is None else frames.cell[k]
        charges = [self.charges.get(int(z), 0.0) for z in frames.atomic_numbers]
        place = {"dtype": dtype, "device": self.device}
        batch["shifts"] = batch["unit_shifts"] @ torch.tensor(cell, **place)
        batch["charges"] = torch.tensor(charges, **place)
        batch["positions"] = torch.tensor(frames.positions[k], **place).requires_grad_(True)
        return batch

    def _network(self, model: str | Path | Module) -> Module:
        import torch

        if isinstance(model, str | Path):
            try:
                model = torch.load(model, map_location=self.device, weights_only=False)
            except Exception as error:
                raise InputError(
                    f"The network {model} cannot be read.",
                    got=f"{type(error).__name__}: {error}",
                    do="if it was written with another version of e3nn or mace, run MACEDipole "
                    "in a Python that has it: "
                    "aptbench.models.adapters.external_python:ExternalPython",
                ) from error
        kind = type(model).__name__
        if "Dipole" not in kind:
            raise InputError(
                "This network has no dipole.",
                got=kind,
                expected="AtomicDipolesMACE or EnergyDipolesMACE",
            )
        network: Module = model.to(self.device).eval()  # type: ignore[union-attr]
        return network


def _is_one(models: Any) -> bool:
    return isinstance(models, str | Path) or hasattr(models, "parameters")


def _symbols(numbers: list[int]) -> str:
    return ", ".join(SYMBOLS[z] for z in numbers)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what mace and its e3nn say about TorchScript, which is not used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield
