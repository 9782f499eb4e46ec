"""`ExternalPython`: a model that runs in another Python environment than ours."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aptbench.errors import EngineError, InputError
from aptbench.frames import Frames
from aptbench.models.adapters import worker
from aptbench.models.adapters.named_object import with_folder
from aptbench.models.protocol import Array

TAIL = 12
"""Lines of the standard error of the other Python that a message quotes."""


class ExternalPython:
    """Run a model in its own interpreter, because its packages cannot be installed beside ours.

    The other environment needs numpy, the packages of the model and Python 3.8 or later; aptbench
    need not be there. One process is started with the first prediction, keeps the model loaded,
    and ends with this object.

    Parameters
    ----------
    python : str or Path
        The interpreter, for example ``/envs/mace/bin/python``; ``~`` and environment variables
        are expanded, a bare name is searched on the path, ``{folder}`` is the model folder.
    model : str
        ``module:Class``, imported there: a ``module.py`` of the model folder, or an installed
        module. Its ``predict(frames)`` is given `aptbench.Frames` where aptbench is installed, and
        an object with the same attributes elsewhere, and returns (frame, atom, pol, disp) in e.
        ``dipole`` and ``predict_std`` are passed on if it has them.
    arguments : mapping, optional
        Keyword arguments of the class, plain values; ``{folder}`` is the path of the model folder.
    environment : mapping of str to str, optional
        Added to the environment variables.
    timeout : float
        Longest time in s for one call, start and import included.

    Raises
    ------
    InputError
        If there is no such interpreter.
    EngineError
        At a prediction, if the other Python fails: with its error and the end of what it printed.

    Examples
    --------
    >>> import sys
    >>> with ExternalPython(sys.executable, "aptbench.models.point_charges:PointCharges") as model:
    ...     frames = Frames([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    ...     model.predict(frames)[0, :, 0, 0].round(2)
    array([-0.82,  0.41,  0.41])
    """

    def __init__(
        self,
        python: str | Path,
        model: str,
        *,
        arguments: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        folder: Path | None = None,
    ) -> None:
        self.name = "external-python"
        text = os.path.expandvars(with_folder(str(python), folder))
        found = shutil.which(os.path.expanduser(text))
        if found is None:
            raise InputError(
                "There is no Python at this path.",
                got=text,
                expected="an interpreter, such as /envs/mace/bin/python",
            )
        if timeout <= 0:
            raise InputError("The 'timeout' of ExternalPython must be positive.", got=timeout)
        # the path of a link: resolving it would leave the virtual environment
        self.python, self.model, self.timeout = found, model, float(timeout)
        self.folder = folder
        self.arguments = with_folder(dict(arguments or {}), folder)
        self.environment = {**os.environ, **(environment or {})}
        self._worker: _Worker | None = None

    @classmethod
    def from_folder(cls, folder: Path, **parameters: Any) -> ExternalPython:
        """Make the model of a folder, whose modules the other Python can import."""
        return cls(**parameters, folder=folder)

    def __enter__(self) -> ExternalPython:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def predict(self, frames: Frames) -> Array:
        """Return tensors in e, shape (frame, atom, pol, disp)."""
        return self._call("predict", frames)

    def __getattr__(self, name: str) -> Any:
        # only what the model there has; asking starts it
        if name in ("dipole", "predict_std") and name in self._started().calls:
            return lambda frames: self._call(name, frames)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def close(self) -> None:
        """End the other process; the next prediction starts a new one."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _started(self) -> _Worker:
        if self._worker is None:
            self._worker = _Worker(self)
        return self._worker

    def _call(self, call: str, frames: Frames) -> Array:
        process = self._started()
        path, out = process.scratch / "frames.npz", process.scratch / "result.npz"
        worker.write_frames(frames, path)
        try:
            process.ask({"call": call, "frames": str(path), "out": str(out)})
        except _DeadWorkerError:
            self._worker = None
            raise
        with np.load(out, allow_pickle=False) as content:
            result: Array = content["result"]
        return result


class _DeadWorkerError(EngineError):
    """The other process has ended or was ended."""


class _Worker:
    """The other process, and the model that it has made."""

    def __init__(self, owner: ExternalPython) -> None:
        self.title, self.timeout = f"{owner.model!r} in {owner.python}", owner.timeout
        self.scratch = Path(tempfile.mkdtemp(prefix="aptbench-"))
        self._log = self.scratch / "stderr.txt"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [owner.python, worker.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=owner.environment,
            )
        self._end = weakref.finalize(self, _end, self._process, self.scratch)
        folder = None if owner.folder is None else str(owner.folder)
        first = {"class": owner.model, "arguments": owner.arguments, "folder": folder}
        try:
            reply = self.ask(first)
        except EngineError:
            self.close()
            raise
        if reply.get("protocol") != worker.PROTOCOL:
            self.close()
            raise EngineError("The other Python speaks another protocol.", got=reply)
        self.calls: list[str] = reply["calls"]

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request and return the reply; an error there is an error here."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            line = self._line()
        except BrokenPipeError:
            line = b""
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            code, tail = self._process.poll(), self._tail()
            self.close()
            raise _DeadWorkerError(
                f"The model {self.title} ended without an answer.",
                got=f"exit code {code}; its last words:\n{tail}",
                do="run its Python by hand and import the model there",
            )
        reply: dict[str, Any] = json.loads(line)
        if not reply["ok"]:
            trace = "\n".join(reply["traceback"].rstrip().splitlines()[-TAIL:])
            raise EngineError(
                f"The model {self.title} failed.", got=f"{reply['error']}\n{trace}\n{self._tail()}"
            )
        return reply

    def close(self) -> None:
        """End the process and remove its files, once."""
        self._end()

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(self.timeout):
                tail = self._tail()
                self.close()
                raise _DeadWorkerError(
                    f"The model {self.title} did not answer in {self.timeout:g} s; it was ended.",
                    got=f"its last words:\n{tail}",
                    do="give ExternalPython a longer 'timeout', or fewer frames at a time",
                )
        return self._process.stdout.readline()

    def _tail(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-TAIL:])


def _end(process: subprocess.Popen[bytes], scratch: Path) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(scratch, ignore_errors=True)
