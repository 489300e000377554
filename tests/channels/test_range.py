"""Channels far outside of any membrane's range, where a solver or a clamp may take them for a moment."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt

from .test_channels import CHANNELS


@pytest.mark.parametrize("x64", [True, False], ids=["f64", "f32"])
@pytest.mark.parametrize("name", CHANNELS)
def test_kinetics_drive_and_their_derivatives_are_finite_at_any_voltage(name, x64):
    with jax.enable_x64(x64):
        v = jnp.concatenate([jnp.linspace(-1000.0, 1000.0, 4001), jnp.linspace(-1e4, 1e4, 201)])
        channel = jax.tree.map(lambda x: x.astype(v.dtype), CHANNELS[name])
        ions = {ion: npt.ions.Pool(c=jnp.asarray(1e-3, v.dtype), e=jnp.asarray(50.0, v.dtype)) for ion in channel.needs}
        gates = channel.init(jnp.full_like(v, -60.0), ions)

        def everything(v):
            return channel.kinetics(v, gates, ions), channel.drive(v, gates, ions)

        def total(v):
            return sum(jnp.sum(x) for x in jax.tree.leaves(everything(v)))

        found = jax.jvp(everything, (v,), (jnp.ones_like(v),)), jax.grad(total)(v)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))
