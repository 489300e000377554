"""Lists of everything that comes in kinds: an entry buys the tests that all of its kind must pass."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from .. import channels, connect, init, integrate, network, neurons, sources, surrogate, synapses
from .._node import AbstractNode


def neuron_bank() -> dict[str, Callable[[int], neurons.AbstractNeuron]]:
    """Every neuron by name, as a function of its size; with parameters such that a current of 30 makes it spike, if
    anything does."""
    base: dict[str, Any] = {"v_rest": -60.0, "v_th": -50.0, "v_reset": -60.0, "tau": 20.0}
    return {
        "LIF": lambda n: neurons.LIF(n, **base),
        "LIF, refractory": lambda n: neurons.LIF(n, **base, t_ref=2.0),
        "LIF, soft reset": lambda n: neurons.LIF(n, **base, reset="soft", surrogate=surrogate.Sigmoid),
        "LIF, noise": lambda n: neurons.LIF(n, **base, t_ref=1.0, sigma=0.5, v_init=init.Normal(-55.0, 2.0)),
        "LIF, boolean spikes": lambda n: neurons.LIF(n, **base, t_ref=2.0, surrogate=None),
        "HH": neurons.HH,
        "ThalamicRelay": neurons.ThalamicRelay,
        "LIF, relative refractoriness": lambda n: neurons.LIF(
            n, **base, t_ref=1.0, relative=neurons.RelativeRefractory(raise_by=5.0, tau=10.0), detach_reset=True
        ),
        "IF": lambda n: neurons.IF(n),
        "LeakyIntegrator": lambda n: neurons.LeakyIntegrator(n, v_rest=-60.0),
        "ExpIF": lambda n: neurons.ExpIF(n),
        "AdExIF": lambda n: neurons.AdExIF(n, t_ref=1.0),
        "QuaIF": lambda n: neurons.QuaIF(n),
        "AdQuaIF": lambda n: neurons.AdQuaIF(n),
        "GIF": lambda n: neurons.GIF(n, a=0.01, a1=5.0, a2=-0.5, reset="soft"),
        "Izhikevich": lambda n: neurons.Izhikevich(n, surrogate=None),
        "ALIF": lambda n: neurons.ALIF(n, tau_a=200.0),
        "ALIF, no reset": lambda n: neurons.ALIF(n, tau_a=200.0, reset=None),
        "FitzHughNagumo": lambda n: neurons.FitzHughNagumo(n),
        "FitzHughNagumo, reset": lambda n: neurons.FitzHughNagumo(n, reset="hard", v_reset=-1.0, t_ref=1.0),
        "HindmarshRose": lambda n: neurons.HindmarshRose(n),
        "PinskyRinzel": neurons.PinskyRinzel,
        # with a reset: at a current of 30 the voltage would stay where explicit steps are unstable
        "FractionalFHR": lambda n: neurons.FractionalFHR(n, alpha=0.8, num_memory=50, reset="hard", v_reset=-1.0),
        "FractionalIzhikevich": lambda n: neurons.FractionalIzhikevich(
            n, alpha={"v": 0.9, "u": 0.8}, num_memory=200, surrogate=surrogate.Sigmoid
        ),
    }


def channel_bank() -> dict[str, channels.AbstractChannel]:
    """Every ion channel by name, with its default parameters."""
    kinds: list[type[channels.AbstractChannel]] = [
        channels.IAHP_De1994,
        channels.IAHP_PR1994,
        channels.ICa_ML1981,
        channels.ICa_PR1994,
        channels.ICaHT_HM1992,
        channels.ICaHT_Re1993,
        channels.ICaL_IS2008,
        channels.ICaN_IS2008,
        channels.ICaT_De1996,
        channels.ICaT_HM1992,
        channels.ICaT_HP1992,
        channels.Ih_De1996,
        channels.Ih_HM1992,
        channels.IK_CS1977,
        channels.IK_HH1952,
        channels.IK_ML1981,
        channels.IK_PR1994,
        channels.IK_TM1991,
        channels.IK_WB1996,
        channels.IKA1_HM1992,
        channels.IKA2_HM1992,
        channels.IKA_CS1977,
        channels.IKC_PR1994,
        channels.IKDR_Ba2002,
        channels.IKK2A_HM1992,
        channels.IKK2B_HM1992,
        channels.IKLeak,
        channels.IKNI_Ya1989,
        channels.IL,
        channels.INa_Ba2002,
        channels.INa_CS1977,
        channels.INa_HH1952,
        channels.INa_PR1994,
        channels.INa_TM1991,
        channels.INa_WB1996,
    ]
    return {kind.__name__: kind() for kind in kinds}


def synapse_bank() -> dict[str, synapses.Receptor]:
    """Every kinetics and every output of a synapse, as receptors."""
    return {
        "Exponential, COBA": synapses.Receptor(synapses.Exponential(5.0), synapses.COBA(0.0)),
        "Exponential, CUBA": synapses.Receptor(synapses.Exponential(10.0), synapses.CUBA()),
        "Direct, CUBA": synapses.Receptor(synapses.Direct(), synapses.CUBA()),
    }


def node_bank() -> dict[str, AbstractNode]:
    """Every node of networks by name, with elements that send something within 5 ms: at an input of 60, or without one
    if they have no ports."""
    ports = {"in": synapses.Receptor(synapses.Exponential(5.0), synapses.CUBA()), "jump": synapses.Delta()}
    direct = {"in": synapses.Receptor(synapses.Direct(), synapses.CUBA())}
    cells = network.Population(neurons.LIF(4, tau=10.0, t_ref=1.0, sigma=0.1), ports)
    return {
        "Population": cells,
        "Population, boolean spikes": network.Population(neurons.LIF(4, tau=10.0, surrogate=None), ports),
        "Population, HH": network.Population(neurons.HH(4), {"in": ports["in"]}),
        "Population, rates": network.Population(neurons.LeakyIntegrator(4, tau=10.0), direct),
        "Substeps": network.Substeps(cells, 3),
        "Layer": network.Layer(jnp.tanh, in_size=4),
        "SpikeTimes": sources.SpikeTimes([0, 1, 2, 3], [1.0, 1.5, 2.0, 4.0], size=4),
        "SpikeTimes, counts": sources.SpikeTimes([0, 0, 2, 3], [1.0, 1.01, 2.0, 4.0], size=4, counts=True),
        "Poisson": sources.Poisson(4, rate=500.0),
        "Poisson, counts": sources.Poisson(4, rate=5000.0, counts=True),
    }


def stepper_bank() -> dict[str, tuple[integrate.AbstractStepper, int]]:
    """Every stepper without noise by name, with its order on a nonlinear problem."""
    import diffrax

    tight = diffrax.VeryChord(rtol=1e-12, atol=1e-12)
    explicit: list[integrate.ExplicitRungeKutta] = [
        integrate.Euler(),
        integrate.MidPoint(),
        integrate.Heun2(),
        integrate.Ralston2(),
        integrate.RK2(0.7),
        integrate.HeunEuler(),
        integrate.RKF12(),
        integrate.RK3(),
        integrate.Heun3(),
        integrate.Ralston3(),
        integrate.SSPRK3(),
        integrate.BogackiShampine(),
        integrate.RK4(),
        integrate.RK4Rule38(),
        integrate.Ralston4(),
        integrate.RKF45(),
        integrate.CashKarp(),
        integrate.DormandPrince(),
    ]
    found: dict[str, tuple[integrate.AbstractStepper, int]] = {
        stepper.tableau.name: (stepper, stepper.tableau.order) for stepper in explicit
    }
    return found | {
        "ExponentialEuler": (integrate.ExponentialEuler(), 1),
        "ExponentialHeun": (integrate.ExponentialHeun(), 2),
        "BackwardEuler": (integrate.BackwardEuler(), 1),
        "CrankNicolson": (integrate.CrankNicolson(), 2),
        "Diffrax, Heun": (integrate.Diffrax(diffrax.Heun()), 2),
        "Diffrax, Bosh3": (integrate.Diffrax(diffrax.Bosh3()), 3),
        "Diffrax, ImplicitEuler": (integrate.Diffrax(diffrax.ImplicitEuler(root_finder=tight)), 1),
    }


def fractional_stepper_bank() -> dict[str, type[integrate.AbstractFractionalStepper]]:
    """Every stepper for fractional equations by name; all are of order 1."""
    kinds = [integrate.CaputoEuler, integrate.CaputoL1, integrate.GLShortMemory]
    return {kind.__name__: kind for kind in kinds}


def sde_stepper_bank() -> dict[str, tuple[integrate.AbstractSDEStepper, float]]:
    """Every stepper for noise by name, with its strong order for noise that is diagonal or scalar."""
    return {
        "EulerMaruyama": (integrate.EulerMaruyama(), 0.5),
        "ExponentialEulerMaruyama": (integrate.ExponentialEulerMaruyama(), 0.5),
        "EulerHeun": (integrate.EulerHeun(), 1.0),
        "StochasticHeun": (integrate.StochasticHeun(), 1.0),
        "Milstein, Ito": (integrate.Milstein(), 1.0),
        "Milstein, Stratonovich": (integrate.Milstein("stratonovich"), 1.0),
        "MilsteinGradFree, Ito": (integrate.MilsteinGradFree(), 1.0),
        "MilsteinGradFree, Stratonovich": (integrate.MilsteinGradFree("stratonovich"), 1.0),
        "KlPl": (integrate.KlPl(), 1.0),
        "SRK1W1": (integrate.SRK1W1(), 1.5),
        "SRK2W1": (integrate.SRK2W1(), 1.5),
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
