"""Which implementation a connectivity calls."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.connect import AllToAll, Diagonal, FixedProb, JITFixedProb, embedded, from_bsr, with_impl

KEY = jax.random.key(0)
ALL = {
    "csr": lambda: FixedProb(0.5)(6, 6, weight=npt.init.Uniform(0.0, 1.0), key=KEY),
    "csc": lambda: FixedProb(0.5)(6, 6, key=KEY).with_csc(),
    "transposed": lambda: with_impl(FixedProb(0.5)(6, 6, key=KEY), "reference").transposed(),
    "block": lambda: from_bsr(scipy.sparse.bsr_array(np.eye(6), blocksize=(2, 3))),
    "dense": lambda: AllToAll()(6, 6, weight=npt.init.Uniform(0.0, 1.0), key=KEY),
    "jit": lambda: JITFixedProb(0.5)(6, 6, key=KEY),
    "slice": lambda: embedded(AllToAll()(3, 6, weight=npt.init.Constant(2.0)), range(0, 6, 2), range(6), 6, 6),
    "sparse slice": lambda: embedded(
        with_impl(FixedProb(0.5)(3, 6, key=KEY), "reference"), range(0, 6, 2), range(6), 6, 6
    ),
}


def text(w):
    calls = lambda w, x: (w(x), w.transpose(x), w.outer(x, x))  # noqa: E731
    return jax.jit(calls).lower(w, jnp.ones(6)).as_text()


@pytest.mark.parametrize("name", ALL)
def test_calls_are_those_of_the_implementation(name):
    """Whether there are native calls in the program."""
    if npt.ops.implementation() == "reference":
        pytest.skip("no kernels here")
    w = ALL[name]()
    assert with_impl(w, "reference").impl == "reference" and "ffi" not in text(with_impl(w, "reference"))
    assert with_impl(w, "taichi").impl == "taichi" and "npt_" in text(with_impl(w, "taichi"))
    assert (w.impl == "reference") == (name in ("transposed", "sparse slice"))
    with_kernel = jax.jit(lambda w, x: w(x, impl="taichi")).lower(with_impl(w, "reference"), jnp.ones(6)).as_text()
    assert "npt_" in with_kernel
    jax.tree.map(np.testing.assert_array_equal, with_impl(w, w.impl), w)


def test_of_all_of_a_model_and_only_of_connectivities():
    w = ALL["csr"]()
    model = {"a": (w, jnp.ones(3)), "b": [ALL["slice"](), Diagonal(1.0, size=3)], "name": "x"}
    other = with_impl(model, "reference")
    assert other["a"][0].impl == other["b"][0].inner.impl == other["b"][1].impl == "reference" and w.impl == "auto"
    assert other["name"] == "x" and other["a"][1] is model["a"][1] and other["a"][0].indices is w.indices
    parts = with_impl(w, "reference").split_rows(2)
    assert parts.impl == "reference"
    with pytest.raises(ValueError, match="impl is 'fast'; expected 'auto', 'taichi' or 'reference'"):
        with_impl(w, "fast")


def test_of_a_network():
    from ..helpers import coba

    net = coba(32, 8, impl="reference")
    assert {p.connect.impl for p in net.pathways.values()} == {"reference"}
    assert eqx.tree_equal(with_impl(net, "auto"), coba(32, 8))
