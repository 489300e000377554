"""GIF: the twenty patterns of Mihalas & Niebur 2009, against the exponentials that solve its equations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from .mihalas_niebur_figure import PATTERNS, closed_form

NAMES = list(PATTERNS)


def cell(stepper=None):
    column = lambda name: np.array([getattr(p, name) for p in PATTERNS.values()], float)  # noqa: E731
    return npt.neurons.GIF(
        len(NAMES), a=column("a"), a1=column("a1"), a2=column("a2"), surrogate=None, stepper=stepper
    )  # all else is the default


def started(cell, dt):
    """The published initial voltages and thresholds."""
    state = cell.init(dt=dt)
    v, v_th = jnp.asarray([p.start for p in PATTERNS.values()]).T
    return dataclasses.replace(state, membrane=dataclasses.replace(state.membrane, v=v, v_th=v_th))


def up_to_its_end(times):
    return {name: np.asarray(t)[np.asarray(t) < PATTERNS[name].end] for name, t in zip(NAMES, times, strict=True)}


@pytest.fixture(scope="module")
def reference():
    return {name: closed_form(p) for name, p in PATTERNS.items()}


@pytest.fixture(scope="module")
def exact():
    """Spikes at their exact times; the currents change at times that each neuron has of its own."""
    sections = max(len(p.current) for p in PATTERNS.values())
    begin, current = np.full((2, len(NAMES), sections), 1e6)
    for k, p in enumerate(PATTERNS.values()):
        begin[k, : len(p.current)] = np.cumsum([0.0, *(d for _, d in p.current[:-1])])
        current[k, : len(p.current)] = [i for i, _ in p.current]

    def drive(sections, t):
        out = jnp.zeros(())
        for start, value in sections:
            out = jnp.where(t >= start, value, out)
        return out

    pairs = [
        (jnp.asarray(begin[:, j]), jnp.asarray(np.where(current < 1e6, current, 0)[:, j])) for j in range(sections)
    ]
    gif = cell()
    sol = npt.neurons.exact_spikes(
        gif,
        jax.tree_util.Partial(drive, pairs),
        duration=1000.0,
        state=started(gif, None),
        max_spikes=80,
        jump_ts=begin,
        rtol=1e-11,
        atol=1e-11,
        max_steps=20000,
    )
    return up_to_its_end(sol.spike_times)


@pytest.mark.parametrize("name", NAMES)
def test_exact_spikes_are_those_of_the_closed_form(name, reference, exact):
    want = reference[name][0]
    assert len(exact[name]) == len(want) > 0
    # class 1 goes past the threshold by 2e-5 mV at 1e-6 mV/ms, which multiplies the solver's error in the voltage
    np.testing.assert_allclose(exact[name], want, rtol=0, atol=1e-3 if name == "class 1" else 1e-6)


def stepped(stepper, dt, stop):
    gif = cell(stepper)
    drive = np.zeros((round(stop / dt), len(NAMES)))
    for k, p in enumerate(PATTERNS.values()):
        steps = [round(d / dt) for _, d in p.current]
        drive[: sum(steps), k] = np.repeat([i for i, _ in p.current], steps)[: len(drive)]
    out = npt.simulate(
        gif, started(gif, dt), npt.Series(drive), dt=dt, duration=stop, record=["spike", "v", "v_th"]
    ).out
    out = {name: np.asarray(x) for name, x in out.items()}
    return up_to_its_end([(np.flatnonzero(s) + 1) * dt for s in out["spike"].T]), out


def test_traces_and_spikes_of_a_small_step_are_those_of_the_closed_form(reference):
    dt = 0.02
    spikes, out = stepped(npt.integrate.RK4(), dt, 1000.0)
    for k, name in enumerate(NAMES):
        want, trace = reference[name]
        assert len(spikes[name]) == len(want), name
        # each reset waits for the end of its step, and the threshold goes on meanwhile: both are late by so much
        late = spikes[name] - want
        assert (late > -1e-6).all() and (late <= 3 * dt * np.arange(1, len(want) + 1)).all(), (name, late)
        # of the voltage and the threshold before the first spike
        until = int((want[1] if want[0] == 0 else want[0]) / 0.1) if name != "class 2" else 1
        got = np.stack([out["v"][:, k], out["v_th"][:, k]], axis=1)[4::5][: until - 1]
        np.testing.assert_allclose(got, trace[1:until], rtol=0, atol=1e-7)


def intervals(t):
    return np.diff(t)


def bursts(t, gap):
    """Spikes between silences longer than `gap`."""
    return [len(part) for part in np.split(t, np.flatnonzero(np.diff(t) > gap) + 1)]


CRITERIA = {
    "tonic spiking": lambda t: len(t) == 9 and np.ptp(intervals(t)) < 0.11,
    "class 1": lambda t: len(t) == 1 and t[0] > 250,  # as late as one likes, just above the rheobase
    "spike frequency adaptation": lambda t: (intervals(intervals(t)) > 0).all() and intervals(t)[-1] > 21,
    "phasic spiking": lambda t: len(t) >= 1 and t[-1] < 200,
    "accommodation": lambda t: len(t) >= 1 and t[-1] < 100,  # to a step, and none to as high a staircase
    "threshold variability": lambda t: len(t) == 1 and t[0] > 250,  # after inhibition
    "rebound spike": lambda t: len(t) == 1 and t[0] > 806,
    "class 2": lambda t: len(t) >= 6 and intervals(t).max() < 60,  # just above the rheobase, and not slow
    "integrator": lambda t: len(t) == 1 and t[0] < 51,  # the near pair, not the far one
    # the same current finds it spiking the first time, and silent the second
    "input bistability": lambda t: ((t > 100) & (t < 500)).sum() >= 10 and t[-1] < 500,
    "hyperpolarisation-induced spiking": lambda t: len(t) == 3 and np.ptp(intervals(t)) < 0.2,
    "hyperpolarisation-induced bursting": lambda t: len(b := bursts(t, 30)) == 3 and min(b) >= 3,
    "tonic bursting": lambda t: len(b := bursts(t, 50)) == 4 and min(b) >= 4,
    "phasic bursting": lambda t: len(b := bursts(t, 50)) == 1 and b[0] >= 5 and t[-1] < 100,
    "rebound burst": lambda t: len(b := bursts(t, 50)) == 1 and b[0] >= 5 and t[0] > 600,
    "mixed mode": lambda t: (b := bursts(t, 20))[0] >= 6 and set(b[-5:]) == {1},
    "afterpotentials": lambda t: len(t) == 1 and t[0] < 15,
    # a pulse starts it, another one ends it
    "basal bistability": lambda t: ((t > 10) & (t < 100)).sum() > 10 and t[-1] < 115,
    "preferred frequency": lambda t: list(t > 400) == [False, True, True],  # pairs 10 and 50 ms apart
    "spike latency": lambda t: len(t) == 1 and t[0] > 10,
}


def test_the_patterns_are_what_they_are_called():
    """With the default stepper at a usual step too; a pattern is not its spike times."""
    found = stepped(None, 0.1, 1000.0)[0]
    wrong = {name: found[name] for name in NAMES if not CRITERIA[name](found[name])}
    assert not wrong
