"""Spikes of point neurons at their exact times: the hybrid solve of each neuron, by itself."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Key, PyTree

from .._arguments import check_tree, elapsed, real
from .._errors import check_function, check_key
from .._time import Clock
from .._types import Drive
from ..integrate import AbstractFractionalStepper, ExplicitRungeKutta, HybridSolution, hybrid_options, hybrid_solve
from ._conductance import ConductanceCell
from ._membrane import AbstractMembrane, check_shapes
from ._point import PointNeuron
from ._spiking import Spiking
from ._state import NeuronState

if TYPE_CHECKING:
    import diffrax


class _Variables(eqx.Module):
    """What moves: the membrane, and what spikes have raised the threshold by."""

    membrane: Any
    raised: Array | None


class _Neuron(eqx.Module):
    """The functions of one neuron's solve, whose time begins at 0."""

    membrane: AbstractMembrane
    spiking: Spiking
    input: Any
    clock: Clock

    @classmethod
    def of(cls, cell: PointNeuron | ConductanceCell, input: Any, clock: Clock) -> "_Neuron":
        if cell.spiking is None:
            raise ValueError("exact_spikes: the cell has no threshold, so it never spikes")
        return cls(membrane=cell.membrane, spiking=cell.spiking, input=input, clock=clock)

    def vector_field(self, s: Any, y: _Variables, args: Any) -> _Variables:
        t = self.clock(s)
        given: Any = self.input(t) if callable(self.input) else self.input
        slope = self.membrane.vector_field(t, y.membrane, Drive.of(given, y.membrane.v.dtype))
        relative = self.spiking.relative
        if relative is None or y.raised is None:
            return _Variables(membrane=slope, raised=None)
        return _Variables(membrane=slope, raised=-y.raised / relative.tau)

    def held(self, t: Any, y: _Variables, args: Any) -> _Variables:
        """The voltage stands still; other variables move, and see it."""
        slope = self.vector_field(t, y, args)
        still = self.membrane.put(slope.membrane, jnp.zeros_like(y.membrane.v))
        return _Variables(membrane=still, raised=slope.raised)

    def event(self, t: Any, y: _Variables, args: Any) -> Array:
        return y.membrane.v - self.spiking.level(y.membrane, y.raised)

    def after(self, t: Any, y: _Variables, args: Any) -> _Variables:
        m, reset, threshold = y.membrane, self.spiking.reset, self.spiking.threshold
        spike = jnp.ones((), bool)
        struck, raised = self.spiking.struck(m, y.raised, spike)
        if reset is not None:
            struck = self.membrane.put(struck, reset.voltage(m, threshold.base(m))(m.v, spike))
        return _Variables(membrane=struck, raised=raised)

    def t_ref(self, t: Any, y: _Variables, args: Any) -> Array:
        assert self.spiking.refractory is not None
        return self.spiking.refractory.t_ref

    def acts(self) -> bool:
        """Whether a spike does anything."""
        rule = self.spiking
        return bool(rule.reset or rule.jumps or rule.refractory or rule.relative)

    def crossings(self) -> bool:
        """Whether a spike is a crossing from below, as opposed to a voltage above the threshold."""
        return not self.spiking.threshold.memoryless or not self.acts()

    def solve(self, y0: _Variables, **options: Any) -> HybridSolution:
        """The solve of one neuron."""
        rests = self.spiking.refractory is not None
        return hybrid_solve(
            self.vector_field,
            y0,
            event=self.event,
            reset=self.after if self.acts() else None,
            hold=self.t_ref if rests else None,
            hold_field=self.held if rests else None,
            crossings=self.crossings(),
            **options,
        )


