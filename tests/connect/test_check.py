"""Connectivities that were changed after they were made."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.connect import CSR, AllToAll, Block, FixedProb, JITFixedProb, OneToOne, _csr, check, embedded


def csr():
    return CSR([0, 2, 1], [0, 2, 3], weight=0.5, in_size=2, out_size=3)


def changed(w, **arrays):
    for name, x in arrays.items():
        w = eqx.tree_at(lambda w, name=name: getattr(w, name), w, x)
    return w


def ints(*x):
    return jnp.array(x, jnp.int32)


WRONG = [
    (csr, dict(indices=ints(0, 9, 1)), ValueError, r"indices\[1\] is 9; expected 0 to out_size - 1 = 2"),
    (csr, dict(indices=ints(0, -1, 1)), ValueError, r"indices\[1\] is -1"),
    (csr, dict(indices=ints(2, 0, 1)), ValueError, r"indices\[1\] is 0 after 2 in the same row"),
    (csr, dict(indices=ints(0, 2)), ValueError, "indptr ends at 3, but there are 2 indices"),
    (csr, dict(indices=jnp.array([0.0, 2, 1])), TypeError, "indices is float64; expected int32"),
    (csr, dict(indices=[0, 2, 1]), TypeError, "indices is a list; expected an int32 array"),
    (csr, dict(indptr=ints(0, 3, 2)), ValueError, "indptr falls from 3 to 2 at entry 2"),
    (csr, dict(indptr=ints(0, 2, 2**30)), ValueError, "indptr ends at 1073741824"),
    (csr, dict(indptr=ints(0, 3)), ValueError, "indptr has length 2; expected in_size"),
    (csr, dict(weight=jnp.ones(2)), ValueError, r"weight has shape \(2,\); expected \(\) or \(3,\)"),
    (csr, dict(weight=1), TypeError, "weight is a int; expected a floating array"),
    (lambda: csr().with_csc(), dict(indices=ints(0, 1, 1)), ValueError, "csc has other edges"),
    (lambda: csr().with_csc(), dict(csc=(ints(0, 1, 0), ints(0, 1, 2, 3), ints(0, 2, 9))), ValueError, "csc has other"),
    (
        lambda: Block([1, 0], [0, 1, 2], block=(2, 3), in_size=4, out_size=6),
        dict(indices=ints(2, 0)),
        ValueError,
        r"indices\[0\] is 2; expected 0 to out_size / width - 1 = 1",
    ),
    (
        lambda: Block([1, 0], [0, 1, 2], block=(2, 3), in_size=4, out_size=6),
        dict(weight=jnp.ones((3, 2, 3))),
        ValueError,
        r"weight has shape \(3, 2, 3\); expected \(2, 2, 3\)",
    ),
    (lambda: JITFixedProb(0.5)(2, 3, key=jax.random.key(0)), dict(seed=1.5), TypeError, "seed is 1.5; expected int32"),
    (lambda: AllToAll()(2, 3), dict(weight=ints(1)), TypeError, "weight is int32; it must be floating"),
    (lambda: OneToOne()(2, 2), dict(weight=jnp.array(1)), TypeError, "weight is int64; it must be floating"),
]


@pytest.mark.parametrize(("make", "change", "error", "message"), WRONG)
def test_the_message_is_that_of_the_constructor_with_the_place(make, change, error, message):
    w = make()
    w.check()
    check({"a": [w, 1], "b": None})
    damaged = changed(w, **change)
    with pytest.raises(error, match="^" + message):
        damaged.check()
    with pytest.raises(error, match=r"^a\.1: " + message):
        check({"a": [w, damaged], "b": None})
    with pytest.raises(error, match="^" + message):
        check(damaged)


@pytest.mark.parametrize("call", ["__call__", "transpose", "outer", "with_csc", "transposed", "edges"])
def test_calls_outside_of_transformations_look_first(call):
    w = changed(csr(), indices=ints(0, 2**30, 1))
    x = {"__call__": [jnp.ones(2)], "transpose": [jnp.ones(3)], "outer": [jnp.ones(2), jnp.ones(3)]}.get(call, [])
    with pytest.raises(ValueError, match=r"^indices\[1\] is 1073741824; expected 0 to out_size - 1 = 2"):
        getattr(w, call)(*x)
    if x:  # inside, what is no edge is none
        assert np.isfinite(jax.jit(lambda w: getattr(w, call)(*x))(w)).all()


def test_in_networks_and_slices_the_projection_is_named():
    lif = npt.neurons.LIF(4)
    port = {"exc": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))}
    net = npt.Network(
        populations={"E": npt.Population(lif, port)},
        projections={
            "E->E": npt.Projection("E", "E.exc", FixedProb(0.5)),
            "part": npt.Projection("E[0:2]", "E.exc", Block([0], [0, 1], block=(2, 4), in_size=2, out_size=4)),
        },
        key=jax.random.key(0),
    )
    check(net)
    damaged = eqx.tree_at(lambda n: n.pathways["part"].connect.inner.indices, net, ints(7))
    with pytest.raises(ValueError, match=r"^pathways\.part\.connect: indices\[0\] is 7"):
        check(damaged)
    whole = embedded(csr(), range(2), range(3), 5, 5)
    check(changed(whole, indices=whole.indices))


def test_arrays_are_looked_at_once(monkeypatch):
    seen = []
    look = _csr.csr_check
    monkeypatch.setattr(_csr, "csr_check", lambda *args, **options: (seen.append(1), look(*args, **options)))
    w = csr()
    assert len(seen) == 1
    for _ in range(3):
        w(jnp.ones(2)), check(w), w.transpose(jnp.ones(3))
    assert len(seen) == 1
    other = changed(w, indices=ints(0, 1, 1))
    for _ in range(3):
        other(jnp.ones(2)), check(other)
    assert len(seen) == 2
    wrong = changed(w, indices=ints(0, 5, 1))
    for _ in range(2):  # and what was refused is refused again
        with pytest.raises(ValueError, match="is 5"):
            wrong(jnp.ones(2))
    assert len(seen) == 4
    mutable = np.array([0, 2, 1], np.int32)  # which may change
    w = changed(w, indices=mutable)
    w.check()
    mutable[0] = 77
    with pytest.raises(ValueError, match="is 77"):
        w.check()


def test_each_of_several_with_leading_axes_is_looked_at():
    keys = jax.random.split(jax.random.key(0), 3)
    ws = jax.vmap(lambda key: FixedProb(0.5)(4, 5, key=key))(keys)
    check(ws), check(csr().split_rows(2))
    with pytest.raises(ValueError, match=r"^indices\[1\] is 5; expected 0 to out_size - 1 = 4"):
        check(changed(ws, indices=ws.indices.at[2, 1].set(5)))
    with pytest.raises(ValueError, match="have shapes"):
        check(changed(ws, indices=ws.indices[0]))


def test_raw_operators_refuse_lists_and_shapes():
    one, indptr = ints(0, 2, 1), ints(0, 2, 3)
    with pytest.raises(
        TypeError, match=r"indices is a list; expected an int32 array: jnp.asarray\(indices, jnp.int32\)"
    ):
        npt.ops.csr_matvec(0.5, jnp.ones(2), [0, 2, 1], indptr, acc=jnp.zeros(3))
    with pytest.raises(ValueError, match="x has shape"):
        npt.ops.csr_matvec(0.5, jnp.ones(3), one, indptr, acc=jnp.zeros(3))
    with pytest.raises(ValueError, match=r"weight has shape \(2,\)"):
        npt.ops.csr_add_on_pre(jnp.ones(2), jnp.ones(2), jnp.ones(3), one, indptr)
    with pytest.raises(ValueError, match="csc_order has shape"):
        npt.ops.csr_add_on_post(jnp.ones(3), jnp.ones(2), jnp.ones(3), one, ints(0, 1, 2, 3), one[:2])
    with pytest.raises(ValueError, match="csc has shapes"):
        view = (one, ints(0, 1, 2, 3), one[:2])
        npt.ops.csr_transposed_matvec(0.5, jnp.ones(3), one, indptr, acc=jnp.zeros(2), csc=view)
    with pytest.raises(ValueError, match="one for each entry of indices"):
        npt.ops.bsr_matvec(jnp.ones((2, 2, 3)), jnp.ones(4), one, ints(0, 1, 3), acc=jnp.zeros(6))
