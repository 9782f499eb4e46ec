"""`Claim`: one process at a time on a piece of work, on any computer that shares the folder."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aptbench.errors import AptbenchError

BEAT = 10.0
"""Seconds after which the owner renews its claim."""

STALE = 180.0
"""Seconds without renewal after which a claim is void; network file systems show a renewal late."""

SETTLE = 1.0
"""Seconds between taking a void claim and trusting that nobody took it at the same time."""


class ClaimLostError(AptbenchError):
    """Another process has taken over what this one was working on."""


@dataclass
class Claim:
    """A file that says who works on something; it is void if its owner is dead or silent.

    Parameters
    ----------
    path : Path
        The file.
    token : str
        Differs between any two claims.
    inherited : bool
        Whether an owner before this one left without a word.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "work.claim"
    >>> with claimed(path) as first, claimed(path) as second:
    ...     first.inherited, second
    (False, None)
    >>> path.exists()
    False
    """

    path: Path
    token: str
    inherited: bool = False
    _renewed: float = field(default_factory=time.monotonic, repr=False)

    @classmethod
    def take(cls, path: Path) -> Claim | None:
        """Return the claim, or None if another living owner has it.

        Notes
        -----
        A file of its own is written and linked to the name, which is atomic, and whose time of
        change is by the clock of the file server, as is that of a claim that is already there.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        token = uuid.uuid4().hex
        own = path.with_name(f"{path.name}.{token}")
        owner = {"host": socket.gethostname(), "process": os.getpid(), "token": token}
        try:
            own.write_text(json.dumps(owner))
            try:
                os.link(own, path)
                return cls(path, token)
            except FileExistsError:
                if not _is_void(path, own.stat().st_mtime):
                    return None
            # The last of several that replace a void claim at the same time has it.
            os.replace(own, path)
            time.sleep(SETTLE)
            return cls(path, token, inherited=True) if _token(path) == token else None
        finally:
            own.unlink(missing_ok=True)

    def renew(self) -> None:
        """Say that the owner is alive; cheap enough to be called every second.

        Raises
        ------
        ClaimLostError
            If the claim has another owner by now, or was removed.
        """
        if time.monotonic() - self._renewed < BEAT:
            return
        self.check()
        os.utime(self.path)
        self._renewed = time.monotonic()

    def check(self) -> None:
        """Raise ClaimLostError unless the claim is still held."""
        if _token(self.path) != self.token:
            raise ClaimLostError(
                f"The claim {self.path} is held no longer.",
                got="another owner, or none",
                do="do not suspend a process that labels, or remove the files of its claims",
            )

    def release(self) -> None:
        """Remove the file, if it is still this claim."""
        if _token(self.path) == self.token:
            self.path.unlink(missing_ok=True)


@contextmanager
def claimed(path: Path) -> Iterator[Claim | None]:
    """Hold a claim; None if another living owner has it."""
    claim = Claim.take(path)
    try:
        yield claim
    finally:
        if claim is not None:
            claim.release()


def _read(path: Path) -> dict[str, object]:
    try:
        owner = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _token(path: Path) -> object:
    return _read(path).get("token")


def _is_void(path: Path, now: float) -> bool:
    owner = _read(path)
    try:
        if now - path.stat().st_mtime > STALE:
            return True
    except FileNotFoundError:
        return False
    process = owner.get("process")
    if owner.get("host") != socket.gethostname() or not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
