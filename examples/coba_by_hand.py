"""The E/I network as a step of one's own, out of the same parts, without `npt.Network`.

A model is anything with `init` and `step`. This one has two populations and four
projections, and its step is written out line by line. It prints that it gives, bit for
bit, the spikes and the final voltages of `npt.Network`.

    python examples/coba_by_hand.py
"""

import equinox as eqx
import jax
import numpy as np

import neuropytree as npt


class State(eqx.Module):
    """Cells and conductances."""

    e: npt.neurons.NeuronState
    i: npt.neurons.NeuronState
    e_exc: npt.synapses.ExponentialState
    e_inh: npt.synapses.ExponentialState
    i_exc: npt.synapses.ExponentialState
    i_inh: npt.synapses.ExponentialState


class ByHand(npt.AbstractDynamics):
    """Excitatory and inhibitory cells, their two receptors, and four connectivities."""

    e: npt.neurons.PointNeuron
    i: npt.neurons.PointNeuron
    exc: npt.Receptor
    inh: npt.Receptor
    ee: npt.connect.CSR
    ei: npt.connect.CSR
    ie: npt.connect.CSR
    ii: npt.connect.CSR

    def init(self, *, dt=None, key=None):
        keys = jax.random.split(key)
        e, i = self.e.init(dt=dt, key=keys[0]), self.i.init(dt=dt, key=keys[1])
        e_exc, e_inh = (
            receptor.init(self.e.shape, e.v.dtype) for receptor in (self.exc, self.inh)
        )
        i_exc, i_inh = (
            receptor.init(self.i.shape, i.v.dtype) for receptor in (self.exc, self.inh)
        )
        return State(e, i, e_exc, e_inh, i_exc, i_inh)

    def step(self, state, input, tick):
        # what flows over the step: the mean of what is open from its beginning on
        drive = npt.Drive.of(input, state.e.v.dtype)
        to_e = (
            drive
            + self.exc.drive(state.e_exc, state.e.v, tick)
            + self.inh.drive(state.e_inh, state.e.v, tick)
        )
        to_i = (
            drive
            + self.exc.drive(state.i_exc, state.i.v, tick)
            + self.inh.drive(state.i_inh, state.i.v, tick)
        )
        # cells move, spike and reset
        e, e_spike = self.e.step(state.e, to_e, tick.fold("E"))
        i, i_spike = self.i.step(state.i, to_i, tick.fold("I"))
        # receptors relax to the end of the step, then what arrives there is added
        e_exc = self.exc.receive(
            self.exc.relax(state.e_exc, tick), lambda g: self.ee(e_spike, g)
        )
        e_inh = self.inh.receive(
            self.inh.relax(state.e_inh, tick), lambda g: self.ie(i_spike, g)
        )
        i_exc = self.exc.receive(
            self.exc.relax(state.i_exc, tick), lambda g: self.ei(e_spike, g)
        )
        i_inh = self.inh.receive(
            self.inh.relax(state.i_inh, tick), lambda g: self.ii(i_spike, g)
        )
        return State(e, i, e_exc, e_inh, i_exc, i_inh), {"E": e_spike, "I": i_spike}


def cell(n):
    return npt.neurons.LIF(
        n,
        v_rest=-60.0,
        v_th=-50.0,
        v_reset=-60.0,
        tau=20.0,
        t_ref=5.0,
        v_init=npt.init.Normal(-55.0, 2.0),
    )


def main(n_exc=3200, n_inh=800, duration=1000.0):
    exc = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))
    inh = npt.Receptor(
        npt.synapses.Exponential(tau=10.0), npt.synapses.COBA(e_rev=-80.0)
    )
    rule = npt.connect.FixedProb(min(1.0, 80 / (n_exc + n_inh)))
    receptors = {"exc": exc, "inh": inh}
    net = npt.Network(
        populations={
            "E": npt.Population(cell(n_exc), receptors),
            "I": npt.Population(cell(n_inh), receptors),
        },
        projections={
            "E->E": npt.Projection("E", "E.exc", rule, weight=0.6),
            "E->I": npt.Projection("E", "I.exc", rule, weight=0.6),
            "I->E": npt.Projection("I", "E.inh", rule, weight=6.7),
            "I->I": npt.Projection("I", "I.inh", rule, weight=6.7),
        },
        key=jax.random.key(0),
    )
    wires = [net.pathways[name].connect for name in ("E->E", "E->I", "I->E", "I->I")]
    hand = ByHand(cell(n_exc), cell(n_inh), exc, inh, *wires)

    start = net.init(dt=0.1, key=jax.random.key(1))
    same = [start.nodes[name].cell for name in ("E", "I")]
    hand_start = eqx.tree_at(
        lambda s: [s.e, s.i], hand.init(dt=0.1, key=jax.random.key(1)), same
    )

    def record(state, output):
        return output

    run = {"dt": 0.1, "duration": duration, "record": record}
    ours = npt.simulate(net, start, {"E": 20.0, "I": 20.0}, **run)
    theirs = npt.simulate(hand, hand_start, 20.0, **run)
    same_spikes = all(
        np.array_equal(ours.out[name], theirs.out[name]) for name in ("E", "I")
    )
    same_voltages = np.array_equal(ours.state.nodes["E"].cell.v, theirs.state.e.v)
    print(f"{int(ours.out['E'].sum() + ours.out['I'].sum())} spikes in {duration:g} ms")
    print(
        f"spikes the same bit for bit: {same_spikes}; final voltages: {same_voltages}"
    )
    return same_spikes and same_voltages


if __name__ == "__main__":
    main()