def exact_spikes(
    cell: PointNeuron | ConductanceCell,
    input: ArrayLike | Drive | Callable[[Any], Any] | None = None,
    *,
    duration: ArrayLike,
    max_spikes: int,
    t0: ArrayLike = 0.0,
    state: NeuronState | None = None,
    key: Key[Array, ""] | None = None,
    ts: ArrayLike | None = None,
    jump_ts: ArrayLike | None = None,
    solver: "diffrax.AbstractSolver | ExplicitRungeKutta | None" = None,
    rtol: ArrayLike | None = None,
    atol: ArrayLike | None = None,
    root_tol: ArrayLike | None = None,
    dtmax: ArrayLike | None = None,
    max_steps: int = 4096,
    throw: bool = True,
) -> HybridSolution:
    r"""The spike times of a population, exact to the tolerance of an adaptive solver, and differentiable.

    There is no step `dt`: each neuron is an `integrate.hybrid_solve` of its own, with steps of its own. It spikes where
    its voltage reaches the threshold; reset and jumps act at that time, and the voltage is held for exactly `t_ref`,
    while other variables go on. A cell without reset spikes where its voltage crosses the threshold from below. The
    cell's stepper, its surrogate and `detach` play no part: derivatives of spike times and of states are those of the
    true dynamics, with respect to every parameter (`t_ref` among them), the initial state and the input, in forward and
    reverse mode. Neurons don't interact.

    **Arguments:**

    - `cell`: a `PointNeuron` or a `ConductanceCell`, without noise.
    - `input`: a current, one number or one for each neuron; a `Drive`; or a function of the time (ms) that returns
      either for one neuron. Array leaves of the function (an `equinox.Module` or a `jax.tree_util.Partial`) that have
      the shape of the population give one value to each neuron, as parameters of the cell do.
    - `duration`, `t0`: length and begin of the run (ms). Time is counted from `t0` on, as in `integrate.hybrid_solve`.
    - `max_spikes`: room for so many spikes of each neuron.
    - `state`: initial state, from `cell.init`; `cell.init(key=key)` unless given. What it has left of a refractory
      period is kept, as far as its `dt` is known.
    - `ts`: times at which the membrane is asked for (ms).
    - `jump_ts`: times at which the input jumps (ms): a list for all, or `(*cell.shape, n)` with a list for each.
    - `solver`, `rtol`, `atol`, `root_tol`, `dtmax`, `max_steps`, `throw`: see `integrate.hybrid_solve`.

    **Returns:** an `integrate.HybridSolution`: `spike_times` of shape `(*cell.shape, max_spikes)`, `n_spikes` of the
    cell's shape, and the membrane state at `ts`, time as axis 0. A neuron that is at or above its threshold at the
    beginning, or when its refractory period ends, spikes there and then; one
    without reset not before it has been below.

    **Raises:** `ValueError` for a cell without neurons or with noise, a conductance cell with `t_ref`, an input of the
    wrong shape; and what `integrate.hybrid_solve` raises: more than `max_spikes` spikes, a reset that does not lead
    below the threshold.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt
        cell = npt.neurons.LIF(3, v_th=20.0, v_reset=0.0, tau=10.0, t_ref=2.0)
        sol = npt.neurons.exact_spikes(cell, jnp.array([15.0, 25.0, 35.0]), duration=100.0, max_spikes=20)

        def tone(amplitude, t):
            return 22.0 + amplitude * jnp.sin(0.3 * t)

        drive = jax.tree_util.Partial(tone, jnp.array([1.0, 5.0, 9.0]))
        sol = npt.neurons.exact_spikes(cell, drive, duration=100.0, max_spikes=20, ts=[50.0, 100.0])
        sol.spike_times, sol.ys.v
        ```
    """
    if not isinstance(cell, PointNeuron | ConductanceCell):
        raise TypeError(f"cell is a {type(cell).__name__}; expected a PointNeuron or a ConductanceCell")
    check_key(key)
    if isinstance(cell, PointNeuron) and isinstance(cell.stepper, AbstractFractionalStepper):
        raise ValueError(
            f"exact_spikes has no memory, but the cell's stepper is {type(cell.stepper).__name__}, for derivatives of "
            "fractional order: leave the stepper out, or use simulate"
        )
    if isinstance(cell, ConductanceCell) and cell.refractory is not None:
        raise ValueError(
            "exact_spikes: the cell has a t_ref, within which crossings would not count as spikes; here every crossing "
            "counts: make the cell without t_ref"
        )
    if cell.size == 0:
        raise ValueError(f"cell has shape {cell.shape}, no neurons; exact_spikes needs one at least")
    state = cell.init(key=key) if state is None else state
    _check_state(cell, state)
    if cell.membrane.diffusion(0.0, state.membrane, Drive.of(None, state.v.dtype)) is not None:
        raise ValueError(
            f"exact_spikes has no noise, but {type(cell.membrane).__name__} declares a diffusion: leave the noise "
            "amplitude out"
        )
    y0 = _Variables(membrane=state.membrane, raised=state.raised)
    dtype = state.v.dtype
    begin = real(t0, "t0", shape=(), unit="ms", dtype=dtype)
    length = real(duration, "duration", least=0, shape=(), unit="ms", dtype=dtype)
    release = jnp.zeros((), dtype)
    if state.refractory is not None and state.dt is not None:
        release = state.refractory.astype(dtype) * jnp.asarray(state.dt, dtype)
    jumps = real(() if jump_ts is None else jump_ts, "jump_ts", infinite=True, each="jump", unit="ms", dtype=dtype)
    clock = Clock(begin, jumps)
    if jumps.ndim != 1 and jumps.shape[:-1] != cell.shape:
        raise ValueError(f"jump_ts has shape {jumps.shape}; expected (n,), or {(*cell.shape, 'n')}, for each neuron")
    times = elapsed(() if ts is None else ts, "ts", t0, dtype, each="record")
    options = hybrid_options(
        dtype, ts=clock.within(times, length), solver=solver, rtol=rtol, atol=atol,
        root_tol=root_tol, dtmax=dtmax, max_spikes=max_spikes, max_steps=max_steps, throw=throw,
    )  # fmt: skip
    neuron = _Neuron.of(cell, _checked(input, cell.shape), clock)
    sol = _population(neuron, y0, length, release, cell.shape, options)
    return eqx.tree_at(lambda s: (s.ys, s.y), sol, (sol.ys.membrane, sol.y.membrane))


