"""`named_object`: what a ``model.yaml`` names, such as the calculator class of another package."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aptbench.errors import InputError, UnknownNameError
from aptbench.models.registry import _module

FOLDER = "{folder}"
"""In arguments, stands for the path of the model folder."""


def named_object(
    name: str, arguments: Mapping[str, Any] | None = None, folder: Path | None = None
) -> Any:
    """Import an object by its name, and call it if there are arguments or it is a class.

    Parameters
    ----------
    name : str
        ``module:object``. The module is a file ``module.py`` in the folder if there is one, else
        an importable package path; the object may be an attribute of another, as in
        ``nequip.integrations.ase:NequIPCalculator.from_compiled_model``.
    arguments : mapping, optional
        Keyword arguments; ``{folder}`` in a text is replaced by the path of the folder.
    folder : Path, optional
        The model folder.

    Raises
    ------
    InputError
        If the name has another form, the module cannot be imported or the call is refused.
    UnknownNameError
        If the module has no such object.

    Examples
    --------
    >>> named_object("datetime:timedelta", {"hours": 2}).seconds
    7200
    >>> named_object("math:hypot")(3, 4)
    5.0
    """
    module_name, colon, path = str(name).partition(":")
    if not (colon and module_name and path):
        raise InputError(
            "This is not the name of an object.", got=repr(name), expected="'module:object'"
        )
    try:
        found: Any = (
            importlib.import_module(module_name) if folder is None else _module(folder, module_name)
        )
    except ModuleNotFoundError as error:
        raise InputError(
            f"The module of {name!r} cannot be imported.",
            got=str(error),
            expected="a file in the model folder or an installed package",
            do=f"install the package of {error.name!r} here, or run the model in a Python that "
            "has it: aptbench.models.adapters.external_python:ExternalPython",
        ) from error
    for part in path.split("."):
        if not hasattr(found, part):
            raise UnknownNameError(f"object in {module_name}", part, _public(found))
        found = getattr(found, part)
    if arguments is None and not isinstance(found, type):
        return found
    keywords = {key: with_folder(value, folder) for key, value in (arguments or {}).items()}
    try:
        return found(**keywords)
    except TypeError as error:
        raise InputError(
            f"{name!r} refuses its arguments.", got=error, expected=f"keyword arguments of {path}"
        ) from error


def with_folder(value: Any, folder: Path | None) -> Any:
    """Replace ``{folder}`` by a path in a text, and in the texts of lists and mappings.

    Examples
    --------
    >>> with_folder(["{folder}/a.model", 3], Path("models/mine"))
    ['models/mine/a.model', 3]
    """
    if isinstance(value, str):
        if FOLDER in value and folder is None:
            raise InputError(
                "An argument speaks of the model folder, and there is none.",
                got=repr(value),
                do="load the model from its folder, or give the path itself",
            )
        return value.replace(FOLDER, str(folder))
    if isinstance(value, Mapping):
        return {key: with_folder(item, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_folder(item, folder) for item in value]
    return value


def _public(thing: Any) -> list[str]:
    names = (name for name in dir(thing) if not name.startswith("_"))
    return [name for name in names if callable(getattr(thing, name))]
