"""Networks and checks that several tests share."""

import contextlib

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np

import neuropytree as npt


def coba(
    n_exc: int = 320,
    n_inh: int = 80,
    *,
    impl: str = "auto",
    seed: int = 0,
    weight_exc=0.6,
    weight_inh=6.7,
    p: float | None = None,
    delay: float | None = None,
    **cell,
) -> npt.Network:
    """The E/I network of the README at any size; in-degree 80 unless `p` is given."""

    def lif(n: int):
        options = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0, "t_ref": 5.0}
        return npt.neurons.LIF(n, **(options | {"v_init": npt.init.Normal(-55.0, 2.0)} | cell))

    receptors = {
        "exc": npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0)),
        "inh": npt.Receptor(npt.synapses.Exponential(tau=10.0), npt.synapses.COBA(e_rev=-80.0)),
    }
    rule = npt.connect.FixedProb(min(1.0, 80 / (n_exc + n_inh)) if p is None else p)
    net = npt.Network(
        populations={"E": npt.Population(lif(n_exc), receptors), "I": npt.Population(lif(n_inh), receptors)},
        projections={
            "E->E": npt.Projection("E", "E.exc", rule, weight=weight_exc, delay=delay),
            "E->I": npt.Projection("E", "I.exc", rule, weight=weight_exc, delay=delay),
            "I->E": npt.Projection("I", "E.inh", rule, weight=weight_inh, delay=delay),
            "I->I": npt.Projection("I", "I.inh", rule, weight=weight_inh, delay=delay),
        },
        key=jax.random.key(seed),
    )
    return with_impl(net, impl)


def with_impl(net: npt.Network, impl: str) -> npt.Network:
    """The network with its operators in one implementation."""
    return npt.connect.with_impl(net, impl)


@contextlib.contextmanager
def count_compilations():
    """A list that grows by one for each program that XLA compiles, however small."""
    seen: list[str] = []

    def listen(event: str, duration: float, **_) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def quick_jit(function):
    """`jax.jit` for programs that are large and run for a moment only: hardly optimised."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


DRIVE = {"E": 20.0, "I": 20.0}


def assert_same_bits(a, b) -> None:
    """Equal in structure, dtype, and every bit."""
    leaves, structure = jax.tree.flatten(a)
    others, other = jax.tree.flatten(b)
    assert structure == other
    for x, y in zip(leaves, others, strict=True):
        x, y = np.asarray(x), np.asarray(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


def random_csr(rng: np.random.Generator, n_in: int, n_out: int, nnz: int, room: int = 0):
    """CSR arrays with empty rows and duplicate edges, and room behind the edges."""
    if n_in == 0 or n_out == 0:
        nnz = 0
    rows = np.sort(rng.choice(rng.choice(n_in, max(1, n_in // 2)), nnz)) if nnz else np.zeros(0, int)
    cols = rng.integers(0, n_out, nnz) if nnz else np.zeros(0, int)
    order = np.lexsort((cols, rows))
    indices = np.concatenate([cols[order], np.zeros(room, int)]).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_in))]).astype(np.int32)
    return indices, indptr


class DenseForm:
    """The products of a matrix that is given by its entries, in any format, through the dense matrix.

    The oracle of the operators, as `check_op` takes it: functions of (acc, a, b), of vectors or of matrices.
    """

    def __init__(self, rows, cols, n_in: int, n_out: int, there=None):
        """Entries of which `there` is false are room: no edges, whatever their row, column and weight."""
        self.there = np.ones(np.shape(rows), bool) if there is None else there
        self.rows, self.cols = (np.where(self.there, ends, 0) for ends in (rows, cols))
        self.shape = n_in, n_out

    def spread(self, w):
        """The matrix; entries between the same neurons add up."""
        w = jnp.where(self.there, jnp.broadcast_to(w, self.there.shape), jnp.zeros((), w.dtype))
        return jnp.zeros(self.shape, w.dtype).at[self.rows, self.cols].add(w)

    def gather(self, m):
        """The elements of a matrix at the entries, 0 in the room: the transpose of `spread`."""
        return jnp.where(self.there, m[self.rows, self.cols] if m.size else 0, jnp.zeros((), m.dtype))

    def matvec(self, acc, w, x):
        return acc + self.spread(w).T @ x.astype(acc.dtype)

    def transposed(self, acc, w, y):
        return acc + self.spread(w) @ y.astype(acc.dtype)

    def outer(self, acc, p, q):
        p, q = (x.astype(acc.dtype) if x.ndim == 2 else x.astype(acc.dtype)[:, None] for x in (p, q))
        return acc + self.gather(p @ q.T).astype(acc.dtype)

    def of(self, operation: str):
        """The form of an operator by its name, such as "transposed_matmat"."""
        return self.outer if "outer" in operation else self.transposed if "transposed" in operation else self.matvec
