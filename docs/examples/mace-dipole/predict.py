"""Tensors of the test frames from a MACE dipole network, by automatic differentiation.

python predict.py MODEL test.h5 predictions.npz
"""

import sys

import h5py
import numpy as np
import torch
from ase import Atoms
from mace import data
from mace.tools import AtomicNumberTable, torch_geometric


def tensors(model, numbers, positions):
    """Return dM_pol / dR_disp of one molecule in e, shape (atom, pol, disp)."""
    table = AtomicNumberTable([int(z) for z in model.atomic_numbers])
    configuration = data.config_from_atoms(Atoms(numbers, positions))
    graph = data.AtomicData.from_config(configuration, z_table=table, cutoff=float(model.r_max))
    batch = next(iter(torch_geometric.dataloader.DataLoader([graph], batch_size=1))).to_dict()
    batch["positions"].requires_grad_(True)
    dipole = model(batch, compute_force=False)["dipole"][0]
    rows = [
        torch.autograd.grad(dipole[pol], batch["positions"], retain_graph=True)[0]
        for pol in range(3)
    ]
    return torch.stack(rows, dim=1).detach().numpy()


def main(weights, source, target):
    """Write the predictions of every system as aptbench reads them."""
    torch.set_default_dtype(torch.float64)
    model = torch.load(weights, map_location="cpu", weights_only=False).double().eval()
    arrays = {}
    with h5py.File(source) as file:
        for name, system in file.items():
            numbers, places = system["atomic_number"][:], system["label_frame"][:]
            apt = [tensors(model, numbers, system["positions"][int(k)]) for k in places]
            arrays[f"{name}/apt"] = np.array(apt)
            arrays[f"{name}/frame"] = system["frame_index"][:][places].astype(np.int64)
            arrays[f"{name}/atomic_number"] = numbers.astype(np.int64)
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
