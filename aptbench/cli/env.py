"""`aptbench env`: the versions of what a result depends on."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from importlib import metadata
from typing import Annotated

import typer

import aptbench
from aptbench.cli.panels import OTHER

PACKAGES = ("numpy", "scipy", "zarr", "xarray", "h5py", "vesin", "torch", "e3nn", "dvc", "ase")


def environment() -> dict[str, str | None]:
    """Return the version of every program and package of interest, None where it is absent."""
    versions: dict[str, str | None] = {
        "aptbench": aptbench.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    versions["cp2k"] = _cp2k_version()
    return versions


def _cp2k_version() -> str | None:
    for name in ("cp2k", "cp2k.psmp", "cp2k.popt", "cp2k.ssmp", "cp2k.sopt"):
        program = shutil.which(name)
        if program is None:
            continue
        try:
            answer = subprocess.run(
                [program, "--version"], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return "present, but it does not answer"
        first = answer.stdout.strip().splitlines()[:1]
        return first[0].removeprefix("CP2K version").strip() if first else "unknown version"
    return None


def register(app: typer.Typer) -> None:
    """Add the command `env`."""

    @app.command(rich_help_panel=OTHER)
    def env(
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show the versions of aptbench and of what it runs on."""
        versions = environment()
        if as_json:
            typer.echo(json.dumps(versions, indent=2))
            return
        width = max(map(len, versions))
        for name, version in versions.items():
            typer.echo(f"{name:<{width}}  {version or 'not installed'}")
