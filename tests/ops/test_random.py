"""Counter-based random numbers: the generator's published form, the laws, and the bits of the kernels."""

import importlib.util
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

import neuropytree as npt
from neuropytree.ops import _random

EDGES = np.concatenate([[0, 1, 2, 3, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 2, 2**32 - 1], 2 ** np.arange(32)])
WORDS = np.concatenate([EDGES, np.random.default_rng(0).integers(0, 2**32, 100_000)]).astype(np.uint32)


def philox(a: int, b: int, key: int) -> tuple[int, int]:
    """As published, in Python's whole numbers."""
    for _ in range(7):
        product = a * 0xD256D193
        a, b = (product >> 32) ^ key ^ b, product & 0xFFFFFFFF
        key = (key + 0x9E3779B9) & 0xFFFFFFFF
    return a, b


def splitmix(first: int, second: int, n: int) -> tuple[int, int]:
    """Output number `n` of the published generator: the state moves on, then is mixed."""
    state, mask = first << 32 | second, 2**64 - 1
    z = state + (n + 1) * 0x9E3779B97F4A7C15 & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    z ^= z >> 31
    return z >> 32, z & 0xFFFFFFFF


def test_bits_are_as_published():
    # the first outputs from state 1234567, which are widely used to test an implementation
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [(a << 32) + b for a, b in (splitmix(0, 1234567, n) for n in range(3))] == known
    rng = np.random.default_rng(1)
    for seed, a, b, c in rng.integers(0, 2**32, (20, 4)).tolist():
        words = philox(a, b, seed)
        assert tuple(map(int, npt.ops.counter_bits(seed, a, b))) == words
        for n in (c, c % 100, 2**32 - 1):
            assert tuple(map(int, npt.ops.counter_bits(seed, a, b, n))) == splitmix(*words, n)
        assert tuple(map(int, npt.ops.counter_bits(seed, a))) == philox(a, 0, seed)
    negative, positive = npt.ops.counter_bits(-1, -2)[0], npt.ops.counter_bits(2**32 - 1, 2**32 - 2)[0]
    assert negative == positive


def test_quantiles_are_right():
    """Against SciPy at 100 000 words and at all that are special."""
    got = _random.normal(jnp.asarray(WORDS), np.float64)
    tail = scipy.special.ndtri((2.0 * (WORDS & 0x7FFFFFFF) + 1) / 2**33)
    np.testing.assert_allclose(got, np.where(WORDS >> 31, tail, -tail), rtol=0, atol=1e-7)
    got = _random.exponential(jnp.asarray(WORDS), np.float64)
    np.testing.assert_allclose(got, -np.log((WORDS | 1) / 2**32), rtol=0, atol=1e-7)
    assert got.min() >= 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_laws(dtype):
    n = jnp.arange(200_000)
    for name, law in (("uniform", "uniform"), ("normal", "norm"), ("exponential", "expon")):
        for counters in ((n,), (0, n), (3, 4, n)):
            x = np.asarray(getattr(npt.ops, f"counter_{name}")(7, *counters, dtype=dtype))
            assert x.dtype == dtype and scipy.stats.kstest(x, law).pvalue > 1e-4
    for p in (0.0, 1e-3, 0.3, 0.999, 1.0):
        count = int(npt.ops.counter_bernoulli(np.asarray(p, dtype), 7, n).sum())
        assert abs(count - len(n) * p) <= 4 * np.sqrt(len(n) * p * (1 - p))
    counts = np.bincount(np.asarray(npt.ops.counter_integers(-3, 4, 7, n)) + 3, minlength=7)
    assert counts.size == 7 and scipy.stats.chisquare(counts).pvalue > 1e-4


def test_bits_and_neighbours_are_independent():
    """Along each counter, and the seed: every bit is fair, and changing one bit of a counter changes half of all."""
    n = np.arange(2**16, dtype=np.uint32)
    for place in range(4):
        counters = [n if k == place else 5 for k in range(4)]
        words = np.stack([np.asarray(w) for w in npt.ops.counter_bits(*counters)])
        bits = (words[..., None] >> np.arange(32, dtype=np.uint32)) & 1
        # 64 bits of 65536 words, and the same against their neighbours: five standard deviations
        assert abs(bits.mean(1) - 0.5).max() < 5 * 0.5 / 256
        assert abs((bits[:, 1:] ^ bits[:, :-1]).mean(1) - 0.5).max() < 5 * 0.5 / 256
        pairs = np.bincount((words[0] >> 28) * 16 + (np.roll(words[0], 1) >> 28), minlength=256)
        assert scipy.stats.chisquare(pairs).pvalue > 1e-4
        for bit in (0, 7, 31):
            flipped = [c ^ np.uint32(1 << bit) if k == place else c for k, c in enumerate(counters)]
            changed = np.stack([np.asarray(w) for w in npt.ops.counter_bits(*flipped)]) ^ words
            assert abs(np.bitwise_count(changed).mean() - 16) < 0.1


