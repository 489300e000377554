"""What a stepper is, and what it asks of the thing that it advances."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, PyTree

from .._stream import Source
from .._types import Scalar


class Linear(eqx.Module):
    r"""The coefficients of a conditionally linear variable, $\dot y = a y + b$ with everything else held.

    **Arguments:**

    - `a`: 1/ms.
    - `b`: unit of y per ms.

    `a` may vanish. Where it never does, declare a `Relaxation`, whose exponential step is cheaper.
    """

    a: Array
    b: Array


class Chord(Linear):
    r"""The coefficients of a variable that is not linear in itself: $\dot y = a y + b$ holds at this value of it alone.

    So it is for a voltage, $C \dot v = \sum_k g_k\,(E_k - v)$, if a conductance follows it at once. An exponential step
    holds the coefficients that `secant` makes of them. Steps of any length are bounded if $-a$ is never negative, as a
    conductance is.

    **Arguments:** `a` and `b` as for `Linear`, at this value; and

    - `fixed`: the part of them that doesn't depend on the variable.
    - `moving`: the other part, at a value.
    """

    fixed: Linear
    moving: Callable[[Array], Linear] = eqx.field(static=True)


class Tangent(Linear):
    r"""The tangent, at this value of it, of a variable whose field is the steeper the further up, and that is not
    followed beyond a bound: there the field is taken to be what it is at the bound.

    So it is for a voltage that runs away to a spike. A step that comes to the bound stays beyond it.

    **Arguments:** `a` and `b` as for `Linear`, of the tangent, `a` so small that a step along it is finite; and

    - `most`: the bound (unit of y).
    """

    most: Array


class Relaxation(eqx.Module):
    r"""A conditionally linear variable that relaxes, $\dot y = \mathrm{rate}\,(\mathrm{rest} - y)$, the others held.

    **Arguments:**

    - `rate`: 1/ms, never zero.
    - `rest`: unit of y.
    """

    rate: Array
    rest: Array


class AbstractField(eqx.Module):
    r"""The smooth part of a model, $\mathrm{d}y = f(t, y, u)\,\mathrm{d}t + g(t, y, u)\,\mathrm{d}W$.

    `y` is a pytree of variables, `u` the input held over a step. The same object can be handed to Diffrax:
    `diffrax.ODETerm(field.vector_field)` with `args=u`.
    """

    @abc.abstractmethod
    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        r"""The derivative $f$, with the structure of `y`, per ms."""

    def linear(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        """A `Linear` or `Relaxation` for each conditionally linear variable, else `None`, in the structure of `y`.

        `None` alone declares nothing. Whatever is declared must agree with `vector_field`.
        """
        del t, y, u
        return None

    def sequence(self) -> PyTree[int]:
        """The order in which exponential steppers advance the variables: a number for each, or one for a branch of `y`.

        Those with the lowest number move first; those with the next see them as they then are.
        """
        return 0

    def diffusion(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        r"""Amplitude $g$ of white noise (unit of y per $\sqrt{\mathrm{ms}}$), in the structure of `y`; `None` for none.

        An array is diagonal noise: each element of the variable has a Wiener process of its own. `ScalarNoise` around
        the whole is one process for all variables, `GeneralNoise` several, each of which may reach every element.
        """
        del t, y, u
        return None


class AbstractAround(AbstractField):
    """A field around another one, which is what messages speak of."""

    field: eqx.AbstractVar[AbstractField]

    def sequence(self) -> PyTree[int]:
        return self.field.sequence()


def called(field: AbstractField) -> str:
    """What a message calls a field."""
    while isinstance(field, AbstractAround):
        field = field.field
    return getattr(field, "spoken", type(field).__name__)


class AbstractStepper(eqx.Module):
    """Advances a field by one step of the clock.

    What a stepper has to remember from one step to the next, such as the past of a derivative of fractional order, is a
    state that `init` makes and `step` takes and returns; for most it is `None`. Its structure, shapes and dtypes never
    change.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt

        # of order 2, with one evaluation: it knows the last slope
        class AdamsBashforth(npt.integrate.AbstractStepper):
            def init(self, y):
                return {"slope": jax.tree.map(jnp.zeros_like, y), "first": jnp.ones((), bool)}

            def step(self, field, t, y, u, dt, *, state=None, key=None):
                def move(x, new, old):
                    return x + dt * jnp.where(state["first"], new, 1.5 * new - 0.5 * old)

                slope = field.vector_field(t, y, u)
                return jax.tree.map(move, y, slope, state["slope"]), {"slope": slope, "first": jnp.zeros((), bool)}

        sol = npt.integrate.odeint(lambda t, y, args: -y, 1.0, dt=0.1, duration=5.0, stepper=AdamsBashforth())
        ```
    """

    def init(self, y: PyTree) -> Any:
        """The state of the stepper at the beginning, where the variables are `y`; `None` unless it has one."""
        del y
        return None

    @abc.abstractmethod
    def step(
        self,
        field: AbstractField,
        t: Scalar,
        y: PyTree,
        u: Any,
        dt: Scalar,
        *,
        state: Any = None,
        key: Source | None = None,
    ) -> tuple[PyTree, Any]:
        """`y` at `t + dt`, with `u` held, and the state of the stepper then.

        **Arguments:**

        - `field`: what moves.
        - `t`, `dt`: begin and length of the step (ms).
        - `y`: the variables at `t`.
        - `u`: the input of the step.
        - `state`: from `init` or the last step.
        - `key`: the stream of the step, or a random key, for the noise of steppers that have it.
        """


def derivatives(field: AbstractField, t: Scalar, y: PyTree, u: Any) -> list[Array]:
    """The derivative of each leaf of `y`, in their order.

    **Raises:** `ValueError` for a derivative of another structure, such as a dictionary, whose order is its own.
    """
    return _in_the_form_of(y, field.vector_field(t, y, u), f"{called(field)}.vector_field", None)


def declared_by(field: AbstractField, t: Scalar, y: PyTree, u: Any) -> list[Linear | Relaxation | None]:
    """What `field.linear` says of each leaf of `y`, in their order.

    **Raises:** `ValueError` unless it is `None`, or has the structure of `y`.
    """
    found = field.linear(t, y, u)
    if found is None:
        return [None] * len(jax.tree.leaves(y))
    return _in_the_form_of(
        y, found, f"{called(field)}.linear", lambda x: x is None or isinstance(x, Linear | Relaxation)
    )


def _in_the_form_of(y: PyTree, made: PyTree, who: str, is_leaf: Callable[[Any], bool] | None) -> list[Any]:
    leaves, form = jax.tree.flatten(made, is_leaf=is_leaf)
    if form != jax.tree.structure(y):
        raise ValueError(f"{who} returns {form}; expected the structure of the variables, {jax.tree.structure(y)}")
    return leaves


def refuse_noise(stepper: AbstractStepper | str, field: AbstractField, t: Scalar, y: PyTree, u: Any) -> None:
    """An ODE stepper, or the method of that name, must not drop a declared noise without a word."""
    if field.diffusion(t, y, u) is not None:
        name = stepper if isinstance(stepper, str) else type(stepper).__name__
        raise ValueError(
            f"{name} has no noise, but {called(field)} declares a diffusion: "
            "use a stepper for noise, such as ExponentialEulerMaruyama, or leave the noise amplitude out"
        )
