"""Rates, regularity and pictures of spike trains, against what is counted by hand."""

import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest

import neuropytree as npt

matplotlib.use("agg")
DT = 0.5
# three neurons in 40 steps: every fourth step, at irregular times, and two spikes only
TRAINS = np.zeros((40, 3))
TRAINS[1::4, 0] = TRAINS[[2, 6, 8, 20, 35], 1] = TRAINS[[5, 6], 2] = 1.0
TS = (np.arange(40) + 1) * DT


@pytest.mark.parametrize(
    ("width", "half"), [(0.1, 0), (0.5, 0), (1.4, 1), (1.5, 1), (2.4, 2), (2.5, 2), (5.0, 4), (1e3, 1000)]
)
def test_the_rate_is_the_number_of_spikes_in_the_box_over_its_length(width, half):
    """Boxes of an odd number of steps, of which at the ends only what lies inside counts."""
    want = [
        TRAINS[max(0, k - half) : k + half + 1].sum() / 3 / (len(TRAINS[max(0, k - half) : k + half + 1]) * DT) * 1e3
        for k in range(40)
    ]
    np.testing.assert_allclose(npt.measure.firing_rate(TRAINS, dt=DT, width=width), want, rtol=1e-12)
    np.testing.assert_allclose(npt.measure.firing_rate(TRAINS > 0, dt=DT, width=width), want, rtol=1e-12)
    # spikes that count twice
    np.testing.assert_allclose(npt.measure.firing_rate(2 * TRAINS, dt=DT, width=width), 2 * np.array(want), rtol=1e-12)


def test_the_coefficient_of_variation_is_that_of_the_intervals():
    got = npt.measure.isi_cv(TS, TRAINS)
    intervals = np.array([4, 2, 12, 15])
    assert got[0] == 0.0 and np.isnan(got[2])
    assert got[1] == pytest.approx(np.sqrt(np.mean(intervals**2) / intervals.mean() ** 2 - 1), rel=1e-12)
    # whatever the times' unit and origin; and with a higher demand one more neuron has too few
    np.testing.assert_allclose(npt.measure.isi_cv(1e3 * TS + 7.0, TRAINS), got, rtol=1e-12, atol=1e-12)
    assert np.isnan(npt.measure.isi_cv(TS, TRAINS, min_spikes=6)).tolist() == [False, True, True]


def test_dots_are_at_the_times_and_numbers_of_the_neurons():
    (line,) = npt.visualize.raster_plot(TS, TRAINS, offset=10).lines
    want = {(1.5, 11), (3.5, 11), (4.5, 11), (10.5, 11), (18.0, 11), (3.0, 12), (3.5, 12)}
    want |= {(t, 10) for t in np.arange(1.0, 20.0, 2.0)}
    assert {tuple(dot) for dot in line.get_xydata().tolist()} == want and line.get_linestyle() == "None"
    axes = npt.visualize.rate_plot(TS, TRAINS[:, 0])
    assert npt.visualize.rate_plot(TS, TRAINS[:, 1], ax=axes, color="k") is axes and len(axes.lines) == 2
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), np.stack([TS, TRAINS[:, 1]], 1))
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (ms)", "rate (Hz)")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda: npt.measure.firing_rate(TRAINS[:, 0], dt=DT, width=1.0),
            r"spikes has shape \(40,\); expected \(times",
        ),
        (
            lambda: npt.measure.firing_rate(TRAINS, dt=DT, width=-1.0),
            "width is -1; expected a positive, finite number of ms",
        ),
        (lambda: npt.measure.firing_rate(TRAINS, dt=DT, width=np.nan), "width is nan; expected a positive"),
        (lambda: npt.measure.firing_rate(TRAINS, dt=0.0, width=1.0), "dt is 0.0; expected"),
        (lambda: npt.measure.isi_cv(TS[1:], TRAINS), r"ts has shape \(39,\) and spikes \(40, 3\); expected"),
        (lambda: npt.measure.isi_cv(TS, TRAINS, min_spikes=2), "min_spikes is 2; expected a whole number from 3"),
        (lambda: npt.visualize.raster_plot(TS[1:], TRAINS), r"ts has shape \(39,\) and spikes \(40, 3\)"),
        (lambda: npt.visualize.raster_plot(TS, jnp.zeros(40)), r"spikes \(40,\); expected"),
    ],
)
def test_shapes_and_widths_that_do_not_fit_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()
