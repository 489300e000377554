"""Connectivities that are built inside transformations: from each key the edges of the call outside."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.connect import CSR, AllToAll, FixedProb, JITFixedProb, OneToOne, embedded
from neuropytree.connect import _fixed_prob as module

KEYS = jax.random.split(jax.random.key(7), 3)
RULES = {
    "some": FixedProb(0.1),
    "others": FixedProb(0.3, include_self=False),
    "all": FixedProb(1.0),
    "none": FixedProb(0.0),
    "every pair": AllToAll(),
    "one to one": OneToOne(),
    "just in time": JITFixedProb(0.1),
}


@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_under_vmap_and_jit_it_is_the_connectivity_of_each_key(rule, drawn):
    weight = npt.init.Normal(1.0, 0.5) if drawn else 0.5
    build = lambda key: RULES[rule](60, 60, weight=weight, key=key)  # noqa: E731
    together = jax.vmap(build)(KEYS)
    npt.connect.check(together)
    x = jax.random.normal(jax.random.key(1), (3, 60))
    got = jax.vmap(lambda w, x: (w(x), w.transpose(x), w.to_dense()))(together, x)
    inside = jax.jit(lambda key, x: (build(key)(x), build(key).transpose(x), build(key).to_dense()))
    for n, key in enumerate(KEYS):
        w = build(key)
        want = w(x[n]), w.transpose(x[n]), w.to_dense()
        for a, b, c in zip(got, want, inside(key, x[n]), strict=True):
            # sums of some dozens of products, in another order
            np.testing.assert_allclose(a[n], b, rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(c, b, rtol=1e-12, atol=1e-12)
    if isinstance(RULES[rule], FixedProb):
        n = build(KEYS[0]).nnz
        np.testing.assert_array_equal(together.indices[0, :n], build(KEYS[0]).indices[:n])
        assert together.nnz == sum(build(key).nnz for key in KEYS)
        assert rule in ("all", "none") or len({build(key).nnz for key in KEYS}) > 1


def test_in_vmap_of_vmap_and_of_grad():
    keys = jax.random.split(jax.random.key(3), (2, 3))
    x = jnp.linspace(0.0, 1.0, 40)

    def value(scale, key):
        w = FixedProb(0.2)(40, 30, weight=npt.init.Uniform(0.0, 1.0), key=key)
        return jnp.sum(jnp.sin(eqx.tree_at(lambda w: w.weight, w, scale * w.weight)(x)))

    together = jax.vmap(jax.vmap(jax.grad(value), (None, 0)), (None, 0))(2.0, keys)
    each = [[jax.grad(value)(2.0, key) for key in row] for row in keys]
    np.testing.assert_allclose(together, each, rtol=1e-11)  # another order of sums


def test_keys_of_words_and_slices_of_populations():
    words = jax.vmap(jax.random.key_data)(KEYS)
    rows, columns = range(1, 61, 2), range(4, 19)

    def whole(key):
        return embedded(FixedProb(0.3)(30, 15, weight=0.5, key=key), rows, columns, 70, 20)

    x = jax.random.normal(jax.random.key(1), (3, 70))
    got = jax.vmap(lambda key, x: whole(key)(x))(words, x)
    for n, key in enumerate(KEYS):
        np.testing.assert_allclose(got[n], whole(key)(x[n]), rtol=1e-12, atol=1e-12)
    dense = lambda key: whole(key).to_dense()  # noqa: E731
    np.testing.assert_array_equal(jax.vmap(dense)(KEYS), [dense(key) for key in KEYS])


def test_traced_index_arrays_make_a_connectivity():
    indices, indptr = jnp.array([0, 2, 1]), jnp.array([0, 2, 3])
    make = lambda i, p: CSR(i, p, weight=0.5, in_size=2, out_size=3)  # noqa: E731
    np.testing.assert_array_equal(jax.jit(make)(indices, indptr).to_dense(), make(indices, indptr).to_dense())
    damaged = jax.jit(lambda i, p: make(i, p)(jnp.ones(2)))(indices.at[0].set(2**30), indptr)
    np.testing.assert_array_equal(damaged, [0.0, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"indptr has shape \(2,\); expected shape \(3,\)"):
        jax.jit(make)(indices, indptr[:2])
    with pytest.raises(TypeError, match="indices is float64; expected integers"):
        jax.jit(make)(indices.astype(float), indptr)


def test_a_key_that_is_known_inside_of_a_program():
    """Its edges are drawn at once, and have as many weights as outside."""
    key, x = KEYS[0], jnp.ones(20)
    w = FixedProb(0.3)(20, 10, weight=npt.init.Uniform(0.0, 1.0), key=key)
    inside = jax.jit(lambda x: FixedProb(0.3)(20, 10, weight=w.weight, key=key)(x))
    np.testing.assert_array_equal(inside(x), w(x))
    assert "callback" not in inside.lower(x).as_text()


def test_what_cannot_be_built_says_why(monkeypatch):
    with pytest.raises(ValueError, match=r"weight has shape \(4,\), but how many edges FixedProb makes"):
        jax.jit(lambda key: FixedProb(0.5)(3, 3, weight=jnp.ones(4), key=key).weight)(KEYS[0])
    monkeypatch.setattr(module, "_room", lambda pairs, p: 3)
    assert FixedProb(0.5)(6, 6, key=KEYS[0]).nnz > 3
    with pytest.raises(Exception, match="more than the 3 that there is room for"):
        jax.block_until_ready(jax.jit(lambda key: FixedProb(0.5)(6, 6, key=key).indices)(KEYS[0]))


def test_room_overflows_in_less_than_one_of_a_trillion():
    """By the law of the number of edges itself, from a few to many."""
    import scipy.stats

    for pairs, p in ((4, 0.5), (100, 0.01), (1000, 0.02), (10**4, 0.5), (10**6, 1e-3), (10**8, 0.02), (10**6, 0.999)):
        assert scipy.stats.binom.sf(module._room(pairs, p), pairs, p) < 1e-12
