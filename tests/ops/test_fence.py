"""The fence is the identity under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np

from neuropytree.ops import fence


def through(x, n):
    y, m = fence(jnp.sin(x), n)
    return y * 2 + m.astype(y.dtype)


def plain(x, n):
    return jnp.sin(x) * 2 + n.astype(x.dtype)


def test_values_derivatives_and_batches():
    x, n = jnp.linspace(0.0, 1.0, 5), jnp.arange(5, dtype=jnp.int32)
    for f in (lambda g: g(x, n), lambda g: jax.jit(g)(x, n)):
        np.testing.assert_allclose(f(through), f(plain), rtol=1e-15)
    for order in (jax.jacfwd, jax.jacrev, lambda f: jax.jacfwd(jax.jacrev(f))):
        np.testing.assert_allclose(order(through)(x, n), order(plain)(x, n), rtol=1e-12, atol=1e-15)
    xs = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(
        jax.jit(jax.vmap(through, (0, None)))(xs, n), jax.vmap(plain, (0, None))(xs, n), rtol=1e-15
    )


def test_operands_of_any_dtype_shape_and_number_stay_as_they_are():
    operands = [
        jnp.ones((2, 3)), jnp.ones((), jnp.float32), jnp.zeros(0), jnp.array([True, False]), jnp.arange(3),
        jnp.ones(2, jnp.bfloat16), jnp.ones(2, jnp.complex64),
    ]  # fmt: skip
    for k in range(len(operands)):
        for got, want in zip(jax.jit(lambda *x: fence(*x))(*operands[: k + 1]), operands, strict=False):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(
                np.asarray(got, np.float64 if got.dtype != jnp.complex64 else None), np.asarray(want)
            )


def test_what_is_fenced_is_not_overwritten_while_it_is_used():
    x = jnp.arange(4.0)

    @jax.jit
    def f(x):
        (y,) = fence(x)
        return x + 1, y * 2, y

    a, b, c = f(x)
    np.testing.assert_array_equal([a, b, c, x], [x + 1, 2 * np.arange(4.0), np.arange(4.0), np.arange(4.0)])
