"""Steppers for fractional equations, which remember the past."""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Array, Float, Int, Key, PyTree

from .._arguments import named, real, whole
from .._errors import listing
from .._types import Scalar
from ._base import AbstractField, AbstractStepper, derivatives, refuse_noise


class FractionalMemory(eqx.Module):
    """What a fractional stepper remembers of the past; a state, of fixed shape.

    - `past`: for each variable the entries of the last `num_memory` steps, a ring with the steps as axis 0.
    - `last`: for each variable what the next entry is made of.
    - `count`: number of steps done, int32.
    """

    past: tuple[Array, ...]
    last: tuple[Array, ...]
    count: Int[Array, ""]


def _orders(alpha: Any) -> PyTree:
    """Orders as parameters. **Raises:** `TypeError` or `ValueError` unless they are numbers above 0 and at most 1."""
    if isinstance(alpha, dict | tuple):
        if not named(alpha):
            raise ValueError(f"alpha is {alpha!r}; expected an order for each variable, or one for all")
        return jax.tree.map(_orders, alpha)
    return real(alpha, "alpha", positive=True, most=1, each="variable")


def _length(num_memory: Any) -> int:
    return whole(num_memory, "num_memory", least=1, of="steps")


class AbstractFractionalStepper(AbstractStepper):
    r"""Advances $\mathrm{D}^\alpha y = f(t, y, u)$, with Caputo's derivative of order $0 < \alpha \le 1$.

    Every such stepper here is explicit, evaluates $f$ once in a step, and is

    $$y_{k+1} = y_k + c\,\Delta t^\alpha f_k + \sum_{j=1}^{k} w_j x_{k,j}$$

    with a sum over the past: either over increments, $x_{k,j} = y_{k+1-j} - y_{k-j}$, or over slopes, $x_{k,j} = c\,
    \Delta t^\alpha f_{k-j}$. An increment is that between the beginnings of two steps: what a spike did to a variable
    in between is a part of it. The step $\Delta t$ is the same in all steps.

    A `PointNeuron` takes one as its `stepper`, and `fdeint` applies one to a right-hand side.

    In reverse mode the memory of every step is kept, so a run of $n$ steps that remembers $m$ takes room for $n m$
    values of each variable.
    """

    alpha: eqx.AbstractVar[PyTree]
    num_memory: eqx.AbstractVar[int]
    of_slopes: eqx.AbstractClassVar[bool]
    needs_all: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def factor(self, alpha: Float[Array, "..."]) -> Float[Array, "..."]:
        r"""The factor $c$ of the slope, for one order or several."""

    @abc.abstractmethod
    def weights(self, alpha: Float[Array, "..."]) -> Float[Array, "num_memory ..."]:
        """The weights of the past, the newest first; `alpha` is one order, or has an order for each element."""

    def init(self, y: PyTree) -> FractionalMemory:
        """The memory at the beginning: that `y` has been there forever.

        **Raises:** `ValueError` for orders of other variables than those of `y`, or of other shapes.
        """
        leaves = [jnp.asarray(x) for x in jax.tree.leaves(y)]
        self._each(y)
        past = tuple(jnp.zeros((self.num_memory, *x.shape), x.dtype) for x in leaves)
        last = tuple(jnp.zeros_like(x) if self.of_slopes else x for x in leaves)
        return FractionalMemory(past=past, last=last, count=jnp.zeros((), jnp.int32))

    def step(
        self,
        field: AbstractField,
        t: Scalar,
        y: PyTree,
        u: Any,
        dt: Scalar,
        *,
        state: FractionalMemory | None = None,
        key: Key[Array, ""] | None = None,
    ) -> tuple[PyTree, FractionalMemory]:
        """`y` at `t + dt`, with `u` held, and the memory with this step in it.

        **Raises:** `ValueError` for a field with noise or a memory of other variables; at run time, by
        `equinox.error_if`, in the first step that would need more of the past than there is room for.
        """
        del key
        refuse_noise(self, field, t, y, u)
        leaves, structure = jax.tree.flatten(y)
        want = [(self.num_memory, *x.shape) for x in leaves]
        if state is None or [x.shape for x in state.past] != want:
            got = "no memory" if state is None else f"a memory of shapes {[x.shape for x in state.past]}"
            raise ValueError(f"{type(self).__name__} got {got}; expected {want}: make it by its init")
        count = state.count
        if self.needs_all:
            count = eqx.error_if(
                count,
                count >= self.num_memory,
                f"{type(self).__name__} needs the whole past, but num_memory={self.num_memory} and the run has more "
                "steps: make num_memory at least the number of all steps, duration / dt, or take GLShortMemory, "
                "which forgets",
            )
        slopes = derivatives(field, t, y, u)
        new, past, last = [], [], []
        for x, f, a, ring, before in zip(leaves, slopes, self._each(y), state.past, state.last, strict=True):
            move = self.factor(a) * jnp.asarray(dt, x.dtype) ** a * jnp.broadcast_to(f, x.shape).astype(x.dtype)
            ring = jax.lax.dynamic_update_index_in_dim(
                ring, before if self.of_slopes else x - before, count % self.num_memory, 0
            )
            # newest first is backwards around the ring
            weights = jnp.roll(self.weights(a)[::-1], count + 1, axis=0)
            remembered = jnp.tensordot(weights, ring, 1) if a.ndim == 0 else jnp.sum(weights * ring, 0)
            new.append(x + (move + remembered))
            past.append(ring)
            last.append(move if self.of_slopes else x)
        memory = FractionalMemory(past=tuple(past), last=tuple(last), count=count + 1)
        return jax.tree.unflatten(structure, new), memory

    def _each(self, y: PyTree) -> list[Array]:
        """The order of each variable: a number, or in the shape of the variable."""
        variables, orders = named(y), dict(named(self.alpha))
        if isinstance(self.alpha, dict | tuple):
            if set(orders) != {name for name, _ in variables}:
                raise ValueError(
                    f"alpha has orders for {listing(orders)}, but the variables are "
                    f"{listing(name for name, _ in variables)}"
                )
        else:
            orders = {name: self.alpha for name, _ in variables}
        each = []
        for name, x in variables:
            x, a = jnp.asarray(x), orders[name]
            try:
                fits = jnp.broadcast_shapes(a.shape, x.shape) == x.shape
            except ValueError:
                fits = False
            if not fits:
                raise ValueError(f"alpha has shape {a.shape}, but the variable '{name}' {x.shape}; expected () or that")
            a = a.astype(x.dtype)
            each.append(a if a.ndim == 0 else jnp.broadcast_to(a, x.shape))
        return each