def test_transformations_and_shapes():
    each = jax.vmap(lambda s: npt.ops.counter_normal(s, jnp.arange(3), 4))(jnp.arange(5))
    np.testing.assert_array_equal(each[2], npt.ops.counter_normal(2, np.arange(3), 4))
    assert npt.ops.counter_uniform(1, 2).shape == ()
    for dtype in (jnp.float16, jnp.bfloat16):
        narrow = npt.ops.counter_uniform(1, jnp.arange(10_000), dtype=dtype)
        assert narrow.dtype == dtype and narrow.min() == 0 and 0.99 < float(narrow.max()) < 1
        assert abs(float(narrow.astype(float).mean()) + 0.5 * jnp.finfo(dtype).epsneg.astype(float) - 0.5) < 0.015


def test_the_bits_are_the_same_without_64_bits():
    n = np.arange(1000)
    want = [npt.ops.counter_normal(7, n, 3, 4, dtype=np.float32), npt.ops.counter_bits(7, n, 3, 4)[1]]
    with jax.enable_x64(False):
        got = [npt.ops.counter_normal(7, n, 3, 4), npt.ops.counter_bits(7, n, 3, 4)[1]]
        assert all(x.dtype.itemsize == 4 for x in got)
    for x, y in zip(got, want, strict=True):
        np.testing.assert_array_equal(x, y)


def test_elements_are_numbered_as_they_lie_in_memory():
    got = npt.ops.element_numbers((3, 1, 5), 2**32 - 3)
    np.testing.assert_array_equal(got.reshape(-1), (np.arange(15) + 2**32 - 3) % 2**32)
    assert npt.ops.element_numbers(()).shape == () and npt.ops.element_numbers((0, 3)).shape == (0, 3)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="no counters"):
        npt.ops.counter_bits(1)
    with pytest.raises(ValueError, match="seed is 4294967296"):
        npt.ops.counter_bits(2**32, 1)
    with pytest.raises(TypeError, match="counter is float"):
        npt.ops.counter_bits(1, 0.5)
    with pytest.raises(TypeError, match="dtype is int32; expected a floating one"):
        npt.ops.counter_normal(1, 2, dtype=jnp.int32)
    for number in (int, np.int64):
        with pytest.raises(ValueError, match="low is 3 and high 3"):
            npt.ops.counter_integers(3, number(3), 1, 2)


KERNEL = """
import sys
import numpy as np
import taichi as ti
from neuropytree.ops.taichi import bernoulli, element, exponential, fold, integer, normal, stream, uniform

words, state = (np.load(sys.argv[1])[name] for name in ("words", "state"))
found = {}
for name, real in (("float32", ti.f32), ("float64", ti.f64)):
    ti.init(arch=ti.x64, default_fp=real, fast_math=False, offline_cache=False, log_level=ti.ERROR)

    @ti.kernel
    def draw(words: ti.types.ndarray(ti.u32, 1), state: ti.types.ndarray(ti.u32, 1), out: ti.types.ndarray(real, 2),
             p: real):
        for i in range(words.shape[0]):
            s0, s1 = stream(-7, i, words[i])
            a, b = fold(s0, s1, 9)
            out[0, i] = uniform(a, b, real)
            out[1, i] = normal(words[i], real)
            out[2, i] = exponential(words[i], real)
            out[3, i] = bernoulli(a, p)
            out[4, i] = integer(b, -5, 1000)
            out[5, i] = uniform(a, b, float)
            x, y = element(state[0], state[1], state[2], state[3], words[i])
            out[6, i] = uniform(x, y, real)
            out[7, i] = normal(x, real)

    out = np.zeros((8, len(words)), name)
    draw(words, state, out, 0.3)
    found[name] = out
np.savez(sys.argv[1], **found)
"""


def test_kernels_have_the_same_bits(tmp_path):
    """Every kind of number, drawn by a user's kernel that Taichi runs itself, at special words and at many others."""
    if importlib.util.find_spec("taichi") is None:
        pytest.skip("Taichi is not installed")
    file, program = tmp_path / "words.npz", tmp_path / "draw.py"  # Taichi reads the source of a kernel
    noise = npt.Tick.at(41, dt=0.1, key=jax.random.key(2)).fold("noise").stream
    np.savez(file, words=WORDS, state=np.stack(npt.ops.stream_words(noise)))
    program.write_text(KERNEL)
    run = subprocess.run([sys.executable, str(program), str(file)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    found, words, n = np.load(file), jnp.asarray(WORDS), jnp.arange(len(WORDS))
    _, second = npt.ops.counter_bits(-7, n, words, 9)
    for dtype in (np.float32, np.float64):
        want = [
            npt.ops.counter_uniform(-7, n, words, 9, dtype=dtype),
            _random.normal(words, dtype),
            _random.exponential(words, dtype),
            npt.ops.counter_bernoulli(np.asarray(0.3, dtype), -7, n, words, 9),
            np.asarray(second.astype(jnp.uint64) * np.uint64(1005) >> np.uint64(32)).astype(np.int64) - 5,
            npt.ops.counter_uniform(-7, n, words, 9, dtype=dtype),
            npt.ops.counter_uniform(noise, words, dtype=dtype),
            npt.ops.counter_normal(noise, words, dtype=dtype),
        ]
        for got, x in zip(found[np.dtype(dtype).name], want, strict=True):
            np.testing.assert_array_equal(got, np.asarray(x).astype(dtype))
