"""What `test_arguments.py` walks: every public constructor and function with values as arguments, with values that
are good, and the reasons why some odd ones are too."""

import fnmatch
import inspect
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

import neuropytree as npt

PARTS = npt.neurons
PACKAGES = (
    npt,
    npt.channels,
    npt.connect,
    npt.delay,
    npt.init,
    npt.integrate,
    npt.ions,
    npt.measure,
    npt.neurons,
    npt.random,
    npt.record,
    npt.sources,
    npt.surrogate,
    npt.synapses,
)
# what a run or a step makes, and what is called within a step with what the model computes
MADE = {
    "*State": "a state, which init and step make",
    "neurons.Voltage": "a state",
    "neurons.AdaptiveVoltage": "a state",
    "neurons.Moved": "the middle of a step",
    "integrate.FractionalMemory": "a state",
    "integrate.HybridSolution": "a result",
    "integrate.Trajectory": "a result",
    "npt.Solution": "a result",
    "record.EventList": "a result",
    "record.Blocks": "a result, of load",
    "record.About": "what a run tells a sink",
    "delay.Line": "a state, made by `filled`",
    "npt.Tick": "made by `at`",
    "npt.Drive": "what flows in a step; that of an input is looked at by simulate",
    "random.Stream": "made of the key of a run",
    "ions.Pool": "what a channel sees of an ion in a step",
    "integrate.Linear": "coefficients that a field computes in a step",
    "integrate.Chord": "coefficients that a field computes in a step",
    "integrate.Tangent": "coefficients that a field computes in a step",
    "integrate.Relaxation": "coefficients that a field computes in a step",
    "integrate.relaxed": "for steppers of one's own, within a step",
    "integrate.secant": "for steppers of one's own, within a step",
    "integrate.depends": "for models of one's own: looks at a function, at no value",
    "channels.alpha_beta": "for channels of one's own, within a step",
    "channels.inf_tau": "for channels of one's own, within a step",
    "channels.linoid": "for channels of one's own, within a step",
    "delay.check_line": "for nodes of one's own: itself a check",
    "delay.check_delay": "itself a check",
    "integrate.GeneralNoise": "what a field makes in a step, where its form is looked at",
    "integrate.ScalarNoise": "what a field makes in a step, where its form is looked at",
    "neurons.CableMembrane": "made by Compartments, which is walked",
    "connect.Embedded": "made by a Network of slices, which are walked",
    "connect.embedded": "made by a Network of slices, which are walked",
    "connect.check": "itself a check",
    "connect.with_impl": "takes any tree",
    "delay.History": "a type",
    "connect.Weight": "a type",
}


class Reached(Exception):  # noqa: N818
    """A run has begun: everything that it was given has been looked at."""


def stop(*args: Any) -> Any:
    raise Reached


class Stopped(PARTS.AbstractMembrane):
    """A membrane whose first step ends the test."""

    def init(self, shape: tuple[int, ...], *, key: Any) -> Any:
        return PARTS.Voltage(jnp.zeros(shape))

    def vector_field(self, t: Any, y: Any, u: Any) -> Any:
        raise Reached


KEY = jax.random.key(0)
LEAKY = PARTS.LeakyMembrane(v_rest=-60.0, tau=20.0)
THRESHOLD = PARTS.Threshold(-50.0, None)
RECEPTOR = npt.Receptor(npt.synapses.Exponential(5.0), npt.synapses.CUBA())
CELL = npt.neurons.LIF(3, v_init=-1.0)
STOPPED = PARTS.PointNeuron(3, membrane=Stopped(), threshold=THRESHOLD, reset=PARTS.HardReset(-60.0))
TICK = npt.Tick.at(0, dt=0.1, key=KEY)
ALL = npt.connect.AllToAll()
LEAK = {"leak": npt.channels.IL()}

# entries of folders that a run has written
RUN = tempfile.mkdtemp()
npt.record.NpyBlocks(RUN).begin(npt.record.About(dt=0.1, start=0, intervals={}))