def _steps(alpha: Array, *rows: np.ndarray) -> list[Array]:
    """One order, or one for each element, and numbers for each step of the past, so that they meet."""
    return [alpha[None], *(jnp.asarray(row, alpha.dtype).reshape(-1, *(1,) * alpha.ndim) for row in rows)]


class CaputoEuler(AbstractFractionalStepper):
    r"""Euler's method for fractional equations: the slope is held over each step of the integral,

    $$y_{k+1} = y_0 + \frac{\Delta t^\alpha}{\Gamma(1 + \alpha)} \sum_{j=0}^{k} \left[(k + 1 - j)^\alpha - (k -
    j)^\alpha\right] f_j,$$

    which it takes as a sum of differences of these weights, so that a variable may be reset: from then on it is
    shifted, and the slopes remembered stay as they are. With $\alpha = 1$ it is `Euler`. Order 1 at any time after the
    start where $f$ is smooth.

    **Arguments:**

    - `alpha`: the order or orders, above 0 and at most 1: a number for all variables; an array of the shape of the
      variables; or a dictionary or tuple with an order for each variable, by name or place.
    - `num_memory`: how many steps are remembered. A run may not be longer.

    Each step costs a sum over all that is remembered.

    **Raises:** `ValueError` or `TypeError` for other orders or lengths; at run time, when the run gets longer than
    `num_memory` steps.

    Source: Diethelm, Ford & Freed 2002, doi:10.1023/A:1016592219341 (the predictor); its errors: Diethelm, Ford &
    Freed 2004, doi:10.1023/B:NUMA.0000027736.85078.be.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, tau=20.0, stepper=npt.integrate.CaputoEuler(0.9, num_memory=1000))
        ```
    """

    of_slopes: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True
    alpha: PyTree = eqx.field(converter=_orders)
    num_memory: int = eqx.field(converter=_length, static=True, kw_only=True)

    def factor(self, alpha: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-gammaln(1 + alpha))

    def weights(self, alpha: Float[Array, "..."]) -> Float[Array, "num_memory ..."]:
        # (j + 1)^a - 2 j^a + (j - 1)^a without cancellation: with s + d and s - d the logarithms of 1 + 1/j and 1 - 1/j
        j = np.arange(2.0, self.num_memory + 1)
        alpha, ages, s, d = _steps(alpha, j, np.log1p(-1 / j**2) / 2, np.arctanh(1 / j))
        first = 2 * jnp.expm1((alpha - 1) * math.log(2))
        curve = 2 * jnp.expm1(alpha * s) + 4 * jnp.exp(alpha * s) * jnp.sinh(alpha * d / 2) ** 2
        return jnp.concatenate([first, ages**alpha * curve])


