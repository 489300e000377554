"""Every argument of every public constructor and function says what is wrong with a value, by name; `walk.py` has the
values that are good, and the reasons why some odd ones are."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from .walk import FINE, MADE, SPOKEN, Case, Reached, cases, matches, public, reasons

# Equinox's, of an array in a field that takes none; the error comes after it
pytestmark = pytest.mark.filterwarnings("ignore:A JAX array is being set as static")

BAD = {
    "NaN": np.nan,
    "infinite": np.inf,
    "negative": -1.0,
    "text": "0.1",
    "complex": 1 + 1j,
    "shape": np.ones(7),
    "None": None,
    "object": object(),
}
CASES = {case.name: case for case in cases()}


def refusal(case: Case, **given):
    """The error, or `None` if these arguments are taken."""
    try:
        case.call(**case.good | given)
    except (Reached, FileNotFoundError):  # a name is no file's, and yet one
        return None
    except Exception as error:  # of whatever type: that it is the right one is looked at
        return error
    return None


def odd(case: Case):
    """Arguments with values that make no sense for most."""
    for p in case.parameters:
        for what, value in BAD.items():
            if value is not None or p.default is not None:  # where it is the default it means something
                yield p.name, what, value


def test_all_kinds_are_walked():
    some = "channels.IL neurons.LIF neurons.PinskyRinzel connect.CSR connect.FixedProb() integrate.odeint npt.simulate "
    some += "sources.Poisson measure.firing_rate random.poisson npt.Events npt.Network neurons.exact_spikes"
    assert set(some.split()) <= set(CASES) and len(CASES) > 170
    assert sum(len(list(odd(case))) for case in CASES.values()) > 7000


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_by_name(name):
    case = CASES[name]
    assert refusal(case) is None
    wrong = []
    for argument, what, value in odd(case):
        error = refusal(case, **{argument: value})
        said = SPOKEN.get((name, argument), argument)
        if error is None and not reasons(name, argument, what):
            wrong.append(f"{argument}: {what} is taken, and no reason listed")
        elif error is not None and not (
            isinstance(error, TypeError | ValueError)
            and re.search(rf"\b{said}\b", str(error))
            and "expected" in str(error)
        ):
            wrong.append(f"{argument}: {what} gives {error!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("entry", FINE, ids=lambda entry: f"{entry[0]}: {entry[1]}: {entry[2]}"[:60])
def test_every_reason_applies(entry):
    who, what, value, _ = entry
    for case in CASES.values():
        for argument, kind, x in odd(case) if matches(case.name, who) else ():
            if matches(argument, what) and matches(kind, value) and refusal(case, **{argument: x}) is None:
                return
    pytest.fail("nothing that this entry is about is taken")


def test_what_is_not_walked_is_there():
    names = [name for name, _ in public()]
    assert [pattern for pattern in MADE if not any(matches(name, pattern) for name in names)] == []


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
