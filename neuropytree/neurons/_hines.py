"""The step of cells with several compartments: implicit in all voltages at once."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from .._types import Drive, Scalar
from ..integrate import AbstractField, AbstractStepper, Linear, relaxed, secant
from ._cable import SIEMENS, CableMembrane, CompartmentsState, columns, rows
from ._tactics import once


class Hines(AbstractStepper):
    r"""Implicit in the voltages of all compartments, exponential in gates and ions; staggered.

    The gates move first with the old voltages. Then the voltages solve, with the new gates,

    $$A_k C_k \frac{v_k' - v_k}{\theta \Delta t} = A_k \sum_c I_{c,k}(v_k') + \sum_{j \sim k} G_{kj} (v_j' - v_k') +
    A_k\,(i_k - g_k v_k')$$

    by elimination from the leaves to the root, in a time proportional to the number of compartments, and ions move with
    the new gates and the old voltages. Channels whose conductance follows the voltage at once stand for the line that
    `integrate.secant` makes of them, which never points upwards: so no step runs away.

    - Order 1 is the backward Euler method, $\theta = 1$: each voltage is $v_k'$. Differences between compartments decay
      at any step, as they should.
    - Order 2 is that of Crank and Nicolson, $\theta = 1/2$: each voltage is $2 v_k' - v_k$. With gates half a step
      before the voltages it is of second order. It is stable at any step too, but where a step is much longer than a
      time constant, what should vanish within the step alternates in sign and decays slowly: take order 1 there, or at
      least for some steps after the input jumps.

    **Arguments:**

    - `order`: 1 or 2.

    **Raises:** `ValueError` for another order. `TypeError` at trace time for a cell that isn't a `Compartments`.

    Source: Hines 1984, Int. J. Biomed. Comput. 15:69, doi:10.1016/0020-7101(84)90008-4.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"leak": npt.channels.IL()}
        cell = npt.neurons.Compartments(
            1, parents=[-1, 0], area=1000.0, g_axial=50.0, channels=channels, stepper=npt.neurons.Hines(order=2)
        )
        ```
    """

    order: int = eqx.field(default=1, static=True)

    def __check_init__(self) -> None:
        if not isinstance(self.order, int) or isinstance(self.order, bool) or self.order not in (1, 2):
            raise ValueError(f"order is {self.order!r}; expected 1 (backward Euler) or 2 (Crank-Nicolson)")

    def step(
        self,
        field: AbstractField,
        t: Scalar,
        y: PyTree,
        u: Any,
        dt: Scalar,
        *,
        state: Any = None,
        key: Key[Array, ""] | None = None,
    ) -> tuple[PyTree, Any]:
        if not isinstance(field, CableMembrane):
            raise TypeError(
                f"Hines got a {type(field).__name__}; it steps npt.neurons.Compartments alone: use ExponentialEuler"
            )
        # the voltages use each gate several times
        channels = once(_like(relaxed(y.channels, field.kinetics(y), dt), y.channels))
        now = CompartmentsState(voltages=y.voltages, channels=channels, ions=y.ions)
        v, received = y.voltages, field.received(u, y.voltages.shape[:-1])
        axial = SIEMENS * field.g_axial
        links = jnp.broadcast_to(axial, (*axial.shape[:-1], v.shape[-1]))
        links = links if links.size == v.shape[-1] else jnp.broadcast_to(links, v.shape)

        drives, following = field.drives(now, list(field.channels)), field.following(now)
        others = {name: drive for name, drive in drives.items() if name not in following}
        total, capacity = field.totals(field.together(others, v), received), field.membrane_of(field.capacity())
        if following:

            def moving(v: Array) -> Linear:
                at = CompartmentsState(voltages=v, channels=channels, ions=y.ions)
                drive = field.together(field.drives(at, following), v)
                return field.coefficients(field.totals(drive, Drive(jnp.zeros(()))))

            held = secant(field.coefficients(total), moving, v, dt, extra=field.coupling(v))
            g = capacity * held.rate
            total = Drive(g * held.rest, g)
        assert total.g is not None
        store = capacity / (dt if self.order == 1 else dt / 2)
        own, load = (jnp.broadcast_to(x, v.shape) for x in (total.g + store, total.i + store * v))
        new = rows(field.tree.solve(columns(own), columns(links), columns(load)), v.shape)
        if self.order == 2:
            new = 2 * new - v
        inward = field.inward(drives, v)
        ions = once(_like(relaxed(y.ions, field.ion_kinetics(now, inward), dt), y.ions))
        return CompartmentsState(voltages=new, channels=channels, ions=ions), state


def _like(new: Any, old: Any) -> Any:
    return jax.tree.map(lambda x, like: jnp.broadcast_to(x, like.shape), new, old)
