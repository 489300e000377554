"""Every parameter of channels, ions, surrogates, initializers and synapses says what is wrong with a value, by name."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

BASES = (
    npt.channels.AbstractChannel,
    npt.ions.AbstractIon,
    npt.surrogate.AbstractSurrogate,
    npt.init.AbstractInitializer,
    npt.synapses.AbstractKinetics,
    npt.synapses.AbstractOutput,
)
PACKAGES = (npt.channels, npt.ions, npt.surrogate, npt.init, npt.synapses)
CLASSES = {
    f"{package.__name__.split('.')[-1]}.{name}": thing
    for package in PACKAGES
    for name, thing in vars(package).items()
    if inspect.isclass(thing) and issubclass(thing, BASES) and not inspect.isabstract(thing)
}
NEEDED = {"e": -70.0, "c": 1.0, "value": 1.0, "e_rev": 0.0}  # of those without a default
BAD = {
    "NaN": np.nan,
    "infinite": np.inf,
    "text": "0.1",
    "complex": 1 + 1j,
    "a NaN among others": np.array([1.0, np.nan]),
    "a list of texts": ["a", "b"],
    "an object": object(),
}
# what must be above zero: never negative, and never zero
POSITIVE = {"tau", "tau_max", "phi", "alpha", "beta", "d", "c", "c_out", "c_rest", "c_half", "k_2", "k_4", "n"}
AT_LEAST_ZERO = {"g", "g_inc", "std"}
ZERO_TOO = {("ions.CalciumFirstOrder", "alpha"), ("channels.IAHP_De1994", "alpha")}


def parameters(cls):
    return list(inspect.signature(cls).parameters)


def made(cls, **given):
    wanted = [name for name, p in inspect.signature(cls).parameters.items() if p.default is p.empty]
    return cls(**{name: NEEDED[name] for name in wanted if name in NEEDED} | given)


CASES = [(name, field) for name, cls in CLASSES.items() for field in parameters(cls)]


def test_all_kinds_are_walked():
    assert len(CLASSES) > 35 and len(CASES) > 100
    assert {"channels.IL", "ions.CalciumDetailed", "surrogate.Sigmoid", "init.Normal", "synapses.COBA"} <= set(CLASSES)


@pytest.mark.parametrize(("name", "field"), CASES, ids=map(".".join, CASES))
def test_a_bad_value_is_refused_by_name(name, field):
    cls = CLASSES[name]
    bad = dict(BAD)
    if field in POSITIVE | AT_LEAST_ZERO:
        bad["negative"] = -1.0
    if field in POSITIVE and (name, field) not in ZERO_TOO:
        bad["zero"] = 0.0
    if field == "celsius":
        bad["below absolute zero"] = -300.0
    for what, value in bad.items():
        with pytest.raises((TypeError, ValueError), match=rf"\b{field}\b") as error:
            made(cls, **{field: value})
        assert "expected" in str(error.value), (what, str(error.value))


def test_traced_values_pass_and_are_differentiated():
    def leak(g):
        return npt.channels.IL(g=g, e=-70.0).drive(jnp.asarray(-60.0), {}, {}).i

    assert float(jax.jit(jax.grad(leak))(0.1)) == -70.0
    assert jax.vmap(lambda a: npt.surrogate.Sigmoid(alpha=a).alpha)(jnp.ones(3)).shape == (3,)


def test_an_interval_is_not_upside_down():
    with pytest.raises(ValueError, match="low is 2.0, above high, which is 1.0"):
        npt.init.Uniform(2.0, 1.0)


@pytest.mark.parametrize("dt", [0, -0.1, np.nan, np.inf, "0.1", True, [0.1]])
def test_the_step_of_a_state_is_checked(dt):
    cells = npt.neurons.LIF(2)
    for model in (cells, npt.Population(cells), npt.neurons.HH(2), npt.Network({"E": npt.Population(cells)})):
        with pytest.raises((TypeError, ValueError), match="dt is .*expected a"):
            model.init(dt=dt)


def test_a_state_that_is_none_is_named():
    cell = npt.neurons.LIF(2)
    with pytest.raises(TypeError, match="the state is None; expected what"):
        npt.simulate(cell, None, 1.0, dt=0.1, duration=1.0, record=["v"])
    with pytest.raises(TypeError, match="key is 0; expected a random key"):
        npt.Network({"E": npt.Population(cell)}, key=0)


def test_an_input_that_draws_without_a_key_is_told_where_to_pass_it():
    cell = npt.neurons.LIF(2)
    for draw in (lambda tick: jax.random.normal(tick.key), lambda tick: npt.random.normal(tick, shape=(2,))):
        with pytest.raises(ValueError, match=r"got no key: pass key=jax.random.key\(seed\).*to `simulate`"):
            npt.simulate(cell, cell.init(dt=0.1), draw, dt=0.1, duration=1.0, record=["v"])


def test_fields_of_channels_made_by_parameter_have_bounds():
    for name, cls in CLASSES.items():
        if name.startswith("channels."):
            for f in dataclasses.fields(cls):
                assert f.name not in POSITIVE | AT_LEAST_ZERO or f.metadata["bounds"], (name, f.name)
