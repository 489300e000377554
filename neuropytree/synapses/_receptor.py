"""An input port of a population."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._arguments import check_kind, check_parameters, fits
from .._types import Drive, Tick
from ._kinetics import AbstractKinetics
from ._outputs import AbstractOutput


class Receptor(eqx.Module):
    """An input port of a population: linear kinetics and an output, one state for each neuron.

    Every projection that names the port shares it. In a step: `drive`, what flows into the cells over the step, given
    what is open at its beginning; then `relax`; then `receive`, once for each projection, what arrives at its end.

    **Arguments:**

    - `kinetics`: how the receptor closes, and what arrivals are added to.
    - `output`: what it does to the membrane.

    **Raises:** `TypeError` for other things, or these in another order.

    !!! example

        ```python
        import neuropytree as npt
        excitation = npt.Receptor(npt.synapses.Exponential(tau=5.0), npt.synapses.COBA(e_rev=0.0))
        ```
    """

    kinetics: AbstractKinetics
    output: AbstractOutput

    def __check_init__(self) -> None:
        check_kind(self.kinetics, AbstractKinetics, "a receptor's kinetics", optional=False)
        check_kind(self.output, AbstractOutput, "a receptor's output", optional=False)

    def check(self, shape: tuple[int, ...]) -> None:
        """**Raises:** `TypeError` or `ValueError` for a parameter that doesn't fit neurons of that shape."""
        check_parameters(self.kinetics, shape)
        check_parameters(self.output, shape)

    def init(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The state with nothing open, for neurons of the given shape."""
        return self.kinetics.init(shape, dtype)

    def drive(self, state: Any, v: Float[Array, "..."], tick: Tick, rate: Array | None = None) -> Drive:
        """What flows over the step into cells whose voltage at its beginning is `v` (mV): the mean over the step.

        `rate` is that of the voltage, where the membrane has one (`AbstractMembrane.rate`, 1/ms): a current and the
        voltage are then propagated exactly together.
        """
        g = self.kinetics.mean(state, tick.dt, rate if self.output.is_current else None)
        if not hasattr(g, "shape") or not fits(g.shape, v.shape):
            raise TypeError(
                f"{type(self.kinetics).__name__}.mean returns {eqx.tree_pformat(g)}; expected an array of shape "
                f"{v.shape}, one number for each neuron"
            )
        flow = self.output(g, v, tick)
        if not isinstance(flow, Drive):
            made = eqx.tree_pformat(flow)
            raise TypeError(f"{type(self.output).__name__} returns {made}; expected an npt.Drive(i, g)")
        return flow

    def relax(self, state: Any, tick: Tick) -> Any:
        """The state one step on, before anything arrives."""
        return self._in_form(self.kinetics.relax(state, tick.dt), state, "relax")

    def receive(self, state: Any, add: Callable[[Array], Array]) -> Any:
        """The state after arrivals; `add` takes an array with one value for each neuron, and adds them to it."""
        return self._in_form(self.kinetics.receive(state, add), state, "receive")

    def _in_form(self, new: Any, old: Any, method: str) -> Any:
        """`new`. **Raises:** `TypeError` if a method of the kinetics gives its state another form."""
        shapes = [[jnp.shape(leaf) for leaf in jax.tree.leaves(x)] for x in (new, old)]
        if jax.tree.structure(new) != jax.tree.structure(old) or shapes[0] != shapes[1]:
            raise TypeError(
                f"{type(self.kinetics).__name__}.{method} returns {eqx.tree_pformat(new)}; expected a state like "
                f"{eqx.tree_pformat(old)}"
            )
        return new
