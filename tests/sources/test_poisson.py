"""Poisson sources: how many spikes there are, cell by cell and step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

RATES = np.repeat([0.0, 5.0, 50.0, 500.0, 5000.0], 400)  # Hz
DT, STEPS = 0.1, 500


def sent(source, **options):
    options = {"duration": STEPS * DT, "key": jax.random.key(1)} | options
    return np.asarray(npt.simulate(source, source.init(dt=DT), dt=DT, record=["spike"], **options).out["spike"])


@pytest.mark.parametrize("counts", [False, True])
def test_the_number_of_spikes_is_that_of_the_rate(counts):
    """At least one in a step, with the probability 1 - exp(-rate dt), or as many as the law has: mean rate dt."""
    spikes = sent(npt.sources.Poisson(len(RATES), rate=RATES, counts=counts))
    assert spikes.shape == (STEPS, len(RATES)) and spikes.dtype == (float if counts else bool)
    mean = RATES[::400] * DT * 1e-3
    expected, variance = (mean, mean) if counts else (-np.expm1(-mean), -np.expm1(-mean) * np.exp(-mean))
    n = 400 * STEPS
    found = spikes.reshape(STEPS, 5, 400)
    # four standard errors; none without a rate
    assert (np.abs(found.mean((0, 2)) - expected) <= 4 * np.sqrt(variance / n)).all()
    # as many in the first half as in the second, and as many of the first cells as of the others
    for one, other in ((found[: STEPS // 2], found[STEPS // 2 :]), (found[..., :200], found[..., 200:])):
        gap = one.mean((0, 2)) - other.mean((0, 2))
        assert (np.abs(gap) <= 4 * np.sqrt(4 * variance / n)).all()
    if counts:
        assert (
            np.abs(found.var((0, 2)) - variance) <= 4 * variance * np.sqrt((1 / np.maximum(mean, 1e-9) + 2) / n)
        ).all()


def test_rates_over_time_from_a_series_a_function_and_an_input():
    """Each is that of its step: the same spikes; none after the end of a series; an input stands in for the rate."""
    steps = np.arange(STEPS)
    wave = np.where(steps < 320, 4000.0 * (steps % 100 < 50), 0.0)
    series = sent(npt.sources.Poisson(50, rate=npt.Series(wave[:320])))
    rate = lambda tick: jnp.where((tick.index % 100 < 50) & (tick.index < 320), 4000.0, 0.0)  # noqa: E731
    function = sent(npt.sources.Poisson(50, rate=rate))
    given = sent(npt.sources.Poisson(50, rate=1.0), inputs=npt.Series(wave))
    np.testing.assert_array_equal(series, function)
    np.testing.assert_array_equal(series, given)
    assert series[wave > 0].mean() == pytest.approx(-np.expm1(-0.4), abs=4 * np.sqrt(0.25 / (170 * 50)))
    assert not series[wave == 0].any()
    rows = npt.Series(np.broadcast_to(np.arange(50.0) % 2 * 4000.0, (STEPS, 50)))  # a rate for each cell
    by_cell = sent(npt.sources.Poisson(50, rate=rows))
    assert not by_cell[:, ::2].any() and by_cell[:, 1::2].any(0).all()
    late = sent(npt.sources.Poisson(50, rate=npt.Series(wave[:320])), start=40, duration=28.0)
    np.testing.assert_array_equal(late, series[40:320])


def test_a_rate_that_is_none_at_run_time_sends_nothing():
    for counts in (False, True):
        source = npt.sources.Poisson(3, rate=lambda tick: jnp.asarray([jnp.nan, -5.0, 5000.0]), counts=counts)
        spikes = sent(source)
        assert not spikes[:, :2].any() and spikes[:, 2].any()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (dict(size=3, rate=-1.0), "rate is -1"),
        (dict(size=3, rate=[1.0, 2.0]), r"shape \(2,\)"),
        (dict(size=-1, rate=1.0), "size is -1"),
        (dict(size=3, rate=npt.Series(np.ones((5, 2)))), r"rows of shape \(2,\); expected \(\) or \(3,\)"),
    ],
)
def test_what_is_no_rate_is_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        npt.sources.Poisson(**arguments)
