"""Kinetics as a user writes them, with what is easily forgotten."""

import jax.numpy as jnp
import pytest

import neuropytree as npt


class Forgetful(npt.synapses.AbstractKinetics):
    """Kinetics whose methods may be replaced."""

    relaxed: object = None
    received: object = None
    open: object = None

    def init(self, shape, dtype):
        return {"g": jnp.zeros(shape, dtype)}

    def relax(self, state, dt):
        return self.relaxed(state) if self.relaxed else state

    def receive(self, state, add):
        return self.received(state) if self.received else {"g": add(state["g"])}

    def mean(self, state, dt, rate=None):
        return self.open(state) if self.open else state["g"]


def run(kinetics):
    port = npt.Receptor(kinetics, npt.synapses.COBA(0.0))
    net = npt.Network(
        {"S": npt.sources.SpikeTimes(0, [1.0], size=1), "E": npt.Population(npt.neurons.LIF(3), {"in": port})},
        {"S->E": npt.Projection("S", "E.in", npt.connect.AllToAll())},
    )
    return npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=2.0, record=["E.in.g"])


@pytest.mark.parametrize(
    "options, says",
    [
        ({"relaxed": lambda state: None}, r"relax returns None; expected a state like \{'g': f64\[3\]\}"),
        ({"relaxed": lambda state: state["g"]}, r"relax returns f64\[3\]; expected a state like"),
        ({"relaxed": lambda state: {"g": jnp.zeros(2)}}, r"relax returns \{'g': f64\[2\]\}; expected a state like"),
        ({"received": lambda state: None}, "receive returns None; expected a state like"),
        ({"open": lambda state: None}, r"mean returns None; expected an array of shape \(3,\)"),
        ({"open": lambda state: state}, r"mean returns \{'g': f64\[3\]\}; expected an array of shape \(3,\)"),
        ({"open": lambda state: jnp.zeros(2)}, r"mean returns f64\[2\]; expected an array of shape \(3,\)"),
    ],
)
def test_what_a_method_returns_in_another_form_is_said(options, says):
    with pytest.raises(TypeError, match=f"Forgetful.{says}"):
        run(Forgetful(**options))


@pytest.mark.parametrize("made", [None, jnp.zeros(3), npt.Drive(jnp.zeros(2))], ids=["nothing", "a current", "shape"])
def test_an_output_that_makes_no_drive_is_said(made):
    class Output(npt.synapses.AbstractOutput):
        def __call__(self, g, v, tick):
            return made

    port = npt.Receptor(npt.synapses.Exponential(5.0), Output())
    net = npt.Network({"E": npt.Population(npt.neurons.LIF(3), {"in": port})})
    match = "Output returns .*; expected an npt.Drive|the input has shape"
    with pytest.raises((TypeError, ValueError), match=match):
        npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.0)


@pytest.mark.parametrize("made", [lambda x: None, lambda x: x, lambda x: (x["x"], x["x"])])
def test_an_emitter_that_returns_no_state_and_message_is_said(made):
    class Emitter(npt.synapses.AbstractEmitter):
        def init(self, shape, dtype, *, dt=None):
            return {"x": jnp.zeros(shape, dtype)}

        def step(self, state, spikes, v, tick):
            return made(state)

    net = npt.Network({"E": npt.Population(npt.neurons.LIF(3), emitters={"m": Emitter()})})
    with pytest.raises(
        TypeError, match="Emitter.step returns .*; expected a state like {'x': f64.3.}, and what is sent"
    ):
        npt.simulate(net, net.init(dt=0.1), dt=0.1, duration=1.0)


def test_as_it_should_be_it_runs():
    assert run(Forgetful()).out["E.in.g"][-1].tolist() == [1.0, 1.0, 1.0]
