"""`ASECalculatorModel`: any ASE calculator that has Born effective charges is a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.conventions import ORDERS, to_pol_disp
from aptbench.errors import InputError, UnknownNameError
from aptbench.frames import Frames
from aptbench.models.adapters.atoms import to_atoms
from aptbench.models.adapters.named_object import named_object
from aptbench.models.protocol import Array
from aptbench.units import factor


class ASECalculatorModel:
    """Predict the Born effective charges of an ASE calculator.

    Parameters
    ----------
    calculator : ase.calculators.calculator.Calculator, callable or str
        The calculator, a function without arguments that makes it, or ``module:object``, its class
        or a function.
    order : {"pol,disp", "disp,pol"}
        What the last two indices of the tensors of this calculator mean. There is no default:
        ASE does not define it, codes differ, and a transposed tensor looks like a good one. Find
        out by a molecule without symmetry: the derivative of the dipole tells.
    arguments : mapping, optional
        Keyword arguments of the class or the function.
    key : str
        Name of the property, or of an additional entry of ``results`` that a calculation leaves.
    unit : {"e", "debye/angstrom", "debye/bohr"}
        Of the tensors.

    Raises
    ------
    InputError
        If the object is not a calculator.

    See Also
    --------
    aptbench.models.adapters.dipole_derivative.DipoleDerivative : for calculators with a dipole.
    aptbench.models.adapters.apt_calculator.APTCalculator : the other direction.

    Examples
    --------
    >>> from aptbench.models.adapters.apt_calculator import APTCalculator
    >>> from aptbench.models.constant import ConstantCharge
    >>> calculator = APTCalculator(ConstantCharge({"O": -0.9, "H": 0.45}))
    >>> model = ASECalculatorModel(calculator, order="pol,disp")
    >>> frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    >>> model.predict(frames)[0, :, 0, 0]
    array([-0.9 ,  0.45,  0.45])
    """

    def __init__(
        self,
        calculator: Any | Callable[[], Any] | str,
        *,
        order: str,
        arguments: Mapping[str, Any] | None = None,
        key: str = "born_effective_charges",
        unit: str = "e",
        folder: Path | None = None,
    ) -> None:
        self.name = "ase-calculator"
        if order not in ORDERS:
            raise UnknownNameError("index order", order, ORDERS)
        self.order, self.key = order, key
        self.factor = factor("apt", unit)
        self.calculator = make_calculator(calculator, arguments, folder)

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> ASECalculatorModel:
        """Make the model of a folder; ``{folder}`` in the arguments is its path."""
        return cls(**parameters, folder=folder)

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp), one calculation a frame.

        Raises
        ------
        InputError
            If the calculator does not have the property, or not for each atom.
        """
        apt = np.empty((len(frames), frames.n_atoms, 3, 3))
        for k in range(len(frames)):
            value = calculated(self.calculator, self.key, to_atoms(frames, k))
            tensors = to_pol_disp(value, self.order)
            if tensors.shape != apt[k].shape:
                raise InputError(
                    f"The {self.key!r} of {type(self.calculator).__name__} have a wrong shape.",
                    got=np.shape(value),
                    expected=f"(atom, 3, 3) or (atom, 9) for {frames.n_atoms} atoms",
                )
            apt[k] = tensors * self.factor
        return apt


def make_calculator(
    calculator: Any, arguments: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Any:
    """Return an ASE calculator from itself, from a function that makes it, or from its name.

    Raises
    ------
    InputError
        If the result is not a calculator, or if there are arguments for a ready one.
    """
    if isinstance(calculator, str):
        made = named_object(calculator, arguments or {}, folder)
    elif is_calculator(calculator):
        if arguments:
            raise InputError(
                "The calculator is made already, and its arguments have no use.",
                got=f"arguments {sorted(arguments)}",
                do="give the class and the arguments, or the calculator alone",
            )
        made = calculator
    elif callable(calculator):
        made = calculator(**(arguments or {}))
    else:
        made = calculator
    if not is_calculator(made):
        raise InputError(
            "This is not an ASE calculator.",
            got=type(made).__name__,
            expected="an object with get_property(name, atoms)",
        )
    return made


def is_calculator(thing: Any) -> bool:
    """Whether an object, and not a class, has the interface of an ASE calculator."""
    return callable(getattr(thing, "get_property", None)) and not isinstance(thing, type)


def calculated(calculator: Any, key: str, atoms: Any) -> Array:
    """Return a property, or an additional entry of the results of an energy calculation.

    Raises
    ------
    InputError
        If there is neither.
    """
    from ase.calculators.calculator import PropertyNotImplementedError

    atoms.calc = calculator
    properties = list(getattr(calculator, "implemented_properties", ()))
    if key in properties or not properties:
        try:
            value = calculator.get_property(key, atoms)
        except PropertyNotImplementedError:
            value = None
    else:
        calculator.get_property("energy" if "energy" in properties else properties[0], atoms)
        value = calculator.results.get(key)
    if value is None:
        raise InputError(
            f"The calculator {type(calculator).__name__} has no {key!r}.",
            got=f"properties {', '.join(properties) or 'unknown'}; "
            f"results {', '.join(getattr(calculator, 'results', {})) or 'none'}",
            do="name the entry by 'key', or differentiate its dipole: "
            "aptbench.models.adapters.dipole_derivative:DipoleDerivative",
        )
    return np.asarray(value, float)
