"""What may be a weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

import neuropytree as npt
from neuropytree.connect import CSR, AllToAll, Block, Dense, FixedProb, JITFixedProb, OneToOne, from_coo

KEY = jax.random.key(0)


def shaped(w, *shape):
    return np.reshape(w, shape) if np.ndim(w) else w


MAKERS = {
    "CSR": lambda w: CSR([0, 2, 1], [0, 2, 3], weight=w, in_size=2, out_size=3),
    "from_coo": lambda w: from_coo([0, 0, 1], [0, 2, 1], weight=w, in_size=2, out_size=3),
    "FixedProb": lambda w: FixedProb(1.0)(1, 3, weight=w, key=KEY),
    "Diagonal": lambda w: OneToOne()(3, 3, weight=w),
    "Dense": lambda w: Dense(shaped(w, 1, 3), in_size=1, out_size=3),
    "Block": lambda w: Block([0], [0, 1], weight=shaped(w, 1, 1, 3), block=(1, 3), in_size=1, out_size=3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_weights_keep_the_dtype_that_arrays_have(name):
    """Under x64, where numbers of Python are float64."""
    make = MAKERS[name]
    for array in (np.ones(3, np.float32), jnp.ones(3, jnp.float32), np.float32(1)):
        assert make(array).weight.dtype == np.float32
    for other in (np.ones(3), [1.0, 2.0, 3.0], 0.5, 2, np.arange(3), np.float64(1)):
        assert make(other).weight.dtype == np.float64 and not make(other).weight.weak_type


def test_of_matrices_of_scipy():
    matrix = scipy.sparse.random(20, 12, density=0.3, random_state=0, dtype=np.float32, format="csr")
    w, blocks = npt.connect.from_scipy(matrix), npt.connect.from_bsr(matrix.tobsr((2, 3)))
    assert w.weight.dtype == blocks.weight.dtype == np.float32
    assert w(jnp.ones(20, bool)).dtype == np.float32
    np.testing.assert_array_equal(w.to_dense(), matrix.toarray())
    np.testing.assert_array_equal(blocks.to_dense(), matrix.toarray())


WRONG = [
    (np.nan, ValueError, "weight is nan; expected finite numbers"),
    (-np.inf, ValueError, "weight is -inf; expected finite numbers"),
    ([1.0, np.nan, 2.0], ValueError, "weight is nan at index .*1; expected finite numbers"),
    (jnp.array([1.0, 2.0, jnp.inf]), ValueError, "weight is inf at index .*2; expected finite numbers"),
    ("strong", TypeError, "weight is 'strong'; expected a number, or an array with one for each edge"),
    (1j, TypeError, "weight has dtype complex128; expected real numbers"),
]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(("weight", "error", "message"), WRONG)
def test_what_is_no_weight_is_refused(name, weight, error, message):
    with pytest.raises(error, match=message):
        MAKERS[name](weight)


def test_weights_that_are_drawn_or_made_just_in_time():
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="weight, drawn by Constant, is not finite|value is"):
            FixedProb(0.5)(4, 4, weight=npt.init.Constant(value), key=KEY)
        with pytest.raises(ValueError, match=f"weight is {value}; expected finite numbers"):
            JITFixedProb(0.5)(4, 4, weight=value, key=KEY)
    with pytest.raises(TypeError, match="weight is 'strong'; expected a number"):
        JITFixedProb(0.5)(4, 4, weight="strong", key=KEY)


def test_traced_weights_are_not_looked_at():
    out = jax.jit(lambda w: AllToAll()(2, 3, weight=w)(jnp.array([True, False])))(jnp.inf)
    np.testing.assert_array_equal(out, np.full(3, np.inf))


@pytest.mark.parametrize("p", [-0.1, 1.5, np.nan, np.inf, "0.5", 1j, None, True])
def test_what_is_no_probability_is_refused(p):
    for rule in (FixedProb, JITFixedProb):
        with pytest.raises(ValueError, match=f"{rule.__name__} has p=.*; expected a probability from 0 to 1"):
            rule(p)
