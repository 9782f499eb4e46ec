"""A stand-in for the CP2K program: the files of a run, made up, after a wait.

Forces are a formula of the positions and of the field. An oxygen beyond x = 50 angstrom does not
converge; one beyond 100 breaks the program. Beside the program, the file ``log`` gets a line for
each run (folder, name, process, parent), and the file ``seconds`` says how long a run takes.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    if "--version" in sys.argv:
        print(" CP2K version 0.0-stand-in")
        return
    name = Path(sys.argv[sys.argv.index("-i") + 1]).stem
    program = Path(__file__)
    with program.with_name("log").open("a") as log:
        log.write(f"{Path.cwd().name} {name} {os.getpid()} {os.getppid()}\n")
    time.sleep(float(program.with_name("seconds").read_text()))
    atoms = [line.split() for line in Path("start.xyz").read_text().splitlines()[2:]]
    x = float(atoms[0][1])
    if x > 100:
        sys.exit("the stand-in breaks")
    pol, _, sign = name.partition("-")
    field = {"plus": 1e-3, "minus": -1e-3, "": 0.0}[sign]
    rows = []
    for k, (element, *position) in enumerate(atoms, 1):
        force = [
            0.01 * float(r) + (0.5 + 0.1 * float(r) if "xyz"[i] == pol else 0.0) * field
            for i, r in enumerate(position)
        ]
        rows.append(f" {k} 1 {element} " + " ".join(f"{f:.12f}" for f in force))
    scf = (
        "SCF run NOT converged"
        if x > 50
        else " outer SCF iter =    1 RMS gradient =   0.70E-06\n"
        " outer SCF loop converged in   1 iterations or    7 steps"
    )
    table = "\n".join(rows)
    text = f"""{scf}
  Total energy:   -17.0
 Dipole moment [Debye]
    X=   1.0 Y=   {x:.6f} Z=   0.0
 ATOMIC FORCES in [a.u.]

 # Atom   Kind   Element          X              Y              Z
{table}
 SUM OF ATOMIC FORCES
 PROGRAM ENDED AT
"""
    if name == "zero":
        Path("wannier.xyz").write_text(f"1\n\nX {x:.6f} 0.0 0.0\n")
    Path(f"{name}-RESTART.wfn").write_text("no wavefunction: a stand-in")
    Path(f"{name}.out").write_text(text)


def install(folder: Path) -> Path:
    """Write the program into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "cp2k.psmp"
    program.write_text(f"#!{sys.executable} -SE\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    take(program, 0.0)
    return program


def take(program: Path, seconds: float) -> None:
    """Set how long a run takes."""
    program.with_name("seconds").write_text(f"{seconds}")


def runs(program: Path) -> list[tuple[int, str, int, int]]:
    """Return frame, name, process and parent of every run that was started."""
    log = program.with_name("log")
    rows = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return [(int(r[0].removeprefix("frame-")), r[1], int(r[2]), int(r[3])) for r in rows]


def alive(process: int) -> bool:
    """Return whether a process runs."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while it is read
        return False


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


if __name__ == "__main__":
    main()
