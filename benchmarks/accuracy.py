"""How exact a step is: spike times of every cell with channels, by dt and by scheme, against SciPy's LSODA.

The schemes of NEURON and of Brian2 are stated here on our own equations, so that nothing but the scheme differs:

- NEURON's default: backward Euler for all voltages at once with the tangent of the currents at the old voltage; then
  gates and concentrations, exactly, at the new voltage (Carnevale & Hines 2006, chapter 4).
- Brian2's `exponential_euler`: every variable exactly, with all others, and its own coefficients, as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.integrate import solve_ivp

import neuropytree as npt

STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


class Case(NamedTuple):
    """A cell, its steady input, for how long (ms), and the voltage that its spikes cross (mV)."""

    make: Callable[..., Any]
    current: float
    duration: float
    level: float


CASES = {
    "HH": Case(npt.neurons.HH, 10.0, 100.0, 0.0),
    "TraubMiles": Case(npt.neurons.TraubMiles, 2.0, 100.0, 0.0),
    "WangBuzsaki": Case(npt.neurons.WangBuzsaki, 2.0, 100.0, 0.0),
    "MorrisLecar": Case(npt.neurons.MorrisLecar, 100.0, 400.0, 10.0),
    "ConnorStevens": Case(npt.neurons.ConnorStevens, 20.0, 100.0, 0.0),
    "ThalamicRelay": Case(npt.neurons.ThalamicRelay, 3.0, 100.0, 0.0),
    "PinskyRinzel": Case(npt.neurons.PinskyRinzel, 0.75, 150.0, -20.0),
}


def membrane_of(case: Case) -> tuple[Any, Any, npt.Drive]:
    """The membrane of one such cell, its initial variables and its input."""
    cell = case.make(1)
    return cell.membrane, cell.init().membrane, npt.Drive(jnp.full(1, case.current))


def voltages(y: Any) -> str:
    """The name of the voltages among the variables of a membrane."""
    return "voltages" if hasattr(y, "voltages") else "v"


def crossings(v: np.ndarray, dt: float, level: float) -> np.ndarray:
    """When `v` crosses `level` upward, on straight lines between its values."""
    k = np.flatnonzero((v[:-1] < level) & (v[1:] >= level))
    return dt * (k + (level - v[k]) / (v[k + 1] - v[k]))


def reference(case: Case) -> np.ndarray:
    """The times of the spikes, to 1e-6 ms or so."""
    membrane, start, drive = membrane_of(case)
    flat, back = ravel_pytree(start)
    slope = jax.jit(lambda x: ravel_pytree(membrane.vector_field(0.0, back(x), drive))[0])
    name = voltages(start)
    marked = eqx.tree_at(lambda y: getattr(y, name), jax.tree.map(jnp.zeros_like, start), _mark(getattr(start, name)))
    where = int(np.argmax(ravel_pytree(marked)[0]))

    def spike(t: float, x: np.ndarray) -> float:
        return x[where] - case.level

    spike.direction = 1  # pyright: ignore[reportFunctionMemberAccess]
    span = (0, case.duration)
    done = solve_ivp(
        lambda t, x: np.asarray(slope(x)), span, flat, method="LSODA", rtol=1e-10, atol=1e-10, events=spike
    )
    return done.t_events[0]


def _mark(v: jax.Array) -> jax.Array:
    """1 at the soma, 0 elsewhere."""
    return jnp.zeros(v.size).at[0].set(1).reshape(v.shape)


def ours(case: Case, dt: float, **options: Any) -> np.ndarray:
    """The times of the spikes by the library's own step."""
    cell = case.make(1, **options)
    state = cell.init()
    sol = npt.simulate(cell, state, case.current, dt=dt, duration=case.duration, record=["v"])
    return crossings(np.concatenate([state.v, np.asarray(sol.out["v"])[:, 0]]), dt, case.level)


def looped(case: Case, dt: float, step: Callable[[Any, Any, npt.Drive, float], Any]) -> np.ndarray:
    """The times of the spikes by a scheme that is stated here."""
    membrane, start, drive = membrane_of(case)

    @jax.jit
    def run(start: Any) -> jax.Array:
        def body(y: Any, _: None) -> tuple[Any, jax.Array]:
            new = step(membrane, y, drive, dt)
            new = jax.tree.map(lambda x, like: jnp.broadcast_to(x, like.shape), new, y)
            return new, new.v[0]

        return jax.lax.scan(body, start, None, length=round(case.duration / dt))[1]

    return crossings(np.concatenate([start.v, np.asarray(run(start))]), dt, case.level)


