"""`Cp2k`: find the program, run it in a folder, and say clearly when it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from aptbench.errors import ConvergenceError, EngineError, MissingEngineError

INSTALL = "sudo apt-get install cp2k libopenblas0-serial"
PROGRAMS = ("cp2k.psmp", "cp2k.popt", "cp2k")


@dataclass(frozen=True)
class Cp2k:
    """The CP2K program (doi:10.1063/5.0007045) as installed on this computer.

    Parameters
    ----------
    ranks : int
        MPI processes a run; one thread each.
    niceness : int
        Scheduling niceness of the runs, so that long work gives way to other work.
    program : str, optional
        Path of the executable; searched on the PATH if None.

    Raises
    ------
    MissingEngineError
        If no executable is found; the message has the command that installs it.
    """

    ranks: int = 1
    niceness: int = 10
    program: str = field(default="")

    def __post_init__(self) -> None:
        found = (
            shutil.which(self.program)
            if self.program
            else next(filter(None, map(shutil.which, PROGRAMS)), None)
        )
        if found is None:
            raise MissingEngineError(
                "The program CP2K is not installed.",
                expected=self.program or f"one of {', '.join(PROGRAMS)} on the PATH",
                do=INSTALL,
            )
        object.__setattr__(self, "program", found)
        if self.ranks > 1 and shutil.which("mpirun") is None:
            raise MissingEngineError(
                f"{self.ranks} ranks were asked for, but there is no 'mpirun' on the PATH.",
                do="ask for one rank, or install OpenMPI: sudo apt-get install openmpi-bin",
            )

    @staticmethod
    def available() -> bool:
        """Return whether an executable is on the PATH."""
        return any(map(shutil.which, PROGRAMS))

    @cached_property
    def version(self) -> str:
        """Version of the program, for example ``"CP2K 2023.1"``."""
        text = subprocess.run(
            [self.program, "--version"], capture_output=True, text=True, env=self._environment()
        ).stdout
        match = re.search(r"CP2K version ([\w.]+)", text)
        return f"CP2K {match.group(1)}" if match else "CP2K of unknown version"

    def run(self, folder: Path, name: str, *, watch: Callable[[], None] | None = None) -> str:
        """Run ``<name>.inp`` in ``folder`` and return the text of ``<name>.out``.

        Parameters
        ----------
        folder : Path
        name : str
            Name of the input without its ending.
        watch : callable, optional
            Called about once a second while the program runs, for a progress bar.

        Raises
        ------
        ConvergenceError
            If a self-consistent field run did not converge.
        EngineError
            If the program stopped for another reason; the message has the end of its output.
        """
        output = folder / f"{name}.out"
        output.unlink(missing_ok=True)
        launch = ["mpirun", "-np", str(self.ranks)] if self.ranks > 1 else []
        command = [*launch, self.program, "-i", f"{name}.inp", "-o", output.name]
        if self.niceness:
            command = ["nice", "-n", str(self.niceness), *command]
        # A program that outlived its killed caller would go on writing where the next one does.
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "TERM", *command]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    console, _ = process.communicate(timeout=1.0)
                    break
                except subprocess.TimeoutExpired:
                    if watch is not None:
                        watch()
        except BaseException:
            _stop(process)
            raise
        text = output.read_text(errors="replace") if output.exists() else ""
        if "SCF run NOT converged" in text:
            raise ConvergenceError(
                f"The self-consistent field of {folder / output.name} did not converge.",
                do="look at the convergence in that file; the frame is recorded as failed",
            )
        if process.returncode != 0 or "PROGRAM ENDED AT" not in text:
            tail = "\n".join((text or console).splitlines()[-15:])
            raise EngineError(
                f"{self.version} stopped in {folder} with status {process.returncode}.",
                got=f"...\n{tail}",
                expected="'PROGRAM ENDED AT' near the end of its output",
            )
        return text

    def _environment(self) -> dict[str, str]:
        # OpenMPI refuses to start as root, as in most containers, unless it is told twice.
        root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        return {"OMP_NUM_THREADS": "1", **root, **os.environ}


def _stop(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, 15)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
