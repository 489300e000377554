"""How many events there are, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

count = npt.ops.count_events


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float64])
def test_events_of_any_kind_number_and_shape(dtype, impl):
    rng = np.random.default_rng(0)
    for shape in ((), (0,), (1,), (9,), (7, 33), (600_000,)):  # so many are shared between threads
        x = (rng.normal(size=shape) * (rng.random(shape) < 0.3)).astype(dtype)
        got = jax.jit(lambda x: count(x, impl=impl))(x)
        assert got.shape == () and got.dtype == jnp.int32 and int(got) == np.count_nonzero(x)
    if dtype is not bool:
        assert int(count(jnp.asarray([0.0, -0.0, np.nan, np.inf], dtype), impl=impl)) == 2


def test_in_a_batch_in_a_scan_and_beside_derivatives(impl):
    x = np.random.default_rng(1).random((3, 4, 50)) < 0.2
    got = jax.vmap(jax.vmap(lambda x: count(x, impl=impl)))(x)
    np.testing.assert_array_equal(got, x.sum(-1))
    total = jax.lax.scan(lambda n, x: (n + count(x, impl=impl), None), jnp.zeros((), jnp.int32), x[0])[0]
    assert int(total) == x[0].sum()

    def loss(v):
        return jnp.sum(v**2) * count(v, impl=impl).astype(v.dtype)

    np.testing.assert_allclose(jax.grad(loss)(jnp.array([1.0, 0.0, 3.0])), [4.0, 0.0, 12.0])