# good values for what must be given, by the name of the argument
GOOD: dict[str, Any] = {
    "size": 3,
    "membrane": LEAKY,
    "threshold": THRESHOLD,
    "surrogate": None,
    "v_rest": -60.0,
    "v_th": -50.0,
    "v_t": -55.0,
    "v_c": -55.0,
    "v_th_inf": -50.0,
    "v_reset": -60.0,
    "tau": 10.0,
    "tau_w": 10.0,
    "tau_a": 10.0,
    "a": 0.1,
    "b": 0.1,
    "c": 1.0,
    "k1": 0.1,
    "k2": 0.1,
    "delta_t": 1.0,
    "beta": 1.0,
    "c_m": 1.0,
    "raise_by": 1.0,
    "t_ref": 1.0,
    "channels": LEAK,
    "parents": [-1, 0],
    "area": 100.0,
    "g_axial": 1.0,
    "length": 10.0,
    "diameter": 1.0,
    "alpha": 0.8,
    "num_memory": 5,
    "e": -70.0,
    "e_rev": 0.0,
    "value": 1.0,
    "kinetics": npt.synapses.Exponential(),
    "output": npt.synapses.CUBA(),
    "rate": 10.0,
    "indices": [0, 1],
    "indptr": [0, 1, 2, 2],
    "times": [1.0, 2.0],
    "in_size": 3,
    "out_size": 3,
    "p": 0.5,
    "n": 2,
    "mean": 1.0,
    "low": 0,
    "high": 5,
    "tick": TICK,
    "weight": 1.0,
    "seed": 1,
    "pre": [0, 1],
    "post": [0, 1],
    "block": (1, 1),
    "matrix": scipy.sparse.eye(3, format="bsr"),
    "connect": ALL,
    "source": "E",
    "target": "E.exc",
    "cell": CELL,
    "node": npt.Population(CELL),
    "populations": {"E": npt.Population(CELL)},
    "layer": eqx.nn.Linear(3, 3, key=KEY),
    "path": "v",
    "capacity": 5,
    "x": [1.0, 2.0],
    "dt": 0.1,
    "duration": 0.2,
    "key": KEY,
    "name": "x",
    "f": stop,
    "g": stop,
    "vector_field": stop,
    "event": stop,
    "reset": stop,
    "t0": 0.0,
    "t1": 1.0,
    "max_spikes": 3,
    "y0": 1.0,
    "model": STOPPED,
    "state": STOPPED.init(dt=0.1),
    "tableau": npt.integrate.RK4().tableau,
    "solver": npt.integrate.DormandPrince(),
    "equations": {"v": lambda v: -v},
    "amplitude": 1.0,
    "order": 1,
    "width": 1.0,
    "ts": [0.0, 1.0],
    "spikes": np.ones((2, 3)),
    "delay": 1.5,
    "c_in": 1.0,
    "c_out": 1.0,
    "factor": 3.0,
    "celsius": 36.0,
    "reference": 26.0,
    "rule": 1.0,
    "shape": (3,),
    "dtype": float,
    "steps": 2,
    "silent": jnp.zeros(3),
    "index": 0,
}
# the same for one constructor
GOOD_OF: dict[str, dict[str, Any]] = {
    "integrate.Diffrax": {"solver": __import__("diffrax").Heun()},
    "integrate.Hines": {"order": 1},
    "integrate.ButcherTableau": {"name": "Heun", "order": 2, "c": [0, 1], "a": [[], [1]], "b": ["1/2", "1/2"]},
    "neurons.exact_spikes": {"cell": STOPPED, "state": None},
    "record.NpyBlocks": {"folder": tempfile.gettempdir()},
    "record.load": {"folder": RUN},
    "neurons.Compartments.from_cylinders": {"channels": LEAK},
    "init.values": {"name": "rule"},
    "neurons.VoltageClamp": {"cell": npt.neurons.HH(3)},
    "connect.Dense": {"weight": np.ones((3, 3))},
    "random.Stream": {"index": jnp.zeros((), jnp.int32)},
}


