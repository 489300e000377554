"""Adaptive steps: what is rejected, what the tolerance means."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.integrate import AbstractField, Adaptive, ExplicitRungeKutta
from neuropytree.testing import stepper_bank

from ..helpers import quick_jit

PAIRS = {
    name: stepper
    for name, (stepper, _) in stepper_bank().items()
    if isinstance(stepper, ExplicitRungeKutta) and stepper.tableau.b_embedded is not None
}


class Transient(AbstractField):
    """y' = -lam (y - cos t) - sin t from 2: a fast transient onto cos t."""

    lam: float = 200.0

    def vector_field(self, t, y, u):
        return -self.lam * (y - jnp.cos(t)) - jnp.sin(t)


def transient(t, lam=200.0):
    return np.cos(t) + np.exp(-lam * t)


@pytest.mark.parametrize("name", ["BogackiShampine", "RKF45", "CashKarp", "DormandPrince"])
def test_steps_are_rejected_and_the_error_kept(name):
    """The first step tried, of 1 ms, is far beyond stability."""
    stepper = Adaptive(PAIRS[name], rtol=1e-6, atol=1e-6)
    sol = jax.jit(lambda y: stepper.solve(Transient(), 0.0, 1.0, 1.0, y, None))(jnp.asarray(2.0))
    assert sol.stats["num_rejected_steps"] >= 4 and sol.stats["num_accepted_steps"] > 20
    # the global error of a contracting field is that of the last few steps
    assert abs(float(sol.ys[0]) - transient(1.0)) < 3e-6


def test_an_explicit_step_that_is_not_rejected_would_be_useless():
    """What a controller that never rejects makes of the same step."""
    out = npt.integrate.DormandPrince().step(Transient(), 0.0, jnp.asarray(2.0), None, 1.0)[0]
    assert abs(float(out)) > 1e6


def test_error_is_in_proportion_to_the_tolerance():
    """All pairs and tolerances in one program; the rigid body of DETEST B5, whose solution is sn, cn, dn."""
    from scipy.special import ellipj

    class Rigid(AbstractField):
        def vector_field(self, t, y, u):
            return [y[1] * y[2], -y[0] * y[2], -0.51 * y[0] * y[1]]

    sn, cn, dn, _ = ellipj(8.0, 0.51)
    y = [jnp.asarray(x) for x in (0.0, 1.0, 1.0)]
    names = [n for n in PAIRS if n not in ("RKF12", "HeunEuler")]
    tolerances = [1e-5, 1e-6, 1e-7, 1e-8]

    @quick_jit
    def run(y):
        return {n: [Adaptive(PAIRS[n], tol, tol).step(Rigid(), 0.0, y, None, 8.0)[0] for tol in tolerances]
                for n in names}  # fmt: skip

    for name, ends in run(y).items():
        errors = np.array([np.abs(np.array(end) - [sn, cn, dn]).max() for end in ends])
        assert (errors < 50 * np.array(tolerances)).all(), (name, errors)
        # the step goes as tol^(1/p), the error as its p-th power; steps are few, so only nearly
        slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
        assert slope == pytest.approx(1.0, abs=0.25), (name, errors)


def test_one_bad_element_is_not_hidden_by_many_good_ones():
    y = jnp.ones(1000).at[17].set(2.0)
    stepper = Adaptive(npt.integrate.DormandPrince(), rtol=1e-6, atol=1e-6)
    out = stepper.step(Transient(), 0.0, y, None, 0.01)[0]
    assert abs(float(out[17]) - transient(0.01)) < 2e-6


def test_adaptive_steps_of_a_cell_keep_its_dtype_and_spikes():
    """Diffrax's own stiff solver too; the state may be of another dtype than the time."""
    field = Transient()
    for solver in (npt.integrate.BogackiShampine(), diffrax.Kvaerno3()):
        y, stepper = jnp.full(2, 2.0, jnp.float32), Adaptive(solver, 1e-4, 1e-4)
        out = quick_jit(lambda y, stepper=stepper: stepper.step(field, jnp.asarray(0.0), y, None, 0.1)[0])(y)
        assert out.dtype == jnp.float32
        np.testing.assert_allclose(out, transient(0.1), atol=1e-3)
    options = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0, "t_ref": 5.0}
    found = []
    for stepper in (npt.integrate.ExponentialEuler(), Adaptive(npt.integrate.DormandPrince(), 1e-9, 1e-9)):
        cell = npt.neurons.LIF(2, **options, stepper=stepper)
        sol = npt.simulate(cell, cell.init(dt=0.5), jnp.asarray([15.0, 30.0]), dt=0.5, duration=100.0, record=["spike"])
        found.append(np.asarray(sol.out["spike"]))
    assert found[0].sum() > 5
    np.testing.assert_array_equal(*found)