@eqx.filter_jit
def _population(
    neuron: _Neuron,
    y0: PyTree[Array],
    length: Array,
    release: Array,
    shape: tuple[int, ...],
    options: dict[str, Any],
) -> HybridSolution:
    """A solve for each neuron, from 0 on, and its times by the neuron's clock. What has the shape of the population is
    dealt out, and numbers are shared."""

    def dealt(x: Array, trailing: int = 0) -> Array:
        full = jnp.broadcast_to(x, (*shape, *x.shape[x.ndim - trailing :]))
        return full.reshape(-1, *full.shape[len(shape) :])

    clock, jumps = neuron.clock, neuron.clock.jumps
    arrays, static = eqx.partition((dataclasses.replace(neuron, clock=None), release), eqx.is_array)
    shared, own = eqx.partition(arrays, lambda x: x.ndim == 0)
    own = jax.tree.map(dealt, own)
    y0 = jax.tree.map(dealt, y0)
    own_jumps = jumps if jumps.ndim == 1 else dealt(jumps, 1)

    def one(own: Any, y0: PyTree[Array], jumps: Array) -> HybridSolution:
        neuron, release = eqx.combine(shared, own, static)
        neuron = dataclasses.replace(neuron, clock=Clock(clock.begin, jumps))
        sol = neuron.solve(y0, t0=0.0, t1=length, held_until=release, jump_ts=neuron.clock.since, **options)
        late = clock.begin + sol.spike_times, clock.begin + sol.t
        return eqx.tree_at(lambda s: (s.spike_times, s.t), sol, late)

    axes = (0, 0, None if jumps.ndim == 1 else 0)
    sol = jax.vmap(one, in_axes=axes)(own, y0, own_jumps)
    ys = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), sol.ys)
    ys = jax.tree.map(lambda x: x.reshape(x.shape[0], *shape), ys)
    sol = eqx.tree_at(lambda s: s.ys, jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), sol), ys)
    return sol


def _check_state(cell: PointNeuron | ConductanceCell, state: Any) -> None:
    """**Raises:** `TypeError` or `ValueError` for a state that isn't one of the cell's, or has NaN."""
    own = jax.eval_shape(lambda: cell.init(key=jax.random.key(0)))
    ours, given = (getattr(x, "membrane", None) for x in (own, state))
    if not isinstance(state, NeuronState) or jax.tree.structure(ours) != jax.tree.structure(given):
        of = "" if given is None else f" of a {type(given).__name__}"
        raise TypeError(
            f"state is a {type(state).__name__}{of}; expected one from init of this cell, a NeuronState of a "
            f"{type(ours).__name__}"
        )
    check_tree(given, "state")
    check_shapes({"state": given}, cell.shape)


def _checked(input: Any, shape: tuple[int, ...]) -> Any:
    """The input with arrays for numbers, of shapes that can be dealt out.

    **Raises:** `ValueError` for one of another shape.
    """
    if not callable(input):
        check_tree(input, "input")
        input = jax.tree.map(lambda x: x if isinstance(x, jax.Array) else jnp.asarray(np.asarray(x, float)), input)
    else:
        check_function("input", input, "t")
    check_shapes({"input": eqx.filter(input, eqx.is_array)}, shape)
    return input
