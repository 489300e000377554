"""Lists of events while a run goes on."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from .._types import AbstractDynamics
from ..ops import append_events
from ..record import Events


class Gathering(eqx.Module):
    """`Events` during a run: a `Collector` of the scan."""

    events: Events = eqx.field(static=True)
    model: AbstractDynamics

    def _message(self, state: Any, output: Any) -> Array:
        return jnp.asarray(self.model.read(self.events.path, state, output)).reshape(-1)

    def begin(self, state: Any, output: Any) -> dict[str, Array]:
        message = jax.eval_shape(self._message, state, output)
        n = self.events.capacity
        held = {"steps": jnp.full(n, -1, jnp.int32), "indices": jnp.full(n, message.shape[0], jnp.int32)}
        if message.dtype != bool:
            held["values"] = jnp.zeros(n, message.dtype)
        return held | {"count": jnp.zeros((), jnp.int32), "size": jnp.asarray(message.shape[0], jnp.int32)}

    def collect(self, held: dict[str, Array], state: Any, output: Any, index: Array) -> dict[str, Array]:
        return held | append_events(held, jax.lax.stop_gradient(self._message(state, output)), index)
