"""Model folders, and the names under which they are found."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import warnings
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aptbench.errors import AptbenchError, InputError, MissingExtraError, UnknownNameError
from aptbench.json_file import faults
from aptbench.models.protocol import APTModel

ENTRY_POINTS = "aptbench.models"
NAME: Final = r"^[a-z0-9][a-z0-9._+-]*$"
"""Pattern of the name of a model, which is a part of the names of its files."""
_EXTRAS = {"torch": "models", "e3nn": "models", "ase": "md"}


class ModelFolder(BaseModel):
    """The content of a ``model.yaml``; unknown keys are refused.

    Attributes
    ----------
    name, title : str
        Short name, as on the command line, and one line for tables.
    class_path : str
        Key ``class``: ``module:Class``. The module is a file ``module.py`` in the folder if there
        is one, else an importable package path.
    parameters : dict
        Keyword arguments of the class.
    weights : str, optional
        Name of a file in the folder that holds what was learned.
    reference : str, optional
        Citation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=NAME)
    title: str
    class_path: str = Field(alias="class", pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    parameters: dict[str, Any] = Field(default_factory=dict)
    weights: str | None = Field(default=None, pattern=r"^[\w][\w.-]*$")
    reference: str | None = None

    @classmethod
    def read(cls, folder: Path | str) -> ModelFolder:
        """Read ``model.yaml`` of a folder.

        Raises
        ------
        InputError
            If the file is missing, is not YAML, or does not have the keys above.
        """
        path = Path(folder) / "model.yaml"
        if not path.is_file():
            raise InputError(
                "This folder is not a model folder.",
                got=f"no file {path}",
                expected="model.yaml with name, title, class, parameters",
            )
        try:
            content = yaml.safe_load(path.read_bytes())
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not YAML.", got=error) from None
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise InputError(
                f"{path} does not describe a model.",
                got=faults(error),
                expected="name, title, class: 'module:Class'; "
                "optional parameters, weights, reference",
            ) from None


def available_models() -> dict[str, str]:
    """Return the names of all models that `load_model` finds, each with where it comes from.

    A model folder under ``<root>/baselines`` comes first; an entry point of the group
    ``aptbench.models`` (a callable without arguments that returns a model) comes second.
    """
    found = {p.name: f"entry point {p.value}" for p in entry_points(group=ENTRY_POINTS)}
    baselines = _baselines()
    if baselines is not None:
        found.update({path.parent.name: str(path.parent) for path in _folders(baselines)})
    return dict(sorted(found.items()))


def load_model(
    name_or_folder: str | Path, *, trained: bool = True, task: str | None = None
) -> APTModel:
    """Load a model by its name or from its folder.

    Parameters
    ----------
    name_or_folder : str or Path
        A folder under ``<root>/baselines``, the name of an entry point, or the path of a folder
        with a ``model.yaml``, looked up in this order.
    trained : bool
        False: without what it has learned, ready for ``fit``, if its class tells the two apart
        by a class method ``untrained(folder, **parameters)``.
    task : str, optional
        As in ``molecules-dft/known-groups``: what it has learned for this task, if that is kept
        (see `weights_folder`), and else what it has learned.

    Returns
    -------
    APTModel
        With an attribute ``name``.

    Raises
    ------
    UnknownNameError
        If nothing has this name.
    InputError
        If the folder is not a model folder, or its class does not exist or cannot be made.
    MissingExtraError
        If the model needs an optional package that is not installed.
    """
    text = str(name_or_folder)
    baselines = _baselines()
    if baselines is not None and text in {path.parent.name for path in _folders(baselines)}:
        return _from_folder(baselines / text, trained, task)
    for point in entry_points(group=ENTRY_POINTS):
        if point.name == text:
            return _from_entry_point(point)
    path = Path(name_or_folder).expanduser()
    if path.is_dir():
        return _from_folder(path, trained, task)
    if isinstance(name_or_folder, Path) or len(path.parts) > 1:
        raise InputError(
            "There is no model folder at this path.",
            got=path,
            expected="a folder with a model.yaml, or one of the names "
            + (", ".join(available_models()) or "(none found)"),
        )
    raise UnknownNameError("model", text, available_models())


def model_folder(name_or_folder: str | Path) -> Path | None:
    """Return the folder that `load_model` would read, None for an entry point or nothing."""
    baselines = _baselines()
    if baselines is not None and (baselines / str(name_or_folder) / "model.yaml").is_file():
        return baselines / str(name_or_folder)
    if any(point.name == str(name_or_folder) for point in entry_points(group=ENTRY_POINTS)):
        return None
    path = Path(name_or_folder).expanduser()
    return path if path.is_dir() else None


def weights_folder(folder: Path, task: str | None) -> Path:
    """Return where a model folder keeps what it has learned for a task.

    ``trained/DATASET/SPLIT``, if there is such a folder, else the folder itself: one model may be
    trained for several tasks, and the first needs no more than the folder.
    """
    own = folder / "trained" / (task or "").partition("@")[0]
    return own if task and own.is_dir() else folder


def _baselines() -> Path | None:
    from aptbench.data import root

    try:
        return root() / "baselines"
    except AptbenchError:  # outside a project only entry points and paths have names
        return None


def _folders(baselines: Path) -> list[Path]:
    return sorted(baselines.glob("*/model.yaml"))


def _from_entry_point(point: EntryPoint) -> APTModel:
    try:
        model = point.load()()
    except Exception as error:
        raise InputError(
            f"The entry point {point.name!r} of {ENTRY_POINTS} failed.",
            got=f"{type(error).__name__}: {error}",
            expected="a callable without arguments that returns a model",
            do=f"repair or uninstall the package of {point.value}",
        ) from error
    return _named(model, point.name)


def _from_folder(folder: Path, trained: bool, task: str | None = None) -> APTModel:
    folder = folder.resolve()
    spec = ModelFolder.read(folder)
    module_name, class_name = spec.class_path.split(":")
    try:
        module = _module(folder, module_name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _EXTRAS:
            raise MissingExtraError(missing, _EXTRAS[missing]) from error
        raise InputError(
            f"The module of the model {spec.name!r} cannot be imported.",
            got=str(error),
            expected=f"a file {module_name}.py in {folder}, or an importable package path",
        ) from error
    if not hasattr(module, class_name):
        raise UnknownNameError(
            f"class in {module_name}",
            class_name,
            [n for n, v in vars(module).items() if isinstance(v, type)],
        )
    cls = getattr(module, class_name)
    try:
        make = getattr(cls, "from_folder", None)
        make = make if trained else getattr(cls, "untrained", make)
        place = weights_folder(folder, task)
        if not trained and not any(place.glob("*.yaml")):
            place = folder  # the settings of the training are those of the model
        model = make(place, **spec.parameters) if make else cls(**spec.parameters)
    except TypeError as error:
        raise InputError(
            f"The model {spec.name!r} refuses its parameters.",
            got=error,
            expected=f"keyword arguments of {class_name}",
            do=f"correct 'parameters' in {folder / 'model.yaml'}",
        ) from error
    return _named(model, spec.name)


def _module(folder: Path, name: str) -> Any:
    path = folder / f"{name}.py"
    if not path.is_file():
        return importlib.import_module(name)
    # two folders may both have a model.py: the path makes the module name unique
    unique = f"_aptbench_model_{hashlib.sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(unique, path)
    if spec is None or spec.loader is None:
        raise InputError("This file cannot be imported.", got=path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[unique]
        raise
    return module


def _named(model: Any, name: str) -> APTModel:
    if not isinstance(model, APTModel):
        raise InputError(
            f"The model {name!r} cannot predict.",
            got=f"{type(model).__name__} without a method 'predict'",
            expected="predict(frames) -> array (frame, atom, pol, disp) in e",
        )
    if getattr(model, "name", None) != name:
        try:
            model.name = name  # type: ignore[attr-defined]
        except AttributeError:
            warnings.warn(f"{type(model).__name__} takes no attribute 'name'", stacklevel=3)
    return model
