"""`versions`: the programs and packages that numbers were made with."""

from __future__ import annotations

import platform
from importlib import metadata

import aptbench


def versions() -> dict[str, str]:
    """Return the versions of aptbench, Python and the packages that numbers depend on."""
    own = {"aptbench": aptbench.__version__, "python": platform.python_version()}
    return own | package_versions("numpy", "scipy", "torch", "e3nn")


def package_versions(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed.

    >>> package_versions("no-such-package")
    {}
    """
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
