"""`reference_blocks`: the generated parts of ``docs/reference.md``, from code and registries."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict, is_dataclass
from typing import Any, Final, get_args

from aptbench.board.generated import markdown_table

PACKAGES: Final = (
    "aptbench",
    "aptbench.metrics",
    "aptbench.spectra",
    "aptbench.data",
    "aptbench.tasks",
    "aptbench.models",
    "aptbench.evaluate",
    "aptbench.testing",
)
"""Where public names are imported from."""


def reference_blocks(make_app: Callable[[], Any]) -> dict[str, str]:
    """Return the blocks ``commands``, ``recipe``, ``metrics``, ``spectral-metrics``, and others.

    The others are ``tasks`` and ``names``; ``recipe`` is that of `docs/labelling.md`.

    Parameters
    ----------
    make_app : callable
        Makes the command line, a typer application.
    """
    return {
        "commands": _commands(make_app),
        "recipe": _recipe(),
        "metrics": _metrics(),
        "spectral-metrics": _spectral_metrics(),
        "tasks": _tasks(),
        "names": _names(),
    }


def _commands(make_app: Callable[[], Any]) -> str:
    from typer.main import get_command

    def all_of(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        for word, inner in sorted(getattr(command, "commands", {}).items()):
            if getattr(inner, "commands", None):
                yield from all_of(inner, f"{name} {word}")
            else:
                yield f"{name} {word}", inner

    rows = []
    for name, command in all_of(get_command(make_app()), "aptbench"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        words = " ".join([name, *(_argument(p) for p in arguments)])
        flags = " ".join(f"`{max(p.opts, key=len)}`" for p in options if "--help" not in p.opts)
        rows.append((f"`{words}`", _first_line(command.help or ""), flags))
    return markdown_table(["command", "", "options"], rows, numbers=False)


def _argument(parameter: Any) -> str:
    name = str(parameter.name).upper()
    name = f"{name} ..." if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def _recipe() -> str:
    """Return the keys of a recipe; those of a section have its name before them."""
    from pydantic import BaseModel

    from aptbench.reference.recipe import Recipe

    def rows_of(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str, str]]:
        for name, field in model.model_fields.items():
            inner = next((t for t in _types(field.annotation) if _is_model(t)), None)
            settings = is_dataclass(field.default)
            plain = field.default not in (None, {}) and not settings
            default = "needed" if field.is_required() else f"`{field.default}`" if plain else ""
            yield f"`{before}{name}`", (field.description or "").replace("|", "\\|"), default
            if inner is not None:
                yield from rows_of(inner, f"{before}{name}.")
            if settings:
                for key, value in asdict(field.default).items():
                    yield f"`{before}{name}.{key}`", "", f"`{value}`"

    return markdown_table(["key", "", "default"], rows_of(Recipe), numbers=False)


def _types(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def _is_model(annotation: Any) -> bool:
    from pydantic import BaseModel

    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _metrics() -> str:
    from aptbench.metrics import METRICS, UNCERTAINTY_METRICS, get_metric

    rows = [
        (
            f"`{name}`",
            entry.title,
            "" if (unit := get_metric(name).unit) == "1" else unit,
            ", ".join(["element"] * entry.species + ["irrep L"] * entry.irreps),
            entry.version,
        )
        for name, entry in METRICS.items()
    ]
    rows += [(f"`{name}`", m.title, "", "", 1) for name, m in UNCERTAINTY_METRICS.items()]
    head = ["metric", "", "unit", "in brackets", "version"]
    return markdown_table(head, rows, numbers=False)


def _spectral_metrics() -> str:
    from aptbench.spectra.spectral_metrics import SPECTRAL_METRICS

    rows = [
        (f"`{name}`", m.meaning, "" if m.unit == "1" else m.unit, "yes" if m.ranked else "no")
        for name, m in SPECTRAL_METRICS.items()
    ]
    return markdown_table(["metric", "", "unit", "models are ordered by it"], rows, numbers=False)


def _tasks() -> str:
    from aptbench.tasks import available_tasks, load_task

    rows = []
    for name in available_tasks():
        task = load_task(name)
        sizes = (sum(one.n_labels for one in task.parts[p]) for p in ("train", "validation"))
        alone = "independent frames" if getattr(task.split, "independent", False) else ""
        axis = getattr(task.split, "axis", alone or "within one trajectory")
        rows.append((f"`{task.identity}`", axis, ", ".join(task.systems), *sizes, task.n_test))
    head = ["task", "from training to test", "systems of the test", "train", "validation", "test"]
    return markdown_table(head, rows, numbers=False)


def _names() -> str:
    parts = []
    for package in PACKAGES:
        module = importlib.import_module(package)
        rows = [
            (f"`{name}`", _first_line(inspect.getdoc(value) or ""))
            for name in sorted(module.__all__, key=str.lower)
            if callable(value := getattr(module, name))
        ]
        parts.append(f"### {package}\n\n{markdown_table(['name', ''], rows, numbers=False)}")
    return "\n\n".join(parts)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].replace("|", "\\|")
