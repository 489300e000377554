"""The operators of the dense, block, COO and JIT families under every transformation, by `check_op`."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.testing import check_op

from ..helpers import DenseForm

OPERATIONS = ["matvec", "transposed_matvec", "outer", "matmat", "transposed_matmat", "outer_matmat"]
N_IN, N_OUT, COLUMNS = 6, 4, 2
JIT = {"p": 0.4, "include_self": False}

# Of two by two blocks of 3 by 2 one is missing, one there twice, and a fifth entry is room; and the same as a list of
# 30 edges, rows not ascending, some of them room: there is no such row, or no such column.
BLOCK_ROWS, BLOCK_COLS = np.array([0, 1, 1, 1, 9]), np.array([1, 1, 0, 1, 9])
BLOCKS = jnp.asarray(BLOCK_COLS, jnp.int32), jnp.asarray([0, 1, 4], jnp.int32)
ROWS = np.broadcast_to(3 * BLOCK_ROWS[:, None, None] + np.arange(3)[:, None], (5, 3, 2)).reshape(-1)
COLS = np.broadcast_to(2 * BLOCK_COLS[:, None, None] + np.arange(2), (5, 3, 2)).reshape(-1)
ROOM = ROWS >= N_IN
EDGES = tuple(jnp.asarray(np.where(np.arange(30) == 27, -1, ends), jnp.int32) for ends in (ROWS, COLS))


FORMS = {"dense": DenseForm(*np.indices((N_IN, N_OUT)), N_IN, N_OUT), "list": DenseForm(ROWS, COLS, N_IN, N_OUT, ~ROOM)}


class Drawn(DenseForm):
    """With the matrices that the weights multiply: here it is checked what becomes of them, elsewhere how they are."""

    def __init__(self, law):
        self.weights = [jnp.ones(())] if law == "constant" else jnp.eye(2)
        self.basis = [npt.ops.jit_dense(w, 5, (N_IN, N_OUT), law=law, **JIT) for w in self.weights]

    def spread(self, w):
        return sum((x * m for x, m in zip(w.reshape(-1), self.basis, strict=True)), jnp.zeros((N_IN, N_OUT)))

    def gather(self, m):
        return jnp.stack([jnp.sum(m * b) for b in self.basis]).reshape(self.weights[0].shape)


@functools.cache  # `check_op` compiles each function once
def form_of(family):
    return Drawn(family[4:]) if family.startswith("jit") else FORMS["dense" if family == "dense" else "list"]


def operator(family, operation, impl):
    """The operator of (acc, a, b), and the shape of its weights."""
    prefix = "coo" if family == "shared" else family[:3] if family.startswith("jit") else family
    function = functools.partial(getattr(npt.ops, f"{prefix}_{operation}"), impl=impl)
    if family == "dense":
        return lambda acc, a, b: function(a, b, acc=acc), (N_IN, N_OUT)
    if prefix == "coo":
        return lambda acc, a, b: function(a, b, *EDGES, acc=acc), () if family == "shared" else (30,)
    if prefix == "jit":
        law = family[4:]
        return lambda acc, a, b: function(a, b, 5, acc=acc, law=law, **JIT), () if law == "constant" else (2,)
    if "outer" in operation:
        return lambda acc, a, b: function(a, b, *BLOCKS, acc=acc.reshape(5, 3, 2)).reshape(30), (30,)
    return lambda acc, a, b: function(a.reshape(5, 3, 2), b, *BLOCKS, acc=acc), (30,)


def check(family, operation, impl, *, boolean=False, acc=True):
    rng = np.random.default_rng(OPERATIONS.index(operation))
    columns = (COLUMNS,) if "matmat" in operation else ()

    def events(n, boolean=False):
        x = (rng.normal(size=(COLUMNS, n)) * (np.arange(n) % 3 != 1)).T
        return (x > 0 if boolean else x).reshape(n, COLUMNS)[:, : COLUMNS if columns else 1].reshape(n, *columns)

    op, weights = operator(family, operation, impl)
    if "outer" in operation:
        operands = rng.normal(size=weights), events(N_IN, boolean), events(N_OUT)
    else:
        a, b = (N_IN, N_OUT) if "transposed" in operation else (N_OUT, N_IN)
        operands = rng.normal(size=(a, *columns)), rng.normal(size=weights), events(b, boolean)
    form = form_of(family).of(operation)
    if acc:
        return check_op(op, form, operands)
    zero = jnp.zeros_like(operands[0])
    return check_op(functools.partial(op, zero), functools.partial(form, zero), operands[1:], acc=None)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("family", ["dense", "bsr", "coo", "jit uniform"])
def test_every_transformation(family, operation):
    check(family, operation, "auto" if npt.ops.implementation() == "reference" else "taichi")


@pytest.mark.parametrize("operation", OPERATIONS[:3])
@pytest.mark.parametrize("family", ["dense", "bsr", "coo"])
def test_every_transformation_of_the_reference(family, operation):
    """Which has the same rules; so not with matrices, which are batches."""
    check(family, operation, "reference")


def test_every_transformation_of_random_numbers_in_the_reference():
    """Every call is a loop over random numbers, which takes long to compile: one operator, and fewer operands."""
    check("jit constant", "matvec", "reference", acc=False)


@pytest.mark.parametrize(
    ("family", "operation"),
    [
        ("dense", "outer"),
        ("bsr", "matvec"),
        ("coo", "transposed_matvec"),
        ("shared", "matvec"),
        ("jit normal", "matvec"),
    ],
)
def test_every_transformation_with_boolean_events(family, operation):
    check(family, operation, "auto", boolean=True)


@pytest.mark.parametrize(("family", "operation"), [("shared", "transposed_matvec"), ("jit constant", "outer")])
def test_every_transformation_of_a_weight_of_all_edges(family, operation):
    check(family, operation, "auto")
