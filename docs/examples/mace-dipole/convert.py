"""From `aptbench export` to the extended xyz file that MACE trains on: frames and dipoles.

python convert.py train.h5 train.xyz
"""

import sys

import h5py
from ase import Atoms
from ase.io import write


def frames(path):
    """Yield the labelled frames of an exported file as ASE atoms, with dipoles in e angstrom."""
    with h5py.File(path) as file:
        for name, system in file.items():
            for frame, dipole in zip(system["label_frame"], system["dipole"], strict=True):
                atoms = Atoms(system["atomic_number"][:], system["positions"][int(frame)])
                atoms.info = {"REF_dipole": dipole, "config_type": name}
                yield atoms


if __name__ == "__main__":
    source, target = sys.argv[1:]
    write(target, list(frames(source)), format="extxyz")