def test_too_many_steps_are_an_error():
    stepper = Adaptive(npt.integrate.DormandPrince(), 1e-6, 1e-6, max_steps=5)
    with pytest.raises(Exception, match="the end was not reached in max_steps=5 steps"):
        stepper.step(Transient(), 0.0, jnp.asarray(2.0), None, 1.0)[0]


def test_what_is_refused():
    with pytest.raises(ValueError, match="tableau 'RK4' has no embedded solution"):
        Adaptive(npt.integrate.RK4())
    for bad in ("dopri5", diffrax.Euler(), diffrax.SemiImplicitEuler(), npt.integrate.ExponentialEuler()):
        with pytest.raises(TypeError, match="expected an embedded pair such as DormandPrince"):
            Adaptive(bad)
    with pytest.raises(ValueError, match="rtol of Adaptive is 0.0; expected a positive Python number"):
        Adaptive(npt.integrate.DormandPrince(), rtol=0.0)
    cell = npt.neurons.LIF(2, sigma=0.5, stepper=Adaptive(npt.integrate.DormandPrince()))
    with pytest.raises(ValueError, match="Adaptive has no noise"):
        npt.simulate(cell, cell.init(dt=0.1), dt=0.1, duration=1.0, key=jax.random.key(0))


SOLVING = {
    "pair": Adaptive(npt.integrate.DormandPrince(), rtol=1e-5, atol=1e-6),
    "stiff": Adaptive(diffrax.Kvaerno3(), rtol=1e-3, atol=1e-4),
    "one step": npt.integrate.Diffrax(diffrax.Heun()),
    "implicit step": npt.integrate.Diffrax(diffrax.ImplicitEuler(root_finder=diffrax.VeryChord(rtol=1e-5, atol=1e-5))),
}


@pytest.mark.parametrize("name", list(SOLVING))
def test_late_in_a_run_steps_are_as_long_as_at_its_beginning(name):
    """In float32 300 000 ms and 300 000.01 ms are one number, and 140 000 ms and the next are 0.016 ms apart."""
    with jax.enable_x64(False):
        decay = lambda t, y, args: -y / 10  # noqa: E731
        run = lambda start: npt.integrate.odeint(  # noqa: E731
            decay, jnp.float32(1.0), dt=0.01, duration=2.0, start=start, stepper=SOLVING[name]
        )
        late = float(run(30_000_000).state)
        # the same steps; the tolerance is that of the methods and of a float32 rounded 200 times
        assert late == float(run(0).state) and late == pytest.approx(np.exp(-0.2), rel=2e-4)


@pytest.mark.parametrize("stepper", [SOLVING["one step"], Adaptive(npt.integrate.BogackiShampine(), 1e-4, 1e-4)])
def test_a_cell_fires_late_in_a_run_as_at_its_beginning(stepper):
    """Every 16.1 ms: tau ln(25/5) = 16.09, found at the end of a step."""
    with jax.enable_x64(False):
        cell = npt.neurons.LIF(1, v_rest=0.0, v_th=20.0, v_reset=0.0, tau=10.0, surrogate=None, stepper=stepper)
        spikes = [
            npt.simulate(cell, cell.init(), 25.0, dt=0.025, duration=50.0, start=start, record=["spike"]).out["spike"]
            for start in (0, 5_600_000, 24_000_000)
        ]
    assert spikes[0].sum() == 3
    np.testing.assert_array_equal(spikes[0], spikes[1])
    np.testing.assert_array_equal(spikes[0], spikes[2])


def test_dense_output_late_in_a_run():
    with jax.enable_x64(False):
        stepper = Adaptive(npt.integrate.DormandPrince(), rtol=1e-5, atol=1e-6)
        given = {"dt": 1.0, "duration": 10.0, "stepper": stepper, "dense": True}
        late = npt.integrate.odeint(lambda t, y, args: -y / 10, 1.0, start=4_000_000, **given)
        np.testing.assert_allclose(late.ys, np.exp(-np.arange(1, 11) / 10), rtol=1e-4)
        np.testing.assert_array_equal(late.ts, 4_000_000 + np.arange(1, 11))
        at = jnp.array([4_000_002.5, 4_000_009.0])
        np.testing.assert_allclose(late.evaluate(at), np.exp(-np.array([0.25, 0.9])), rtol=1e-4)
        with pytest.raises(ValueError, match="the run is 4000000.0 to 4000010.0 ms"):
            late.evaluate(3.0)
