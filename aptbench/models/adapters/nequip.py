"""`NequIPModel`: tensors from networks in the framework of NequIP and Allegro."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.conventions import ORDERS, to_pol_disp
from aptbench.elements import SYMBOLS
from aptbench.errors import InputError, MissingExtraError, UnknownNameError
from aptbench.frames import Frames
from aptbench.models.adapters.atoms import to_atoms
from aptbench.models.adapters.named_object import named_object
from aptbench.models.protocol import Array
from aptbench.units import factor


class NequIPModel:
    """Read the tensors of a NequIP `GraphModel`, or differentiate its dipole.

    NequIP reserves names for tensors, dipoles and polarizations, but neither it nor Allegro
    has a network that predicts one, and their ASE calculators and compiled models return
    energy, forces and stress only. This class is for networks that were built from their modules
    with one more output, run uncompiled.

    Parameters
    ----------
    model : nequip.nn.GraphModel or str
        The network, or ``module:object``, the name of a function that makes it, for example
        ``nequip.model.saved_models.load_utils:load_saved_model``.
    arguments : mapping, optional
        Keyword arguments of that function.
    tensor : str, optional
        Output with one tensor an atom, (atom, 3, 3) or (atom, 9), in e.
    order : {"pol,disp", "disp,pol"}, optional
        What the two indices of the tensor mean: that of the labels it was trained on.
    dipole : str, optional
        Instead of a tensor, output with a dipole, (1, 3), or one an atom to be added up, (atom, 3).
    unit : {"e angstrom", "debye", "e bohr"}
        Of the dipole.
    device : str
        As in torch.

    Raises
    ------
    MissingExtraError
        If nequip is not installed.
    InputError
        If not exactly one of ``tensor`` and ``dipole`` is named.

    Notes
    -----
    NequIP: Batzner et al., Nat. Commun. 13, 2453 (2022), doi:10.1038/s41467-022-29939-5. Allegro:
    Musaelian et al., Nat. Commun. 14, 579 (2023), doi:10.1038/s41467-023-36329-y.
    """

    def __init__(
        self,
        model: Any | str,
        *,
        arguments: Mapping[str, Any] | None = None,
        tensor: str | None = None,
        order: str | None = None,
        dipole: str | None = None,
        unit: str = "e angstrom",
        device: str = "cpu",
        folder: Path | None = None,
    ) -> None:
        self.name = "nequip"
        if (tensor is None) == (dipole is None):
            raise InputError(
                "NequIPModel reads one output.",
                got=f"tensor={tensor!r}, dipole={dipole!r}",
                expected="the name of a 'tensor', or that of a 'dipole' to differentiate",
            )
        if tensor is not None and order not in ORDERS:
            raise UnknownNameError("index order", str(order), ORDERS)
        self.tensor, self.order, self.dipole_key = tensor, order, dipole
        self.factor = factor("dipole", unit)
        with _quiet():
            try:
                from nequip.integrations.utils import basic_transforms
            except ImportError as error:
                raise MissingExtraError(str(error.name or "nequip"), "nequip") from error
            if isinstance(model, str):
                model = named_object(model, arguments or {}, folder)
            if not hasattr(model, "metadata"):
                raise InputError(
                    "This is not a network of NequIP.",
                    got=type(model).__name__,
                    expected="a nequip.nn.GraphModel",
                )
            self.network: Any = model.to(device).eval()
            self._types = str(model.metadata["type_names"]).split()
            self._transforms = basic_transforms(
                model.metadata,
                float(model.metadata["r_max"]),
                self._types,
                {name: name for name in self._types},
            )
        self.device = device
        if dipole is not None:
            self.dipole = self._dipole  # a model without a dipole must not seem to have one

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> NequIPModel:
        """Make the model of a folder; ``{folder}`` in the arguments is its path."""
        return cls(**parameters, folder=folder)

    @property
    def n_parameters(self) -> int:
        """Learned numbers."""
        return sum(p.numel() for p in self.network.parameters())

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp), frame by frame.

        Raises
        ------
        InputError
            If the network does not know an element or has no such output.
        """
        from aptbench.models.adapters.torch_dipole import dipole_jacobian

        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        for k in range(len(frames)):
            if self.tensor is None:
                moment, positions = self._moment(frames, k)
                apt[k] = dipole_jacobian(moment, positions)
            else:
                value = self._output(frames, k, self.tensor)[0].detach().cpu().numpy()
                tensors = to_pol_disp(value, str(self.order))
                if tensors.shape != apt[k].shape:
                    raise InputError(
                        f"The output {self.tensor!r} has the wrong shape.",
                        got=value.shape,
                        expected=f"(atom, 3, 3) or (atom, 9) for {frames.n_atoms} atoms",
                    )
                apt[k] = tensors
        return apt

    def _dipole(self, frames: Frames) -> Array:
        """Return the dipole in e angstrom, shape (frame, pol)."""
        moments = [self._moment(frames, k)[0] for k in range(len(frames))]
        return np.array([moment.detach().cpu().numpy() for moment in moments], float)

    def _moment(self, frames: Frames, k: int) -> tuple[Any, Any]:
        value, positions = self._output(frames, k, str(self.dipole_key))
        if value.shape[-1:] != (3,) or value.numel() not in (3, 3 * frames.n_atoms):
            raise InputError(
                f"The output {self.dipole_key!r} is not a dipole.",
                got=tuple(value.shape),
                expected="(1, 3) or (atom, 3)",
            )
        return value.reshape(-1, 3).sum(0) * self.factor, positions

    def _output(self, frames: Frames, k: int, key: str) -> tuple[Any, Any]:
        """Return one output of the network, and the positions it depends on."""
        import torch
        from nequip.data import AtomicDataDict, from_ase

        missing = sorted({SYMBOLS[z] for z in frames.atomic_numbers} - set(self._types))
        if missing:
            raise InputError(
                f"The network of {self.name!r} does not know {', '.join(missing)}.",
                expected=f"elements among {', '.join(self._types)}",
            )
        with _quiet():
            data = from_ase(to_atoms(frames, k))
            for transform in self._transforms:
                data = transform(data)
            data = AtomicDataDict.to_(data, self.device)
            data[AtomicDataDict.POSITIONS_KEY].requires_grad_(True)
            positions = data[AtomicDataDict.POSITIONS_KEY]
            with torch.enable_grad():
                output = self.network(data)
        if key not in output:
            raise InputError(
                f"The network has no output {key!r}.", expected=f"one of {', '.join(output)}"
            )
        return output[key], positions


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what the framework says about compilation and precision, which are not used here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
