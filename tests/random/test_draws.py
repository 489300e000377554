"""What every draw does: one number for each element, by its own number, in every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree import random

KEY = jax.random.key(5)
TICK = npt.Tick.at(9, dt=0.1, key=KEY).fold("here")
DRAWS = {
    "uniform": (random.uniform, ()),
    "uniform, scaled": (random.uniform, (-2.0, 3.0)),
    "normal": (random.normal, ()),
    "exponential": (random.exponential, (2.0,)),
    "bernoulli": (random.bernoulli, (0.3,)),
    "integers": (random.integers, (-3, 1000)),
    "poisson, few": (random.poisson, (2.5,)),
    "poisson, many": (random.poisson, (250.0,)),
    "binomial, few": (random.binomial, (20, 0.7)),
    "binomial, many": (random.binomial, (10_000, 0.2)),
}
EVERY = pytest.mark.parametrize("name", list(DRAWS))
COUNTS = pytest.mark.parametrize("name", [name for name in DRAWS if "," in name and name != "uniform, scaled"])


def draw(name, tick=TICK, **options):
    function, parameters = DRAWS[name]
    return function(tick, *parameters, **options)


@EVERY
def test_a_number_belongs_to_its_element(name):
    """More elements have the numbers of fewer; elements count as they lie in memory; sizes of 0 and 1."""
    whole = np.asarray(draw(name, shape=1000))
    assert len(np.unique(whole)) == (2 if name == "bernoulli" else len(np.unique(whole))) > 1
    for shape in (1, 7, (3, 5), (4, 1, 2), ()):
        part = np.asarray(draw(name, shape=shape))
        assert part.shape == ((shape,) if isinstance(shape, int) else shape) and part.dtype == whole.dtype
        np.testing.assert_array_equal(part.reshape(-1), whole[: part.size])
    for shape in (0, (3, 0), (0, 3)):
        assert draw(name, shape=shape).shape == ((shape,) if isinstance(shape, int) else shape)


@EVERY
def test_steps_names_and_keys_have_other_numbers(name):
    ticks = [npt.Tick.at(k, dt=0.1, key=key).fold(a) for k in (0, 1) for key in jax.random.split(KEY) for a in "ab"]
    seen = {np.asarray(draw(name, tick, shape=40)).tobytes() for tick in ticks}
    assert len(seen) == len(ticks)
    again = npt.Tick.at(9, dt=0.5, key=KEY).fold("here")  # at another dt, but that is all
    np.testing.assert_array_equal(draw(name, again, shape=40), draw(name, shape=40))


def batched(name, tick, mapped):
    """A draw with some of its parameters mapped, three equal ones each."""
    function, parameters = DRAWS[name]
    arrays = [jnp.full(3, x, jnp.result_type(type(x))) if m else x for x, m in zip(parameters, mapped, strict=True)]
    axes = [0 if m else None for m in mapped]
    return jax.vmap(lambda *xs: function(tick, *xs, shape=5), axes)(*arrays)


@EVERY
def test_transformations_change_no_number(name):
    want = np.asarray(draw(name, shape=5))
    same = np.testing.assert_array_equal
    if name == "uniform, scaled":  # a scaled number may be rounded otherwise where it is compiled

        def same(got, want):
            np.testing.assert_allclose(got, want, rtol=1e-15, atol=1e-15)

    same(jax.jit(lambda tick: draw(name, tick, shape=5))(TICK), want)
    steps = jax.vmap(lambda k: draw(name, npt.Tick.at(k, dt=0.1, key=KEY).fold("here"), shape=5))(jnp.arange(8, 11))
    same(steps[1], want)
    keys = jax.vmap(lambda key: draw(name, npt.Tick.at(9, dt=0.1, key=key).fold("here"), shape=5))
    same(keys(jnp.stack([jax.random.key(1), KEY]))[1], want)
    _, scanned = jax.lax.scan(
        lambda c, k: (c, draw(name, npt.Tick.at(k, dt=0.1, key=KEY).fold("here"), shape=5)),
        0,
        jnp.arange(10, dtype=jnp.int32),
    )
    same(scanned[9], want)
    parameters = DRAWS[name][1]
    for mapped in (
        [True] * len(parameters),
        [True] + [False] * (len(parameters) - 1),
        [False] * (len(parameters) - 1) + [True],
    ):
        if parameters:
            for got in np.asarray(batched(name, TICK, mapped)):
                same(got, want)
    function, _ = DRAWS[name]
    each = [jnp.full(5, x, jnp.result_type(type(x))) for x in parameters]  # one for each element
    if each:
        same(function(TICK, *each), want)


@COUNTS
def test_kernels_and_reference_have_the_same_bits(name, impl):
    """Shared and own parameters; for kernels so many numbers that threads share them."""
    law, (*n, p) = name.split(",")[0], DRAWS[name][1]
    operator = {"poisson": npt.ops.stream_poisson, "binomial": npt.ops.stream_binomial}[law]
    size = 100_000 if impl == "taichi" else 1000
    shared = [jnp.asarray(x, jnp.int32) for x in n] + [jnp.asarray(p, jnp.float32)]
    want = np.asarray(operator(TICK.stream, *shared, shape=(size + 77,), impl="reference"))[77:]
    assert want.dtype == np.int32
    for shape, own in (((size,), False), ((size,), True), ((size // 10, 10), True)):
        given = [jnp.broadcast_to(x, shape) for x in shared] if own else shared
        got = operator(TICK.stream, *given, shape=shape, first=77, impl=impl)
        np.testing.assert_array_equal(got.reshape(-1), want)
    with jax.enable_x64(False):
        tick = npt.Tick.at(9, dt=0.1, key=jax.random.key(5)).fold("here")
        np.testing.assert_array_equal(operator(tick.stream, *shared, shape=(size,), first=77, impl=impl), want)


def test_kernels_and_reference_agree_over_all_means(impl):
    """Small and large ones side by side, and what is no mean."""
    means = np.concatenate([[0.0, -1.0, np.nan, np.inf, 2.0**30, 2.0**30 + 64], np.geomspace(1e-9, 2**30, 3000)])
    odd = [(0, 0.5), (5, 0.0), (5, 1.0), (5, -0.1), (5, 1.1), (5, np.nan), (-1, 0.5), (1, 0.5), (2**31 - 1, 0.5)]
    rng = np.random.default_rng(0)
    n = np.concatenate([[n for n, _ in odd], rng.integers(0, 2000, 3000)]).astype(np.int32)
    p = np.concatenate([[p for _, p in odd], rng.random(3000)])
    tick = TICK.stream

    def draws(impl):
        return [
            np.asarray(npt.ops.stream_poisson(tick, jnp.asarray(means), shape=means.shape, impl=impl)),
            np.asarray(npt.ops.stream_binomial(tick, jnp.asarray(n), jnp.asarray(p), shape=n.shape, impl=impl)),
        ]

    for got, want in zip(draws(impl), draws("reference"), strict=True):
        np.testing.assert_array_equal(got, want)
    poisson, binomial = draws(impl)
    assert poisson[:4].tolist() == [0, -1, -1, -1] and abs(poisson[4] / 2**30 - 1) < 1e-3 and poisson[5] == -1
    assert binomial[:7].tolist() == [0, 0, 5, -1, -1, -1, -1] and (binomial[9:] <= n[9:]).all()
    assert (abs(poisson[6:] - means[6:]) <= 6 * np.sqrt(means[6:]) + 6).all()


@EVERY
@pytest.mark.parametrize("x64", [True, False])
def test_dtypes(name, x64):
    with jax.enable_x64(x64):
        tick = npt.Tick.at(9, dt=0.1, key=jax.random.key(5)).fold("here")
        default = draw(name, tick, shape=300)
        kind = {"bernoulli": "bool", "integers": "int32"}.get(name, "int32" if name[:3] in ("poi", "bin") else "float")
        assert default.dtype == (jnp.result_type(float) if kind == "float" else kind)
        if not x64:  # numbers are those of float64, rounded
            close = {"rtol": 1e-6, "atol": 2e-7} if kind == "float" else {"rtol": 0, "atol": 0}
            np.testing.assert_allclose(default, draw(name, shape=300), **close)
        if name in ("bernoulli", "integers"):
            return
        for dtype in (jnp.float16, jnp.bfloat16, jnp.float32):
            narrow = draw(name, tick, shape=300, dtype=dtype)
            assert narrow.dtype == dtype
            # 8 bits of bfloat16, of numbers up to 8
            np.testing.assert_allclose(narrow.astype(jnp.float32), default, rtol=0.01, atol=0.04)
        if kind == "int32":
            np.testing.assert_array_equal(draw(name, tick, shape=300, dtype=jnp.int16), default)
        function, parameters = DRAWS[name]
        if kind == "float" and parameters:
            arrays = [jnp.asarray(x, jnp.float32) for x in parameters]
            assert function(tick, *arrays, shape=3).dtype == jnp.float32


def test_derivatives():
    """At fixed numbers those of the scaling; of counts, none."""
    u = random.uniform(TICK, shape=4)
    slopes = jax.jacobian(lambda low, high: random.uniform(TICK, low, high, shape=4), (0, 1))(-2.0, 3.0)
    np.testing.assert_allclose(slopes, [1 - u, u], rtol=1e-14)
    slopes = jax.jacobian(lambda mean, std: random.normal(TICK, mean, std, shape=4), (0, 1))(1.0, 2.0)
    np.testing.assert_allclose(slopes, [np.ones(4), random.normal(TICK, shape=4)], rtol=1e-14)
    slope = jax.jacobian(lambda mean: random.exponential(TICK, mean, shape=4))(2.0)
    np.testing.assert_allclose(slope, random.exponential(TICK, shape=4), rtol=1e-14)
    for mean in (2.5, 250.0):
        count = lambda mean: jnp.sum(random.poisson(TICK, mean, shape=4, dtype=float)) * mean  # noqa: E731
        assert jax.grad(count)(mean) == float(jnp.sum(random.poisson(TICK, mean, shape=4)))
        assert jax.jvp(count, (mean,), (1.0,))[1] == float(jnp.sum(random.poisson(TICK, mean, shape=4)))
    events = lambda p: jnp.sum(random.binomial(TICK, 10, p, shape=4, dtype=float))  # noqa: E731
    assert jax.grad(events)(0.3) == 0.0


def test_fewer_events_are_a_part_of_more():
    few, more = (random.bernoulli(TICK, p, shape=10_000) for p in (0.1, 0.2))
    assert not (few & ~more).any()


def test_what_is_out_of_bounds_at_run_time():
    assert jax.jit(lambda p: random.bernoulli(TICK, p))(jnp.asarray([-0.1, 1.1, jnp.nan])).tolist() == [
        False,
        True,
        False,
    ]
    assert jax.jit(lambda low: random.integers(TICK, low, 3))(jnp.asarray([3, 5, 2])).tolist() == [3, 5, 2]
    bad = jnp.asarray([-1.0, jnp.nan, 2.0**31])
    assert jax.jit(lambda mean: random.poisson(TICK, mean))(bad).tolist() == [-1] * 3
    assert np.isnan(jax.jit(lambda mean: random.poisson(TICK, mean, dtype=jnp.float32))(bad)).all()
    assert np.isnan(jax.jit(lambda p: random.binomial(TICK, 3, p, dtype=float))(jnp.asarray([-1.0, jnp.nan]))).all()
    assert jax.jit(lambda n: random.binomial(TICK, n, 0.5))(jnp.asarray(-3)) == -1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.poisson(TICK, -1.0), "mean is -1; expected finite numbers from 0 to 1073741824"),
        (lambda: random.poisson(TICK, np.array([1.0, np.nan])), "mean is nan at index 1"),
        (lambda: random.poisson(TICK, 2.0**31), "mean is 2147483648; expected finite numbers from 0 to 1073741824"),
        (lambda: random.binomial(TICK, 3, 1.5), "p is 1.5; expected finite numbers from 0 to 1"),
        (lambda: random.binomial(TICK, -3, 0.5), r"n is -3; expected whole numbers from 0 to 2\^31 - 1"),
        (lambda: random.binomial(TICK, 2**31, 0.5), "n is 2147483648; expected whole numbers"),
        (lambda: random.bernoulli(TICK, -0.5), "p is -0.5; expected finite numbers from 0 to 1"),
        (lambda: random.normal(TICK, 0.0, -1.0), "std is -1; expected finite numbers, at least 0"),
        (lambda: random.exponential(TICK, -1.0), "mean is -1"),
        (lambda: random.uniform(TICK, 0.0, np.inf), "high is inf; expected finite numbers"),
        (lambda: random.integers(TICK, 3, 3), "low is 3 and high 3; expected low below high"),
        (
            lambda: random.uniform(TICK, jnp.zeros(3), shape=4),
            r"low has shape \(3,\), which doesn't broadcast to shape=\(4,\)",
        ),
        (lambda: random.normal(TICK, shape=3, axis_name="d"), "axis_name is 'd'; there is no axis 'd' here"),
        (lambda: random.poisson(npt.Tick.at(0, dt=0.1), 1.0), r"random.poisson draws random numbers .* got no key"),
        (lambda: npt.ops.stream_poisson(TICK.stream, 1.0, shape=(3,), impl="fast"), "impl is 'fast'"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: random.normal(TICK, shape=3, dtype=int), "dtype is int.*; expected a floating dtype"),
        (
            lambda: random.poisson(TICK, 1.0, dtype=bool),
            "dtype is bool; expected a signed dtype of integers or a floating one",
        ),
        (lambda: random.normal(TICK, shape=3.0), "shape is 3.0; expected a whole number or a tuple"),
        (lambda: random.normal(TICK, shape=(-1,)), r"shape is \(-1,\); expected"),
        (lambda: random.binomial(TICK, 3.0, 0.5), "n is 3.0; expected whole numbers"),
        (lambda: random.integers(TICK, 0, 2.5), "high is 2.5; expected whole numbers"),
        (lambda: random.normal(TICK, "0"), "mean is '0'; expected a number"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_initial_values_belong_to_their_element():
    for rule in (npt.init.Uniform(-60.0, -50.0), npt.init.Normal(-55.0, 2.0), npt.init.Constant(-60.0)):
        small, large = (rule((n,), key=KEY, dtype=jnp.float32) for n in (30, 50))
        np.testing.assert_array_equal(small, large[:30])
    cells = [npt.neurons.LIF(n, v_init=npt.init.Normal(-55.0, 2.0)).init(key=KEY).v for n in (30, 50)]
    np.testing.assert_array_equal(cells[0], cells[1][:30])


@pytest.mark.parametrize("stepper", ["ExponentialEulerMaruyama", "SRK1W1"])
def test_a_larger_population_has_the_noise_of_a_smaller_one(stepper):
    def run(n):
        cell = npt.neurons.LIF(n, sigma=0.5, stepper=getattr(npt.integrate, stepper)())
        return npt.simulate(cell, cell.init(dt=0.1), 0.0, dt=0.1, duration=5.0, key=KEY, record=["v"]).out["v"]

    np.testing.assert_allclose(run(30), run(50)[:, :30], rtol=1e-12)
