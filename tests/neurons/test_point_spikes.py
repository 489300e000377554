"""Spikes of point neurons with resets, jumps and refractory periods, against SciPy's solver restarted at each of them.

Those that have a reference of their own elsewhere are left out: LIF, QuaIF and GIF (closed forms), AdExIF (NEST),
ALIF (a loop by hand).
"""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neuropytree as npt

from .test_point_neurons import CASES

DURATION = 60.0
# arguments, current, threshold, what a spike does to the variables, and for how long (ms) the voltage is then held
SPIKING = {
    "ExpIF": ({"t_ref": 1.5}, 12.0, -55.0, lambda y: [-68.0], 1.5),
    "AdQuaIF": ({"reset": "soft"}, 25.0, -30.0, lambda y: [y[0] - 38.0, y[1] + 0.1], 0.0),
    "Izhikevich": ({"t_ref": 2.0}, 16.0, 30.0, lambda y: [-65.0, y[1] + 8.0], 2.0),
    "FitzHughNagumo": ({"reset": "hard", "v_reset": -1.0, "t_ref": 3.0}, 0.8, 1.8, lambda y: [-1.0, y[1]], 3.0),
    "HindmarshRose": (
        {"reset": "soft", "v_reset": -1.0, "t_ref": 3.0},
        3.0,
        1.0,
        lambda y: [y[0] - 2.0, y[1], y[2]],
        3.0,
    ),
}


def restarted(field, y, current, v_th, after, hold):
    """Spike times and the variables at the end."""

    def advance(slope, t, y, end, **options):
        sol = solve_ivp(slope, (t, end), y, "DOP853", rtol=1e-12, atol=1e-12, max_step=0.5, **options)
        return sol.t[-1], sol.y[:, -1], sol.status == 1

    reaches = lambda t, y: y[0] - v_th  # noqa: E731
    reaches.terminal, reaches.direction = True, 1
    t, times = 0.0, []
    while t < DURATION:
        t, y, spikes = advance(lambda t, y: field(y, current), t, y, DURATION, events=reaches)
        if spikes:
            times.append(t)
            y = after(y)
            if hold:
                t, y, _ = advance(lambda t, y: [0.0, *field(y, current)[1:]], t, y, min(t + hold, DURATION))
    return times, y


@pytest.mark.parametrize("name", list(SPIKING))
def test_spikes_are_those_of_scipy_restarted_at_each(name):
    options, current, v_th, after, hold = SPIKING[name]
    make, field, _ = CASES[name]
    cell = make(**options)
    state = cell.init(dt=0.01)
    begin = [float(x[0]) for x in vars(state.membrane).values()]
    times, end = restarted(field, begin, current, v_th, after, hold)
    sol = npt.neurons.exact_spikes(cell, current, duration=DURATION, max_spikes=40, state=state)
    assert int(sol.n_spikes[0]) == len(times) >= 2
    # the solver's tolerance is 1e-9, and each interval multiplies what the last one left
    np.testing.assert_allclose(sol.spike_times[0, : len(times)], times, rtol=0, atol=1e-5)
    np.testing.assert_allclose([x[0] for x in vars(sol.y).values()], end, rtol=1e-4, atol=1e-4)
