"""What all neurons of this package are: a membrane, a stepper that moves it, and a rule for spikes."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Key

from .._check import check_tick, own_state
from .._rule import check_drawn
from .._time import as_dt
from .._types import Drive, Scalar, Spikes, Tick
from ..integrate import AbstractField, AbstractStepper
from ._base import AbstractNeuron
from ._confined import Confined
from ._membrane import what_is_wrong
from ._spiking import Spiking
from ._state import Moved, NeuronState


class ComposedNeuron(AbstractNeuron):
    """Neurons made of a membrane, a stepper and a rule for spikes.

    The base of `PointNeuron`, `ConductanceCell` and `Compartments`. A subclass has these as fields, `spiking` with the
    rule, and `parts` and `read` for the names of its variables.
    """

    stepper: eqx.AbstractVar[AbstractStepper]

    @property
    @abc.abstractmethod
    def spiking(self) -> Spiking | None:
        """The rule of the spikes; `None` for neurons without."""

    def init(self, *, dt: float | None = None, key: Key[Array, ""] | None = None) -> NeuronState:
        dt = None if dt is None else as_dt(dt)
        check_drawn(self)
        membrane = self.membrane.init(self.shape, key=key)
        if not hasattr(membrane, "v"):
            who = type(self.membrane).__name__
            raise TypeError(f"{who}.init returns {membrane!r}; expected an eqx.Module of arrays, one of them 'v'")
        stepper = self.stepper.init(membrane)
        if self.spiking is None:
            return NeuronState(membrane=membrane, stepper=stepper, dt=dt)
        self.spiking.check(membrane, type(self.membrane).__name__)
        return NeuronState(membrane=membrane, **self.spiking.begin(membrane, self.shape), stepper=stepper, dt=dt)

    def vector_field(self, t: Scalar, y: Any, u: Drive) -> Any:
        """The derivative of the whole membrane between spikes; `y` is `state.membrane` and `u` a `Drive`."""
        return self.membrane.vector_field(t, y, u)

    def silent(self, state: NeuronState) -> Spikes:
        return state.v if self.threshold is None else self.threshold.silent(state.v)

    def voltage(self, cells: NeuronState | Moved, at: int = 0) -> Array:
        return self.membrane.voltage(cells.membrane, at)

    def move(self, state: NeuronState, input: ArrayLike | Drive | None, tick: Tick) -> Moved:
        if not isinstance(state, NeuronState):
            raise TypeError(f"the state is {state!r}; expected what the cell's init makes")
        with own_state(state.membrane, lambda: self.membrane.init(self.shape, key=jax.random.key(0))):
            return self._moved(state, input, tick)

    def _moved(self, state: NeuronState, input: ArrayLike | Drive | None, tick: Tick) -> Moved:
        self._check(state)
        if state.dt is not None:
            check_tick(state.dt, tick)
        old = state.membrane
        u = self.membrane.received(Drive.of(input, state.v.dtype), state.v.shape)
        field, key = self._field(state, tick.dt), tick.fold("membrane").stream
        try:
            new, memory = self.stepper.step(field, tick.t, old, u, tick.dt, state=state.stepper, key=key)
            new = jax.tree.map(lambda x, like: jnp.broadcast_to(x, like.shape), new, old)
        except (TypeError, ValueError, IndexError) as error:  # of JAX, if a derivative has another form
            wrong = what_is_wrong(self.membrane, tick.t, old, u)
            if wrong is None:
                raise
            raise TypeError(wrong) from error
        return Moved(membrane=self.membrane.settled(new), stepper=memory, before=state)

    def fire(self, moved: Moved, tick: Tick) -> tuple[NeuronState, Spikes]:
        if self.spiking is not None:
            return self.spiking.after(moved, tick.dt)
        state = NeuronState(membrane=moved.membrane, stepper=moved.stepper, dt=moved.before.dt)
        return state, state.v

    def jump(self, cells: Any, add: Callable[[Array], Array], at: int = 0) -> Any:
        v = self.voltage(cells, at)
        new = add(v)
        if new.shape != v.shape or new.dtype != v.dtype:
            raise ValueError(
                f"the jump gives voltages of shape {new.shape} and dtype {new.dtype}; expected {v.shape} and {v.dtype}"
            )
        if isinstance(cells, NeuronState) and cells.refractory is not None and self.spiking and self.spiking.hold:
            new = jnp.where(cells.refractory <= 0, new, v)
        membrane = self.membrane.settled(self.membrane.put(cells.membrane, new, at))
        return dataclasses.replace(cells, membrane=membrane)

    def _field(self, state: NeuronState, dt: Scalar) -> AbstractField:
        """The membrane as the stepper is to see it."""
        rule = self.spiking
        if rule is None:
            return self.membrane
        alone = len(jax.tree.leaves(state.membrane)) == 1
        free = None if alone or not rule.hold or state.refractory is None else state.refractory <= 0
        ceiling = None
        if self.membrane.runs_away and rule.threshold.memoryless:
            ceiling = jax.lax.stop_gradient(rule.level(state.membrane, rule.decayed(state.raised, dt)))
        if free is None and ceiling is None:
            return self.membrane
        return Confined(membrane=self.membrane, held=state.v, free=free, ceiling=ceiling, dt=dt)

    def _check(self, state: NeuronState) -> None:
        """**Raises:** `ValueError` for a state of another kind of cell, or of another number of them.

        Inside `jax.shard_map` a state is an equal part of the population's.
        """
        shape, rule = state.v.shape, self.spiking
        fits = shape == self.shape
        if not fits and len(shape) == len(self.shape) and jax.sharding.get_abstract_mesh().manual_axes:
            fits = all(m and n % m == 0 for n, m in zip(self.shape, shape, strict=True))
        if not fits:
            raise ValueError(
                f"the state is that of cells of shape {shape}, and this {type(self).__name__} has the shape "
                f"{self.shape}: make the state by this cell's init"
            )
        memory = eqx.filter_eval_shape(self.stepper.init, state.membrane)
        for what, mine, value in (
            ("an absolute refractory period", rule and rule.refractory, state.refractory),
            ("a relative refractory period", rule and rule.relative, state.raised),
            ("a memory of the past", memory, state.stepper),
        ):
            if (mine is None) != (value is None):
                has, lacks = ("the state", "the cell") if mine is None else ("the cell", "the state")
                raise ValueError(f"{has} has {what}, and {lacks} has none: make the state by this cell's init")
        if jax.tree.structure(memory) != jax.tree.structure(state.stepper):
            raise ValueError(
                f"the state has a memory of another stepper than {type(self.stepper).__name__}: make the state by this "
                "cell's init"
            )
