"""That check_op finds what is wrong, and says where."""

import jax
import jax.custom_batching
import jax.numpy as jnp
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from neuropytree.testing import OperatorError, check_op

OPERANDS = [jnp.ones(3), jnp.array([1.0, 2.0, -0.5]), jnp.array([0.3, 0.0, 2.0])]


def dense(acc, a, b):
    return acc + a * b


def with_jvp(rule):
    """The right values, and another derivative."""

    @jax.custom_jvp
    def op(acc, a, b):
        return dense(acc, a, b)

    op.defjvp(lambda primals, tangents: (dense(*primals), rule(primals, tangents)))
    return op


def forward_only(acc, a, b):
    return jax.lax.while_loop(lambda c: c[0] < 1, lambda c: (c[0] + 1, c[1] + a * b), (0, acc))[1]


def test_what_is_right_passes():
    check_op(dense, dense, OPERANDS)
    check_op(lambda a: (a, a.sum()), lambda a: (a, a.sum()), [jnp.ones(2, jnp.float32)], acc=None)
    check_op(lambda x: x.sum(dtype=jnp.int32), lambda x: x.sum(dtype=jnp.int32), [jnp.arange(3) < 1], acc=None)


@pytest.mark.parametrize(
    ("op", "match"),
    [
        (lambda acc, a, b: acc + a + b, r"wrong under 'value': the result has 2.5 at \[2\], expected 0.0, and 3 of 3"),
        (lambda acc, a, b: (acc + a * b).astype(jnp.float32), r"'value': the result is float32\[3\], expected float64"),
        (lambda acc, a, b: (acc + a * b,), "wrong under 'value': result PyTreeDef"),
        (with_jvp(lambda p, t: t[0] + 2 * t[1] * p[2] + p[1] * t[2]), "wrong under 'jvp in operand 1'"),
        (with_jvp(lambda p, t: t[0] + t[1] * jax.lax.stop_gradient(p[2]) + p[1] * t[2]), "wrong under 'jvp of jvp'"),
        (forward_only, "fails under 'vjp': ValueError: Reverse-mode differentiation does not work"),
    ],
)
def test_what_is_wrong_is_found(op, match):
    with pytest.raises(OperatorError, match=match) as caught:
        check_op(op, dense, OPERANDS)
    assert "operands: 0: float64[3], 1: float64[3], 2: float64[3]" in str(caught.value)


def test_what_is_right_for_one_and_wrong_for_a_batch():
    @jax.custom_batching.custom_vmap
    def identity(x):
        return x

    identity.def_vmap(lambda size, batched, x: (x[::-1], True))
    with pytest.raises(OperatorError, match=r"wrong under 'vmap"):
        check_op(lambda acc, a, b: acc + a * identity(b), dense, OPERANDS, differentiable=())


def with_batches(rule):
    """The right operator but for `rule`, which gets size, axes and operands of a batch, each with its axis in front."""
    product = Primitive("product")
    product.def_impl(jax.jit(jnp.multiply))
    product.def_abstract_eval(lambda a, b: a)
    mlir.register_lowering(product, mlir.lower_fun(jnp.multiply, multiple_results=False))
    ad.defbilinear(product, lambda ct, a, b: ct * b, lambda ct, a, b: ct * a)

    def batcher(operands, dims):
        (size,) = {x.shape[d] for x, d in zip(operands, dims, strict=True) if d is not None}
        moved = [
            jnp.broadcast_to(x, (size, *x.shape)) if d is None else jnp.moveaxis(x, d, 0)
            for x, d in zip(operands, dims, strict=True)
        ]
        return rule(size, dims, *moved), 0

    batching.primitive_batchers[product] = batcher
    return product.bind


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (lambda size, dims, a, b: 0 * a if size == 1 else a * b, "wrong under 'vmap of a batch of one over operands"),
        (lambda size, dims, a, b: size // size * a * b, "fails under 'vmap of a batch of none over .*ZeroDivision"),
        (lambda size, dims, a, b: a if sorted(dims, key=str) == [0, 1] else a * b, "wrong under 'vmap over the last"),
    ],
)
def test_batches_that_are_seldom(rule, match):
    product = with_batches(rule)
    with pytest.raises(OperatorError, match=match):
        check_op(lambda acc, a, b: acc + product(a, b), dense, OPERANDS, differentiable=())


def test_tangents_in_a_batch():
    """What `jax.jacfwd` needs, where the forward derivative is an operator of its own."""
    product = with_batches(lambda size, dims, a, b: (a * b)[::-1])
    op = with_jvp(lambda p, t: t[0] + product(t[1], p[2]) + product(t[2], p[1]))
    with pytest.raises(OperatorError, match="wrong under 'vmap of jvp over the tangents'"):
        check_op(op, dense, OPERANDS)


def test_positions_that_are_none():
    with pytest.raises(ValueError, match=r"differentiable has \[3\]; expected positions of floating .* \[0, 1, 2\]"):
        check_op(dense, dense, OPERANDS, differentiable=(0, 3))
    with pytest.raises(ValueError, match="acc is 5; expected the position of one of 3 operands, or None"):
        check_op(dense, dense, OPERANDS, acc=5)
