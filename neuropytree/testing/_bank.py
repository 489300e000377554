"""Lists of everything that comes in kinds: an entry buys the tests that all of its kind must pass."""

from collections.abc import Callable
from typing import Any

from .. import connect, init, integrate, neurons, surrogate, synapses


def neuron_bank() -> dict[str, Callable[[int], neurons.PointNeuron]]:
    """Every neuron by name, as a function of its size; with parameters such that a current of 30 makes it spike."""
    base: dict[str, Any] = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0}
    return {
        "LIF": lambda n: neurons.LIF(n, **base),
        "LIF, refractory": lambda n: neurons.LIF(n, **base, t_ref=2.0),
        "LIF, soft reset": lambda n: neurons.LIF(n, **base, reset="soft", surrogate=surrogate.Sigmoid),
        "LIF, noise": lambda n: neurons.LIF(n, **base, t_ref=1.0, sigma=0.5, v_init=init.Normal(-55.0, 2.0)),
        "LIF, boolean spikes": lambda n: neurons.LIF(n, **base, t_ref=2.0, surrogate=None),
        "LIF, relative refractoriness": lambda n: neurons.LIF(
            n, **base, t_ref=1.0, relative=neurons.RelativeRefractory(raise_by=5.0, tau=10.0), detach_reset=True
        ),
        "IF": lambda n: neurons.IF(n),
        "ExpIF": lambda n: neurons.ExpIF(n),
        "AdExIF": lambda n: neurons.AdExIF(n, t_ref=1.0),
        "QuaIF": lambda n: neurons.QuaIF(n),
        "AdQuaIF": lambda n: neurons.AdQuaIF(n),
        "GIF": lambda n: neurons.GIF(n, a=0.01, a1=5.0, a2=-0.5, reset="soft"),
        "Izhikevich": lambda n: neurons.Izhikevich(n, surrogate=None),
        "ALIF": lambda n: neurons.ALIF(n, tau_a=200.0),
        "FitzHughNagumo": lambda n: neurons.FitzHughNagumo(n),
        "HindmarshRose": lambda n: neurons.HindmarshRose(n),
    }


def synapse_bank() -> dict[str, synapses.Receptor]:
    """Every kinetics and every output of a synapse, as receptors."""
    return {
        "Exponential, COBA": synapses.Receptor(synapses.Exponential(5.0), synapses.COBA(0.0)),
        "Exponential, CUBA": synapses.Receptor(synapses.Exponential(10.0), synapses.CUBA()),
    }


def stepper_bank() -> dict[str, tuple[integrate.AbstractStepper, int]]:
    """Every stepper without noise by name, with its order on a nonlinear problem."""
    import diffrax

    tight = diffrax.VeryChord(rtol=1e-12, atol=1e-12)
    return {
        "Euler": (integrate.Euler(), 1),
        "ExponentialEuler": (integrate.ExponentialEuler(), 1),
        "RK4": (integrate.RK4(), 4),
        "Diffrax, Heun": (integrate.Diffrax(diffrax.Heun()), 2),
        "Diffrax, Bosh3": (integrate.Diffrax(diffrax.Bosh3()), 3),
        "Diffrax, ImplicitEuler": (integrate.Diffrax(diffrax.ImplicitEuler(root_finder=tight)), 1),
    }


def connector_bank() -> dict[str, connect.AbstractConnector]:
    """Every rule of wiring by name."""
    return {
        "FixedProb": connect.FixedProb(0.3),
        "FixedProb, no self": connect.FixedProb(0.3, include_self=False),
        "AllToAll": connect.AllToAll(),
        "AllToAll, no self": connect.AllToAll(include_self=False),
        "OneToOne": connect.OneToOne(),
        "JITFixedProb": connect.JITFixedProb(0.3),
        "JITFixedProb, no self": connect.JITFixedProb(0.3, include_self=False),
    }


def surrogate_bank() -> dict[str, surrogate.AbstractSurrogate]:
    """Every surrogate by name."""
    return {"Sigmoid": surrogate.Sigmoid(4.0), "PiecewiseExp": surrogate.PiecewiseExp(1.5)}