class CaputoL1(AbstractFractionalStepper):
    r"""The L1 scheme, explicit: the variables are taken as linear over each step of Caputo's derivative,

    $$y_{k+1} = y_k + \Gamma(2 - \alpha)\,\Delta t^\alpha f_k - \sum_{j=1}^{k} \left[(j + 1)^{1 - \alpha} - j^{1 -
    \alpha}\right] (y_{k+1-j} - y_{k-j}).$$

    With $\alpha = 1$ it is `Euler`. The derivative is found with order $2 - \alpha$ where the variables are smooth;
    since $f$ is that of the beginning of the step, the order of the whole is 1.

    **Arguments:** as those of `CaputoEuler`.

    **Raises:** as `CaputoEuler`.

    Source: Oldham & Spanier 1974, The Fractional Calculus, Academic Press, section 8.2; for neurons Teka, Marinov &
    Santamaria 2014, doi:10.1371/journal.pcbi.1003526.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, tau=20.0, stepper=npt.integrate.CaputoL1(0.9, num_memory=1000))
        ```
    """

    of_slopes: ClassVar[bool] = False
    needs_all: ClassVar[bool] = True
    alpha: PyTree = eqx.field(converter=_orders)
    num_memory: int = eqx.field(converter=_length, static=True, kw_only=True)

    def factor(self, alpha: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(gammaln(2 - alpha))

    def weights(self, alpha: Float[Array, "..."]) -> Float[Array, "num_memory ..."]:
        j = np.arange(1.0, self.num_memory + 1)
        alpha, ages, ratio = _steps(alpha, j, np.log1p(1 / j))
        return -(ages ** (1 - alpha)) * jnp.expm1((1 - alpha) * ratio)


class GLShortMemory(AbstractFractionalStepper):
    r"""The Grünwald–Letnikov scheme, explicit, with a short memory of $m$ steps,

    $$y_{k+1} = y_k + \Delta t^\alpha f_k - \sum_{j=1}^{m} B_j\,(y_{k+1-j} - y_{k-j}), \qquad B_j = \prod_{i=1}^{j}
    \left(1 - \frac{\alpha}{i}\right).$$

    The $B_j$ are the partial sums of the binomial coefficients $C_j = (1 - (1 + \alpha)/j)\,C_{j-1}$, $C_0 = 1$, so
    this is $\sum_j C_j\,(y_{k+1-j} - \hat y) = \Delta t^\alpha f_k$, where $\hat y$ is the oldest value in memory,
    and $y_0$ before the start. It is Caputo's derivative from then on: what has been at rest stays at rest. (BrainPy
    takes $\hat y = 0$, the derivative of Riemann and Liouville: a voltage then leaks towards 0 mV by itself, and the
    smaller the steps, the sooner its initial value is forgotten.)

    A run may be longer than the memory, whose end is then lost by design: what is left out decays as $m^{-\alpha}$.
    With $\alpha = 1$ it is `Euler`. Order 1 while all is remembered.

    **Arguments:** as those of `CaputoEuler`, except that a run may be of any length.

    **Raises:** `ValueError` or `TypeError` for other orders or lengths.

    Source: Podlubny 1999, Fractional Differential Equations, Academic Press, chapter 7 (short memory); on initial
    values Diethelm, Garrappa & Stynes 2020, doi:10.3390/math8030324.

    !!! example

        ```python
        import neuropytree as npt
        cell = npt.neurons.LIF(10, tau=20.0, stepper=npt.integrate.GLShortMemory(0.9, num_memory=200))
        ```
    """

    of_slopes: ClassVar[bool] = False
    needs_all: ClassVar[bool] = False
    alpha: PyTree = eqx.field(converter=_orders)
    num_memory: int = eqx.field(converter=_length, static=True, kw_only=True)

    def factor(self, alpha: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.ones_like(alpha)

    def weights(self, alpha: Float[Array, "..."]) -> Float[Array, "num_memory ..."]:
        alpha, ages = _steps(alpha, np.arange(1.0, self.num_memory + 1))
        return -jnp.cumprod(1 - alpha / ages, axis=0)
