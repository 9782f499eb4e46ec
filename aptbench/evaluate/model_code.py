"""`code_of`: what predictions of a model depend on besides the files of its folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import Any, Final

import aptbench
from aptbench.evaluate.versions import package_versions
from aptbench.models.adapters.external_python import ExternalPython
from aptbench.models.registry import ModelFolder

OWN: Final = (
    "models",
    "frames.py",
    "units.py",
    "elements.py",
    "conventions.py",
    "bonds.py",
    "molecules.py",
    "data/grid_artifact.py",
)
"""Modules of aptbench that a model predicts or learns with."""
LIBRARIES: Final = ("numpy", "scipy", "torch", "e3nn", "vesin")
"""Packages whose versions always count."""

_NAMED: Final = re.compile(r"([A-Za-z_][\w.]*):[A-Za-z_][\w.]*")
_IMPORT: Final = re.compile(rb"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_ASK: Final = """
import json, sys
from importlib import metadata, util
sys.path[:] = sys.path[1:]
found = util.find_spec(sys.argv[1])
places = [] if found is None else [*(found.submodule_search_locations or [found.origin])]
packages = sorted("%s %s" % (d.metadata["Name"], d.version) for d in metadata.distributions())
print(json.dumps({"python": sys.version, "packages": packages, "places": places}))
"""
_PATIENCE: Final = 60.0


def code_of(model: Any, folder: Path | None = None) -> str | None:
    """Return a hash that changes with the code of a model, its libraries, and weights elsewhere.

    It is over the modules of aptbench that models use; the source of the packages that the class of
    the model and ``model.yaml`` name; versions of what that source and modules of the folder
    import, or again the source where no version tells one state from another; files and folders
    outside that ``model.yaml`` names; and for `ExternalPython` the packages of the other Python.
    What is in the folder itself is not in it.

    Parameters
    ----------
    model : object with ``predict``
    folder : Path, optional
        Where it was loaded from.

    Returns
    -------
    str or None
        None if the other Python does not tell what it has.
    """
    parts: dict[str, Any] = {"own": _hash_own(), "libraries": package_versions(*LIBRARIES)}
    named, sources = {type(model).__module__}, []
    if folder is not None:
        sources = sorted(folder.rglob("*.py"))
        parts["files"] = outside_files(folder)
    if isinstance(model, ExternalPython):
        parts["other"] = _other_python(model)
        if parts["other"] is None:
            return None
    elif folder is not None:
        spec = ModelFolder.read(folder)
        matches = map(_NAMED.fullmatch, _texts([spec.class_path, spec.parameters]))
        named |= {match[1] for match in matches if match}
        named = {name for name in named if not (folder / f"{name}.py").is_file()}
    parts["packages"] = _packages({name.partition(".")[0] for name in named}, _imports(sources))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def outside_files(folder: Path) -> dict[str, str]:
    """Return a hash of every file and folder outside a model folder that ``model.yaml`` names.

    Of a folder the names, sizes and times of its files are taken, of a file its content.
    """
    found = {}
    for text in _texts(ModelFolder.read(folder).parameters):
        for path in (Path(os.path.expandvars(text)).expanduser(), folder / text):
            try:
                if path.resolve().is_relative_to(folder.resolve()):
                    continue
                if path.is_file():
                    found[text] = hashlib.sha256(path.read_bytes()).hexdigest()
                elif path.is_dir() and os.sep in text:
                    found[text] = _hash_listing(path)
            except (OSError, RuntimeError, ValueError):  # this is not the name of a file
                continue
    return found


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _texts(value)


def _hash_own() -> str:
    package = Path(aptbench.__file__).parent
    return _hash_sources([package / name for name in OWN])


def _packages(named: set[str], imported: set[str]) -> dict[str, str]:
    """Return by top-level package the hash of its source, or its version where that is enough."""
    found: dict[str, str] = {}
    left = [*named, *imported]
    while left:
        top = left.pop()
        # modules of a model folder have made-up names, and their files are in the folder
        known = top in (*LIBRARIES, "aptbench", "__main__") or top.startswith("_aptbench_model_")
        if top in found or known or top in sys.stdlib_module_names:
            continue
        version = None if top in named else _version(top)
        if version is None:
            places = _places(top)
            found[top] = _hash_sources(places)
            left += _imports(_sources(places))
        else:
            found[top] = version
    return found


@lru_cache(maxsize=1)
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def _version(top: str) -> str | None:
    """Return the versions of a package; None for one that is edited in place, or has none."""
    words = []
    for name in sorted(set(_distributions().get(top, ()))):
        found = metadata.distribution(name)
        if "editable" in (found.read_text("direct_url.json") or ""):
            return None
        words.append(f"{name} {found.version}")
    return ", ".join(words) or None


def _places(top: str) -> list[Path]:
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    places = spec.submodule_search_locations or [spec.origin or ""]
    return [Path(place) for place in places if place]


def _sources(places: Iterable[Path]) -> list[Path]:
    """Return the Python files at places, each of which is a file or a folder."""
    return sorted(
        path
        for place in places
        for path in ([place] if place.is_file() else place.rglob("*.py"))
        if path.suffix == ".py"
    )


def _hash_sources(places: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for place in places:
        for path in _sources([place]):
            digest.update(path.relative_to(place.parent).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _imports(sources: Iterable[Path]) -> set[str]:
    return {name.decode() for path in sources for name in _IMPORT.findall(path.read_bytes())}


def _hash_listing(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        state = path.stat()
        digest.update(f"{path.relative_to(folder)} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _other_python(model: ExternalPython) -> dict[str, Any] | None:
    """Return version and packages of the other Python, and the hash of the source of the model."""
    module = model.model.partition(":")[0]
    inside = model.folder is not None and (model.folder / f"{module}.py").is_file()
    words = [model.python, "-c", _ASK, module.partition(".")[0]]
    try:
        done = subprocess.run(
            words, env=model.environment, capture_output=True, timeout=_PATIENCE, check=True
        )
        said: dict[str, Any] = json.loads(done.stdout)
        places = [Path(place) for place in said.pop("places")]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None
    return said | {"source": "" if inside else _hash_sources(places)}
