"""Parameters other than the default ones: shifts along the voltage, factors of rates, temperatures, conductances."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neuropytree.testing import channel_bank

from .test_channels import pools

CHANNELS = channel_bank()
V = jnp.array([-93.7, -71.3, -52.9, -31.1, 4.3])
IONS = pools(jnp.asarray(1e-3))


def having(*names):
    found = [(channel, name) for channel, c in CHANNELS.items() for name in names if hasattr(c, name)]
    return pytest.mark.parametrize(("name", "parameter"), found)


def changed(name, **parameters):
    c = CHANNELS[name]
    given = {field.name: getattr(c, field.name) for field in dataclasses.fields(c)}
    return type(c)(**(given | parameters))


def kinetics(channel, v):
    """Rates and rests of the gates, and the conductance, with gates that are open to different parts."""
    start = channel.init(V, IONS)
    gates = {gate: 0.2 + 0.1 * n + 0 * V for n, gate in enumerate(start)}
    moves = channel.kinetics(v, gates, IONS)
    rates, rests = ({g: jnp.broadcast_to(x, v.shape) for g, x in part.items()} for part in (
        {g: k.rate for g, k in moves.items()}, {g: k.rest for g, k in moves.items()}
    ))  # fmt: skip
    return rates, rests, jnp.broadcast_to(channel.conductance(v, gates, IONS), v.shape)


def same(got, want):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), got, want)


@having("v_sh", "v_1", "v_3")
def test_a_shift_moves_all_along_the_voltage(name, parameter):
    shift = 7.5
    moved = changed(name, **{parameter: getattr(CHANNELS[name], parameter) + shift})
    same(kinetics(moved, V + shift), kinetics(CHANNELS[name], V))
    before, after = (jax.tree.leaves(kinetics(c, V)) for c in (CHANNELS[name], moved))
    assert any(np.abs(a / b - 1).max() > 1e-3 for a, b in zip(after, before, strict=True))


@having("phi")
def test_a_factor_speeds_up_all_gates_and_changes_nothing_else(name, parameter):
    rates, rests, g = kinetics(CHANNELS[name], V)
    other, same_rests, same_g = kinetics(changed(name, phi=1.7 * CHANNELS[name].phi), V)
    same(other, {gate: 1.7 * rate for gate, rate in rates.items()})
    same((same_rests, same_g), (rests, g))


# by what ten degrees speed the gates up, as published
TEN_DEGREES = {
    "ICaT_HM1992": {"m": 3.55, "h": 3.0},
    "ICaHT_HM1992": {"m": 3.55, "h": 3.0},
    "ICaL_IS2008": {"m": 3.55, "h": 3.0},
    "ICaT_HP1992": {"m": 5.0, "h": 3.0},
    "ICaT_De1996": {"h": 3.0},
    "ICaHT_Re1993": {"m": 2.3, "h": 2.3},
    "IKDR_Ba2002": {"n": 3.0},
    "INa_Ba2002": {"m": 3.0, "h": 3.0},
}


@having("celsius")
def test_ten_degrees_speed_the_gates_up(name, parameter):
    cold, warm = (kinetics(changed(name, celsius=t), V) for t in (26.0, 36.0))
    if name == "Ih_De1996":  # of which one rate is faster, that of opening and closing; that of locking is not
        alone = [changed(name, celsius=t, k_4=1e-18) for t in (26.0, 36.0)]
        (slow, rest, _), (fast, same_rest, _) = (kinetics(c, V) for c in alone)
        np.testing.assert_allclose(fast["open"], 3.0 * slow["open"], rtol=1e-6)
        np.testing.assert_allclose(same_rest["open"], rest["open"], rtol=1e-6)
        same({g: warm[0][g] for g in ("locked", "bound")}, {g: cold[0][g] for g in ("locked", "bound")})
        return
    same(warm[0], {gate: TEN_DEGREES[name][gate] * rate for gate, rate in cold[0].items()})
    same(warm[1:], cold[1:])


@pytest.mark.parametrize("name", [name for name, c in CHANNELS.items() if hasattr(c, "g")])
def test_the_conductance_is_in_proportion_to_its_largest(name):
    rates, rests, g = kinetics(CHANNELS[name], V)
    other = changed(name, g=2.5 * CHANNELS[name].g)
    same(kinetics(other, V), (rates, rests, 2.5 * g))
