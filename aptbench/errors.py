"""The one error tree, and the grammar of its messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AptbenchError(Exception):
    """Base of every error that aptbench raises on purpose.

    A message has four parts: what was wrong, what was got, what was expected, what to do.

    Parameters
    ----------
    what : str
        What was wrong, as one sentence.
    got, expected, do : object, optional
        What was found instead, what should have been there, and what the user can do now.
    """

    def __init__(
        self,
        what: str,
        *,
        got: object = None,
        expected: object = None,
        do: object = None,
    ) -> None:
        self.what, self.got, self.expected, self.do = what, got, expected, do
        parts = [what.rstrip()]
        for label, part in (("Got", got), ("Expected", expected), ("What to do", do)):
            if part is not None:
                parts.append(f"{label}: {part}")
        super().__init__("\n  ".join(parts))


class InputError(AptbenchError, ValueError):
    """An argument, an array or a file does not have the shape or the values it must have."""


class ConventionError(InputError):
    """Index order, sign or origin of a quantity does not follow the conventions."""


class UnitError(InputError):
    """A unit is unknown, or belongs to another quantity."""


class AlignmentError(InputError):
    """Two things that must describe the same frames and atoms do not."""


class UnknownNameError(InputError):
    """A name is not among the known ones; the message proposes the nearest.

    Parameters
    ----------
    kind : str
        What the name names, for example ``"data set"``.
    name : str
        The unknown name.
    known : iterable of str
        All names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        super().__init__(
            f"There is no {kind} named {name!r}.",
            expected=f"one of {', '.join(known)}" if known else f"none is known: no {kind} found",
            do=f"did you mean {near[0]!r}?" if near else None,
        )
        self.name, self.known = name, known


class StoreError(AptbenchError):
    """A data store is missing, damaged, or of an unknown layout."""


class EngineError(AptbenchError):
    """An electronic-structure or sampling engine failed."""


class MissingEngineError(EngineError):
    """An engine is not installed."""


class ConvergenceError(EngineError):
    """A self-consistent field calculation did not converge."""


class MissingExtraError(AptbenchError, ImportError):
    """An optional dependency is not installed.

    Parameters
    ----------
    package, extra : str
        The import name that failed, and the extra of aptbench that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"The optional package {package!r} is not installed.",
            do=f"pip install 'aptbench[{extra}]'",
        )