# what is odd and yet good: constructors, arguments and values, by patterns, and why
SIZE_LATER = "how many there are is known where it is put into a cell, a network or a run, which looks at the shape"
FINE: tuple[tuple[str, str, str, str], ...] = (
    ("*", "v_* e e_* celsius reference", "negative", "voltages and temperatures have either sign"),
    (
        "*",
        "*_init beta raise_by r s a b c d p2 p3 k1 k2 r1 r2 a1 a2",
        "negative",
        "its sign is a choice of the model's",
    ),
    ("neurons.Jump", "*", "negative", "what jumps has either sign"),
    ("ions.nernst", "z", "negative", "chloride"),
    ("random.* init.*", "mean low high value rule", "negative", "numbers of either sign are drawn"),
    ("connect.* npt.Projection", "weight", "negative", "inhibition"),
    ("integrate.* npt.simulate neurons.exact_spikes delay.*", "y0 inputs input history", "negative", "of either sign"),
    ("integrate.hybrid_* neurons.exact_spikes", "t0 t1 ts jump_ts held_until", "negative", "zero is anywhere"),
    ("integrate.RK2", "beta", "negative", "a node before the step is odd, but a method"),
    ("integrate.*", "args", "*", "handed on to the user's function as it is"),
    ("integrate.* neurons.exact_spikes", "dtmax jump_ts", "infinite", "means none"),
    ("neurons.*", "v_th", "infinite", "a neuron that never spikes"),
    ("channels.* ions.* surrogate.*", "*", "shape", SIZE_LATER),
    ("synapses.Exponential synapses.COBA", "*", "shape", SIZE_LATER),
    ("neurons.*Membrane neurons.*Threshold neurons.*Reset neurons.*Refractory neurons.Jump", "*", "shape", SIZE_LATER),
    ("init.*", "mean std low high value", "shape", SIZE_LATER),
    ("integrate.Caputo* integrate.GLShortMemory", "alpha", "shape", SIZE_LATER),
    ("npt.Projection", "weight", "shape", "how many edges there are is known where the network is built"),
    ("integrate.*", "y0 ts jump_ts", "shape", "what is given first is of any shape"),
    ("neurons.exact_spikes", "ts jump_ts", "shape", "times, as many as there are"),
    ("random.*", "p mean std low high", "shape", "unless a shape is given, the parameters give it"),
    ("npt.Series", "x", "shape", "how long the run is simulate knows"),
    ("delay.delay_steps", "delay", "shape", "delays, as many as there are"),
    ("delay.*", "delay", "None", "no delay"),
    ("neurons.*", "surrogate", "None", "spikes without a gradient"),
    ("neurons.*", "reset", "None", "a neuron without reset"),
    ("neurons.PointNeuron", "threshold", "None", "a neuron that doesn't spike"),
    ("neurons.Spiking", "jumps", "None", "none"),
    ("integrate.hybrid_solve", "reset", "None", "events that change nothing"),
    ("init.draw", "model", "*", "takes any tree"),
    ("init.values", "dtype", "None", "the default"),
    ("init.values", "key name", "*", "only for rules that draw, and for messages"),
    ("integrate.ButcherTableau", "name", "text", "a name"),
    ("integrate.RK2 integrate.ButcherTableau", "beta", "text", "exact numbers may be strings"),
    ("npt.Probe npt.Events", "path", "text", "a name; whether there is a variable of it the run knows"),
    ("npt.Projection", "source target", "text", "a name, '0', and one of a port, '1'"),
    ("npt.fold_key", "name", "text", "a name"),
    ("record.*", "folder", "text", "a name"),
    ("sources.Poisson", "axis_name", "text", "a name"),
)
# what arguments are called in messages, where it is otherwise
SPOKEN = {("npt.simulate", "inputs"): "input", ("npt.Series", "x"): "series"}


class Case(NamedTuple):
    """A public constructor or function, and arguments with which it works."""

    name: str
    call: Callable[..., Any]
    parameters: list[inspect.Parameter]
    good: dict[str, Any]


def case(name: str, call: Callable[..., Any]) -> Case:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    parameters = [p for p in inspect.signature(call).parameters.values() if p.kind not in kinds]
    own = GOOD_OF.get(name, {"key": KEY} if name.endswith("()") else {})
    wanted = [p.name for p in parameters if p.default is p.empty]
    return Case(name, call, parameters, {n: own.get(n, GOOD.get(n)) for n in [*wanted, *own]})


def public() -> Iterator[tuple[str, Any]]:
    """All that the packages give a name to, once."""
    seen = set()
    for package in PACKAGES:
        for name, thing in vars(package).items():
            if name.startswith("_") or not callable(thing) or id(thing) in seen:
                continue
            if inspect.isclass(thing) and inspect.isabstract(thing):
                continue
            seen.add(id(thing))
            yield f"{package.__name__.split('.')[-1].replace('neuropytree', 'npt')}.{name}", thing


def cases() -> Iterator[Case]:
    for name, thing in public():
        made = any(fnmatch.fnmatch(name, pattern) for pattern in MADE)
        if inspect.isclass(thing):
            for method, maker in inspect.getmembers(thing, inspect.ismethod):
                if not method.startswith("_") and maker.__self__ is thing:
                    yield case(f"{name}.{method}", maker)
        if made:
            continue
        one = case(name, thing)
        yield one
        if inspect.isclass(thing) and issubclass(thing, npt.connect.AbstractConnector | npt.init.AbstractInitializer):
            yield case(f"{name}()", thing(**one.good))


def matches(text: str, patterns: str) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns.split())


def reasons(name: str, argument: str, value: str) -> list[str]:
    """Why that value is fine."""
    return [
        why for who, what, odd, why in FINE if matches(name, who) and matches(argument, what) and matches(value, odd)
    ]
