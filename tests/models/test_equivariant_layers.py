"""The layers against e3nn, and the tensor basis against rotations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import io, o3

from aptbench import LabelledFrames
from aptbench.models.coupling import Coupling, Irreps, offsets, spherical
from aptbench.models.equivariant_layers import Convolution, NodeProduct
from aptbench.models.equivariant_network import FEATURES
from aptbench.models.graph import AtomGraph, GraphSettings
from aptbench.models.tensor_basis import SLICES, change_of_basis, to_cartesian, to_irreps


def e3nn_irreps(irreps: Irreps, multiplicity: int) -> o3.Irreps:
    return o3.Irreps([(multiplicity, irrep) for irrep in irreps])


def to_e3nn(features: torch.Tensor, irreps: Irreps) -> torch.Tensor:
    """(row, component, channel) as e3nn lays it out: irrep by irrep, channel before component."""
    at = offsets(irreps)
    parts = [features[:, at[k] : at[k + 1]].transpose(1, 2).flatten(1) for k in range(len(irreps))]
    return torch.cat(parts, 1)


def random_rotation(seed: int, determinant: int) -> np.ndarray:
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return matrix * determinant * np.sign(np.linalg.det(matrix))


def test_basis_is_that_of_e3nn() -> None:
    theirs = io.CartesianTensor("ij")
    assert str(o3.Irreps(theirs)) == "1x0e+1x1e+1x2e"
    basis = theirs.reduced_tensor_products().change_of_basis.numpy()
    np.testing.assert_allclose(change_of_basis(), basis, atol=1e-6)


def test_basis_round_trip_and_parts() -> None:
    apt = np.random.default_rng(0).normal(size=(5, 3, 3))
    components = to_irreps(apt)
    np.testing.assert_allclose(to_cartesian(components), apt, atol=1e-14)
    symmetric = (apt + apt.swapaxes(1, 2)) / 2
    isotropic = np.trace(apt, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    for degree, part in {
        0: isotropic,
        1: apt - symmetric,
        2: symmetric - isotropic,
    }.items():
        only = np.zeros_like(components)
        only[:, SLICES[degree]] = components[:, SLICES[degree]]
        np.testing.assert_allclose(to_cartesian(only), part, atol=1e-14)


@pytest.mark.parametrize("determinant", [1, -1])
def test_components_rotate_with_wigner_matrices(determinant: int) -> None:
    rotation = random_rotation(3, determinant)
    apt = np.random.default_rng(1).normal(size=(3, 3))
    wigner = o3.Irreps("0e+1e+2e").D_from_matrix(torch.tensor(rotation)).numpy()
    turned = to_irreps(rotation @ apt @ rotation.T)
    np.testing.assert_allclose(wigner @ to_irreps(apt), turned, atol=3e-6)  # D is float32 inside


def test_node_product_equals_e3nn() -> None:
    channels, rows = 3, 7
    first, second = spherical(3), FEATURES
    product = NodeProduct(first, second, FEATURES, channels, 1)
    paths = product.coupling.paths
    theirs = o3.TensorProduct(
        e3nn_irreps(first, channels),
        e3nn_irreps(second, channels),
        o3.Irreps([(channels, FEATURES[p.result]) for p in paths]),
        [(p.first, p.second, k, "uuu", False) for k, p in enumerate(paths)],
        irrep_normalization="component",
        path_normalization="none",
    )
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(rows, 16, channels, generator=generator)
    b = torch.randn(rows, offsets(FEATURES)[-1], channels, generator=generator)
    ours = product.couple(a, b)
    path_irreps = tuple(FEATURES[p.result] for p in paths)
    expected = theirs(to_e3nn(a, first), to_e3nn(b, second))
    torch.testing.assert_close(to_e3nn(ours, path_irreps), expected, atol=1e-5, rtol=1e-5)


def test_convolution_equals_e3nn(synthetic_labels: LabelledFrames) -> None:
    """Sum over edges of e3nn's TensorProduct with one weight matrix for each edge and path."""
    channels = 3
    settings = GraphSettings(cutoff=4.0, message_cutoff=3.0, radial=4, message_radial=3, degree=2)
    graph = AtomGraph.build(synthetic_labels.frames[0], (1, 8), settings)
    torch.manual_seed(0)
    layer = Convolution(FEATURES, FEATURES, channels, settings.message_radial, 2)
    paths = layer.coupling.paths
    n_atoms, n_slots = graph.neighbor.shape
    features = torch.randn(n_atoms, offsets(FEATURES)[-1], channels)

    theirs = o3.TensorProduct(
        e3nn_irreps(spherical(2), 1),
        e3nn_irreps(FEATURES, channels),
        o3.Irreps([(channels, FEATURES[p.result]) for p in paths]),
        [(p.first, p.second, k, "uvw", True) for k, p in enumerate(paths)],
        irrep_normalization="component",
        path_normalization="none",
        shared_weights=False,
        internal_weights=False,
    )
    # the l = 0 harmonic is 1: its slots hold the radial functions, which give the harmonics back
    edge = graph.edge.reshape(n_atoms, settings.message_radial, 9, n_slots)
    radial = edge[:, :, 0]
    largest = radial.abs().argmax(1, keepdim=True)
    scale = radial.gather(1, largest)
    harmonics = edge.gather(1, largest[:, :, None].expand(-1, 1, 9, -1))[:, 0] / torch.where(
        scale == 0, 1.0, scale
    )
    weights = layer.radial_weights.detach().reshape(3, len(FEATURES), 3, channels, channels)
    per_edge = torch.einsum("ins,abncd->isabcd", radial, weights)
    per_path = torch.stack([per_edge[:, :, p.first, p.second] for p in paths], 2)
    messages = theirs(
        harmonics.transpose(1, 2).flatten(0, 1),
        to_e3nn(features, FEATURES)[graph.neighbor.flatten()],
        per_path.flatten(0, 1).flatten(1),
    )
    expected = messages.reshape(n_atoms, n_slots, -1).sum(1).detach()
    ours = layer.couple(features, graph).detach()
    path_irreps = tuple(FEATURES[p.result] for p in paths)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(to_e3nn(ours, path_irreps), expected, atol=1e-4, rtol=1e-4)


def test_paths_obey_the_triangle_and_parity() -> None:
    coupling = Coupling(((1, -1), (2, 1)), ((1, -1),), ((0, 1), (1, 1), (1, -1), (2, -1)))
    found = {(p.first, p.second, p.result) for p in coupling.paths}
    assert found == {(0, 0, 0), (0, 0, 1), (1, 0, 2), (1, 0, 3)}
    assert len(coupling.matrix) == 1 + 3 + 3 + 5
