"""The schema of a group of the store: variables, dimensions, units, attributes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aptbench import conventions
from aptbench.data.quantization import (
    POSITION_ATTRS,
    VELOCITY_ATTRS,
    round_positions,
    round_velocities,
)
from aptbench.data.system import SystemData, sum_rule_residual
from aptbench.errors import InputError
from aptbench.frames import Frames
from aptbench.units import unit_of

if TYPE_CHECKING:
    import xarray as xr

SCHEMA: Final = "aptbench-data-1"
"""Name of this layout, in the root attribute ``schema`` of every store."""
MANIFEST_GROUP: Final = "manifest"
"""The group that holds the manifest: no system may have this name."""


@dataclass(frozen=True)
class Variable:
    """One variable of a group.

    Parameters
    ----------
    dims : tuple of str
    dtype : str
        NumPy name of the stored type.
    units : str or None
        None for indices.
    long_name : str
    required : bool
    """

    dims: tuple[str, ...]
    dtype: str
    units: str | None
    long_name: str
    required: bool = False


VARIABLES: Final[dict[str, Variable]] = {
    "atomic_number": Variable(("atom",), "int16", None, "atomic number", True),
    "mass": Variable(("atom",), "float64", "u", "standard atomic mass", True),
    "molecule": Variable(("atom",), "int32", None, "index of the molecule of the atom"),
    "time": Variable(("frame",), "float64", unit_of("time"), "time"),
    "positions": Variable(
        ("frame", "atom", "xyz"), "float32", unit_of("length"), "position, unwrapped", True
    ),
    "velocities": Variable(
        ("frame", "atom", "xyz"),
        "float32",
        unit_of("velocity"),
        "velocity at the time of positions",
    ),
    "cell": Variable(
        ("frame", "vector", "xyz"), "float64", unit_of("length"), "lattice vectors, one a row"
    ),
    "label_frame": Variable(("label",), "int32", None, "frame of the label", True),
    "apt": Variable(
        ("label", "atom", "pol", "disp"),
        "float64",
        unit_of("apt"),
        "atomic polar tensor dM_pol / dR_disp",
        True,
    ),
    "dipole": Variable(
        ("label", "pol"), "float64", unit_of("dipole"), "dipole, modulo the polarization quantum"
    ),
    "wannier_center": Variable(
        ("label", "wannier", "xyz"), "float64", unit_of("length"), "Wannier centre of charge -2 e"
    ),
    "sum_rule_residual": Variable(
        ("label",),
        "float64",
        unit_of("apt"),
        "rms over nine components of the acoustic sum of the labels as computed",
        True,
    ),
}
"""Every variable of the schema; ``cell`` lacks the dimension frame where it is constant. Other
variables of dimension (label,) are quality columns and have the attribute ``role: quality``."""


NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
"""Pattern of the name of a data set, which is a folder of a project, and of a system."""


def check_system_name(name: str) -> None:
    """Raise `InputError` unless ``name`` can be the name of a group.

    Examples
    --------
    >>> check_system_name("w64-300K")
    """
    if not re.fullmatch(NAME, name) or name == MANIFEST_GROUP:
        raise InputError(
            "A system has a name that cannot be the name of a group.",
            got=repr(name),
            expected=f"letters, digits, '_', '.', '-'; not {MANIFEST_GROUP!r}",
        )


def to_xarray(system: SystemData) -> xr.Dataset:
    """Return the group of a system, quantised and in the types that are stored.

    Raises
    ------
    InputError
        If a quality column has the name of a variable of the schema.
    """
    import xarray as xr

    frames = system.frames
    arrays: dict[str, Any] = {
        "atomic_number": frames.atomic_numbers,
        "mass": frames.masses,
        "molecule": frames.molecule,
        "time": system.times,
        "positions": round_positions(frames.positions),
        "velocities": None if frames.velocities is None else round_velocities(frames.velocities),
        "cell": frames.cell,
        "label_frame": system.label_frame,
        "apt": system.apt,
        "dipole": system.dipole,
        "wannier_center": system.wannier_centers,
        "sum_rule_residual": system.sum_rule_residual,
    }
    variables: dict[str, Any] = {}
    for name, array in arrays.items():
        if array is None:
            continue
        spec = VARIABLES[name]
        dims = spec.dims
        if name == "cell" and np.all(array == array[0]):
            dims, array = dims[1:], array[0]
        attrs: dict[str, Any] = {"long_name": spec.long_name}
        if spec.units is not None:
            attrs["units"] = spec.units
        if name == "positions":
            attrs["quantization"] = POSITION_ATTRS
        if name == "velocities":
            attrs["quantization"] = VELOCITY_ATTRS
        if name == "apt":
            attrs["index_order"] = "pol,disp"
        if name == "sum_rule_residual":
            attrs["role"] = "quality"
        variables[name] = (dims, np.asarray(array, dtype=spec.dtype), attrs)
    for name, column in system.quality.items():
        if name == "sum_rule_residual":
            continue
        if name in VARIABLES or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise InputError(
                f"A quality column cannot be named {name!r}.",
                expected="a lower-case name that is no variable of the schema",
            )
        attrs = {"units": system.quality_units.get(name, "1"), "role": "quality"}
        variables[name] = (("label",), column, attrs)
    coordinates = ("atomic_number", "mass", "molecule", "time", "label_frame")
    return xr.Dataset(
        {name: value for name, value in variables.items() if name not in coordinates},
        coords={name: value for name, value in variables.items() if name in coordinates},
        attrs={
            "aptbench_conventions": conventions.VERSION,
            "periodic": frames.periodic,
            "total_charge": float(frames.total_charge),
            "provenance": dict(system.provenance),
        },
    )


def check_group(name: str, group: xr.Dataset) -> list[str]:
    """Return what is wrong with a group of a store, as sentences; empty if it is sound.

    Parameters
    ----------
    name : str
        Of the system, for the sentences.
    group : xarray.Dataset
        As `open_datatree` gives it.
    """
    wrong: list[str] = []

    def expect(ok: bool, sentence: str) -> None:
        if not ok:
            wrong.append(f"{name}: {sentence}")

    for variable, spec in VARIABLES.items():
        expect(not spec.required or variable in group.variables, f"no variable {variable!r}")
    for attribute in ("aptbench_conventions", "periodic", "total_charge", "provenance"):
        expect(attribute in group.attrs, f"no attribute {attribute!r}")
    for key, array in group.variables.items():
        variable = str(key)
        spec_of = VARIABLES.get(variable)
        if spec_of is None:
            expect(array.dims == ("label",), f"unknown variable {variable!r}")
            expect("units" in array.attrs, f"{variable!r} has no units")
        else:
            dims = spec_of.dims
            fits = array.dims == dims or (variable == "cell" and array.dims == dims[1:])
            expect(fits, f"{variable!r} has dimensions {array.dims}, expected {dims}")
            expect(
                array.attrs.get("units") == spec_of.units,
                f"{variable!r} has units {array.attrs.get('units')!r}, expected {spec_of.units!r}",
            )
        if np.issubdtype(array.dtype, np.floating):
            expect(bool(np.all(np.isfinite(array.values))), f"{variable!r} has values not finite")
    if wrong:
        return wrong
    expect(
        group.attrs["aptbench_conventions"] == conventions.VERSION,
        f"conventions {group.attrs['aptbench_conventions']!r}, expected {conventions.VERSION!r}",
    )
    expect(group["apt"].attrs.get("index_order") == "pol,disp", "'apt' has no index_order pol,disp")
    expect(group.attrs["periodic"] == ("cell" in group.variables), "'periodic' and 'cell' disagree")
    labels = group["label_frame"].values
    inside = labels.size == 0 or (labels.min() >= 0 and labels.max() < group.sizes["frame"])
    expect(bool(np.all(np.diff(labels) > 0) and inside), "'label_frame' does not point to frames")
    residual = sum_rule_residual(group["apt"].values, group.attrs["total_charge"])
    expect(
        bool(np.allclose(residual, group["sum_rule_residual"].values, atol=1e-9)),
        "'sum_rule_residual' is not that of the stored tensors",
    )
    masses = Frames(group["atomic_number"].values, np.zeros((1, group.sizes["atom"], 3))).masses
    expect(bool(np.allclose(masses, group["mass"].values)), "'mass' is not that of the elements")
    return wrong