def others(membrane: Any, y: Any, at: Any, drive: npt.Drive, dt: float) -> Any:
    """`y` with gates and concentrations moved exactly by their coefficients at `at`."""
    if not hasattr(y, "voltages"):
        found = membrane.linear(0.0, at, drive)
        channels, ions = found.channels, found.ions
    else:
        drives = membrane.drives(at, list(membrane.channels))
        channels = membrane.kinetics(at)
        ions = membrane.ion_kinetics(at, membrane.inward(drives, at.voltages))
    move = npt.integrate.relaxed
    y = eqx.tree_at(lambda y: y.channels, y, move(y.channels, channels, dt)) if y.channels else y
    return eqx.tree_at(lambda y: y.ions, y, move(y.ions, ions, dt)) if jax.tree.leaves(y.ions) else y


def like_neuron(membrane: Any, y: Any, drive: npt.Drive, dt: float) -> Any:
    """Voltages by backward Euler along the tangent, then the rest at the new voltages."""
    name = voltages(y)

    def put(v: jax.Array) -> Any:
        return eqx.tree_at(lambda y: getattr(y, name), y, v)

    def slope(v: jax.Array) -> jax.Array:
        return getattr(membrane.vector_field(0.0, put(v), drive), name).reshape(-1)

    v = getattr(y, name)
    jacobian = jax.jacfwd(slope)(v).reshape(v.size, v.size)
    moved = jnp.linalg.solve(jnp.eye(v.size) - dt * jacobian, dt * slope(v)).reshape(v.shape)
    new = put(v + moved)
    return others(membrane, new, new, drive, dt)


def like_brian2(membrane: Any, y: Any, drive: npt.Drive, dt: float) -> Any:
    """Everything at once with the coefficients at the old variables."""
    if not hasattr(y, "voltages"):
        line = membrane.linear(0.0, y, drive).v
        v = npt.integrate.relaxed(y.v, npt.integrate.Linear(line.a, line.b), dt)
        return others(membrane, eqx.tree_at(lambda y: y.v, y, v), y, drive, dt)
    v = y.voltages
    channels = membrane.together(membrane.drives(y, list(membrane.channels)), v)
    inside = membrane.coefficients(membrane.totals(channels, membrane.received(drive, v.shape[:-1])))
    along = membrane.coupling(v)
    new = npt.integrate.relaxed(v, npt.integrate.Linear(inside.a + along.a, inside.b + along.b), dt)
    return others(membrane, eqx.tree_at(lambda y: y.voltages, y, new), y, drive, dt)


def schemes(name: str) -> dict[str, Callable[[Case, float], np.ndarray]]:
    """What is compared for a cell."""
    mine: dict[str, Callable[[Case, float], np.ndarray]] = {"neuropytree": ours}
    if name == "PinskyRinzel":
        mine = {
            "neuropytree": lambda case, dt: ours(case, dt, stepper=npt.neurons.Hines(order=2)),
            "neuropytree, order 1": ours,
        }
    return mine | {
        "NEURON's scheme": lambda case, dt: looped(case, dt, like_neuron),
        "Brian2's scheme": lambda case, dt: looped(case, dt, like_brian2),
    }


def measured() -> list[dict[str, Any]]:
    """For each cell, scheme and step: the number of spikes, that of LSODA, and the largest error of their times."""
    rows = []
    for name, case in CASES.items():
        truth = reference(case)
        for scheme, run in schemes(name).items():
            for dt in STEPS:
                found = run(case, dt)
                same = len(found) == len(truth)
                error = float(np.abs(found - truth).max()) if same else None
                rows.append(
                    {
                        "cell": name,
                        "scheme": scheme,
                        "dt": dt,
                        "spikes": len(found),
                        "right": len(truth),
                        "error": "" if error is None else f"{error:.3g}",
                    }
                )
                print(*rows[-1].values(), sep="\t", flush=True)
    return rows
