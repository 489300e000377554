"""What is wrong with an argument is said at once, with its name, what came and what was expected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

nn = npt.neurons
LEAKY = nn.LeakyMembrane(v_rest=0.0, tau=10.0)
NUMBER = "expected a number, or an array with one for each neuron"


def part(**options):
    return nn.PointNeuron(3, **({"membrane": LEAKY, "threshold": nn.Threshold(1.0, None)} | options))


WRONG = {
    "negative": (lambda: nn.LIF(3, tau=-1.0), ValueError, "tau is -1; expected positive, finite numbers"),
    "one of many": (
        lambda: nn.AdExIF(3, tau_w=np.array([1.0, 0.0, 2.0])),
        ValueError,
        "tau_w is 0 at index 1; expected positive, finite numbers",
    ),
    "of a shape": (
        lambda: nn.LIF((2, 2), tau=jnp.array([[1.0, 2.0], [np.inf, 1.0]])),
        ValueError,
        "tau is inf at index 1, 0; expected positive",
    ),
    "NaN": (lambda: nn.ExpIF(3, v_rest=np.nan), ValueError, "v_rest is nan; expected finite numbers"),
    "NaN threshold": (lambda: nn.LIF(3, v_th=np.nan), ValueError, "v_th is nan; expected numbers"),
    "slope factor": (lambda: nn.ExpIF(3, delta_t=0.0), ValueError, "delta_t is 0; expected positive"),
    "no parabola": (lambda: nn.Izhikevich(3, p1=0.0), ValueError, "p1 is 0; expected positive"),
    "no cubic": (lambda: nn.HindmarshRose(3, a=-1.0), ValueError, "a is -1; expected positive"),
    "no nullcline": (lambda: nn.FitzHughNagumo(3, b=0.0), ValueError, "b is 0; expected positive"),
    "noise": (lambda: nn.LIF(3, sigma=-1.0), ValueError, "sigma is -1; expected finite numbers, at least 0"),
    "period": (lambda: nn.LIF(3, t_ref=np.nan), ValueError, "t_ref is nan; expected finite numbers of ms, at least 0"),
    "relative": (lambda: nn.RelativeRefractory(1.0, -2.0), ValueError, "tau is -2; expected positive"),
    "jump": (lambda: nn.AdQuaIF(3, b=np.inf), ValueError, "b is inf; expected finite numbers"),
    "start": (lambda: nn.AdExIF(3, w_init=np.nan), ValueError, "w_init is nan"),
    "word": (lambda: nn.LIF(3, tau="fast"), TypeError, f"tau is 'fast'; {NUMBER}"),
    "nothing": (lambda: nn.LIF(3, v_th=None), TypeError, f"v_th is None; {NUMBER}"),
    "ragged": (lambda: nn.LIF(3, tau=[[1.0], [2.0, 3.0]]), TypeError, rf"tau is \[\[1.0\], .*; {NUMBER}"),
    "complex": (lambda: nn.LIF(3, r=1j), TypeError, "r has dtype complex128; expected real numbers"),
    "truth": (lambda: nn.LIF(3, r=np.ones(3, bool)), TypeError, "r has dtype bool; expected real numbers"),
    "two dtypes": (
        lambda: nn.LIF(3, v_rest=jnp.zeros(3, jnp.float32)),
        TypeError,
        "parameter 'tau' is float64, and 'v_rest' float32: give JAX arrays of one dtype",
    ),
    "shape, Izhikevich": (lambda: nn.Izhikevich(3, c=-65 * np.ones(2)), ValueError, r"c has shape \(2,\)"),
    "shape, jump": (lambda: nn.Izhikevich(3, d=np.ones(2)), ValueError, r"d has shape \(2,\); expected \(\) or"),
    "shape, GIF": (lambda: nn.GIF(3, a1=np.ones((3, 1))), ValueError, r"a1 has shape \(3, 1\)"),
    "order": (
        lambda: nn.LIF(3, v_th=-50.0),
        ValueError,
        "v_reset is -5, above v_th, which is -50: expected it below, since each spike would lead to the next",
    ),
    "order, Izhikevich": (lambda: nn.Izhikevich(3, c=40.0), ValueError, "c is 40, above v_th, which is 30"),
    "order, GIF": (
        lambda: nn.GIF(3, v_reset=np.array([-70.0, -55.0, -70.0])),
        ValueError,
        "v_reset is -55 at index 1, above v_th_reset, which is -60 at index 1",
    ),
    "order, ALIF": (lambda: nn.ALIF(3, v_rest=0.0, v_th=-1.0), ValueError, "v_rest is 0, above v_th, which is -1"),
    "reset": (lambda: nn.LIF(3, reset="Hard"), ValueError, "reset is 'Hard'; expected 'hard', 'soft' or None"),
    "reset where": (
        lambda: nn.FitzHughNagumo(3, reset="hard"),
        ValueError,
        "v_reset is None, and reset 'hard'; expected the voltage that a spike leads to",
    ),
    "size": (lambda: nn.LIF(3.0), ValueError, "size is 3.0; expected a number of neurons"),
    "rule of another kind": (
        lambda: nn.LIF(3, relative=5.0),
        TypeError,
        "relative is 5.0; expected a RelativeRefractory or None",
    ),
    "surrogate": (
        lambda: nn.GIF(3, surrogate="sigmoid"),
        TypeError,
        "surrogate is 'sigmoid'; expected an AbstractSurrogate or None",
    ),
    "surrogate of a part": (lambda: nn.Threshold(1.0, 3), TypeError, "surrogate is 3; expected an AbstractSurrogate"),  # pyright: ignore
    "stepper": (lambda: nn.IF(3, stepper="rk4"), TypeError, "stepper is 'rk4'; expected an AbstractStepper"),
    "membrane": (lambda: part(membrane=3.0), TypeError, "membrane is 3.0; expected an AbstractMembrane"),
    "class": (lambda: part(reset=nn.HardReset), TypeError, "reset is the class HardReset; expected an AbstractReset"),
    "no jump": (lambda: part(jumps={"w": 2.0}), TypeError, "the jump of 'w' is 2.0; expected an AbstractJump"),
    "threshold of nothing": (
        lambda: part(threshold=nn.AdaptiveThreshold(1.0, 1.0, None)).init(),
        ValueError,
        r"AdaptiveThreshold reads \['a'\], but the variables of LeakyMembrane are \['v'\]",
    ),
    "adaptation of nothing": (
        lambda: nn.AdaptiveMembrane(nn.PerfectMembrane(tau=1.0), a=1.0, tau_w=1.0),
        TypeError,
        "membrane is a PerfectMembrane, which has no v_rest",
    ),
    "crossing of a number": (
        lambda: nn.Crossing(3.0),  # pyright: ignore
        TypeError,
        "threshold is 3.0; expected an AbstractThreshold",
    ),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_argument_is_named(name):
    make, kind, message = WRONG[name]
    with pytest.raises(kind, match=message):
        make()


def test_a_state_of_another_kind_of_cell_and_an_input_of_another_shape_are_refused():
    tick = npt.Tick.at(0, dt=0.1)
    plain, rests = nn.LIF(3), nn.LIF(3, t_ref=1.0)
    raised = nn.LIF(3, relative=nn.RelativeRefractory(1.0, 2.0))
    with pytest.raises(ValueError, match="the cell has an absolute refractory period, and the state has none"):
        npt.simulate(rests, plain.init(dt=0.1), 50.0, dt=0.1, duration=1.0)
    with pytest.raises(ValueError, match="the state has an absolute refractory period, and the cell has none"):
        plain.step(rests.init(dt=0.1), 50.0, tick)
    with pytest.raises(ValueError, match="the cell has a relative refractory period, and the state has none"):
        raised.step(plain.init(dt=0.1), 50.0, tick)
    for wrong in (jnp.ones(2), jnp.ones((4, 3)), npt.Drive(jnp.ones(3), jnp.ones(2))):
        with pytest.raises(ValueError, match=r"the input has shape .*; expected \(\) or \(3,\)"):
            plain.step(plain.init(dt=0.1), wrong, tick)


def test_what_may_be_given_is_taken():
    """Infinite thresholds, sizes of NumPy, whole numbers; and values unknown inside a transformation."""
    cell = nn.LIF(np.int64(3), v_th=np.inf, tau=[5, 10, 20])
    out = npt.simulate(cell, cell.init(dt=0.1), 1e4, dt=0.1, duration=10.0, record=["spike"]).out
    assert cell.shape == (3,) and type(cell.shape[0]) is int and not np.asarray(out["spike"]).any()
    make = lambda tau, v_th: nn.LIF(2, tau=tau, v_th=v_th, v_init=1.0).init().v  # noqa: E731
    assert jax.jit(jax.vmap(make))(jnp.array([1.0, -1.0]), jnp.array([-50.0, 3.0])).shape == (2, 2)
