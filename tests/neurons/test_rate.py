"""The linear rate that a membrane declares, against its field, for every neuron of the bank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.testing import neuron_bank

from ..helpers import quick_jit

N = 3


def slopes(cell, key):
    """The derivative of each voltage's slope by itself, at some state without conductances."""
    membrane = cell.init(dt=0.1, key=key).membrane
    leaves, structure = jax.tree.flatten(membrane)
    keys = jax.random.split(key, len(leaves))
    y = structure.unflatten([x + 0.3 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)])
    drive = npt.Drive(jnp.linspace(0.0, 5.0, N))

    def own(v):
        return cell.membrane.voltage(cell.vector_field(0.0, cell.membrane.put(y, v), drive))

    return jnp.diagonal(jax.jacfwd(own)(cell.membrane.voltage(y)))


@pytest.mark.parametrize("name", list(neuron_bank()))
def test_a_declared_rate_is_that_of_the_field(name):
    cell = neuron_bank()[name](N)
    found = np.asarray(quick_jit(jax.vmap(lambda key: slopes(cell, key)))(jax.random.split(jax.random.key(0), 4)))
    constant = np.ptp(found, axis=0).max() < 1e-12  # of slopes of order 0.01 to 1 per ms; rounding is 1e-16 of them
    rate = cell.membrane.rate
    assert (rate is not None) == constant
    if rate is not None:
        np.testing.assert_allclose(found[0], np.broadcast_to(-rate, N), rtol=1e-12, atol=1e-15)


def test_rates_of_several_neurons_and_membranes_around_others():
    tau = np.array([5.0, 10.0, 20.0])
    for cell in (npt.neurons.LIF(3, tau=tau), npt.neurons.ALIF(3, tau=tau), npt.neurons.GIF(3, tau=tau)):
        np.testing.assert_allclose(cell.membrane.rate, 1 / tau, rtol=1e-15)
    leaky = npt.neurons.LeakyMembrane(v_rest=0.0, tau=jnp.asarray(tau))
    np.testing.assert_allclose(npt.neurons.AdaptiveMembrane(leaky, a=0.5, tau_w=10.0).rate, 1 / tau, rtol=1e-15)
    np.testing.assert_array_equal(npt.neurons.IF(3, tau=tau).membrane.rate, np.zeros(3))
    quadratic = npt.neurons.QuadraticMembrane(v_rest=-65.0, v_c=-50.0, c=0.07, tau=10.0)
    assert npt.neurons.AdaptiveMembrane(quadratic, a=0.5, tau_w=10.0).rate is None
