"""Membranes: the smooth part of a point neuron."""

import abc
import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import fits, named, real, spoken
from .._errors import listing
from .._types import Drive, Scalar, fields_of, fold_key
from ..init import AbstractInitializer, values
from ..integrate import AbstractField, Relaxation


class Voltage(eqx.Module):
    """State of a membrane whose only variable is its voltage `v` (mV)."""

    v: Float[Array, "..."]


class AbstractMembrane(AbstractField):
    """The field of a point neuron. Its state has the voltage `v`, and whatever else moves between spikes."""

    @abc.abstractmethod
    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> Any:
        """The initial state, with `v` of the given shape."""

    @property
    def runs_away(self) -> bool:
        """Whether the voltage can reach infinity in finite time so fast that the field overflows before.

        Then a `PointNeuron` evaluates the field no further up than its threshold, where a reset ends the upswing, and
        bounds the slope by which it is linearised. Each neuron's derivative must depend on that neuron alone.
        """
        return False

    @property
    def rate(self) -> Float[Array, "..."] | None:
        r"""The constant linear rate $a$ of the voltage of a membrane without conductances (1/ms), $\dot v = -a v +
        \dots$ with whatever does not depend on $v$ itself; `None` where there is none.

        By it a receptor finds the constant current that takes the voltage, over a step, to where a current that decays
        would.
        """
        return None

    def received(self, u: Drive, shape: tuple[int, ...], at: int = 0) -> Drive:
        """`u`, given to cells of that shape, where it flows in: in cells with several compartments, one for each, and
        `at` is the one that it is for.

        **Raises:** `ValueError` if it has neither one value nor one for each cell.
        """
        del at
        for part in (u.i, u.g):
            if part is not None and not fits(part.shape, shape):
                raise ValueError(f"the input has shape {part.shape}; expected () or {shape}, one for each neuron")
        return u

    def voltage(self, y: Any, at: int = 0) -> Array:
        """The voltage (mV) in compartment `at`, of those that have several."""
        del at
        return y.v

    def put(self, y: Any, v: Array, at: int = 0) -> Any:
        """`y` with the voltage `v` in compartment `at`."""
        del at
        return dataclasses.replace(y, v=v)

    def settled(self, y: Any) -> Any:
        """`y` with whatever has no motion of its own, but follows from the rest, put where it belongs."""
        return y


def what_is_wrong(membrane: AbstractMembrane, t: Scalar, y: Any, u: Drive) -> str | None:
    """What a message says of a membrane whose derivative doesn't have the form of its variables; `None` of others."""
    slope = eqx.filter_eval_shape(membrane.vector_field, t, y, u)
    who = f"{type(membrane).__name__}.vector_field"
    if jax.tree.structure(slope) != jax.tree.structure(y):
        got = "None" if slope is None else type(slope).__name__
        got += f" with {listing(fields_of(slope))}" if fields_of(slope) else ""
        return f"{who} returns {got}; expected {type(y).__name__} with a derivative for each of {listing(fields_of(y))}"
    for (name, x), (_, dx) in zip(named(y), named(slope), strict=True):
        if not fits(dx.shape, x.shape):
            return f"{who} gives {name} a derivative of shape {dx.shape}; the variable has shape {x.shape}"
    return None


def check_shapes(parts: Any, target: tuple[int, ...], each: str = "neuron") -> None:
    """**Raises:** `ValueError` naming the first parameter in `parts` that isn't one number, or one for each neuron, or
    for each of what `each` says."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(parts):
        shape = getattr(leaf, "shape", ())
        if shape != () and not fits(shape, target):
            raise ValueError(f"{spoken(path)} has shape {shape}; expected () or {target}, one for each {each}")


def as_rule(x: ArrayLike | AbstractInitializer | None, name: str) -> Array | AbstractInitializer | None:
    """The initial value called `name` as a field holds it: a parameter, an initializer, or `None`."""
    return x if x is None or isinstance(x, AbstractInitializer) else real(x, name)


def initial(
    rule: Array | AbstractInitializer | None, default: Array, like: Array, *, key: Key[Array, ""] | None, name: str
) -> Array:
    """The initial values of the variable called `name`, shaped as `like`; random ones from a stream of its own."""
    key = None if key is None else fold_key(key, name)
    return values(default if rule is None else rule, like.shape, key=key, dtype=like.dtype, name=f"{name}_init")


class VoltageMembrane(AbstractMembrane):
    """A membrane whose only variable is its voltage, with white noise of amplitude `sigma` if that is not `None`."""

    sigma: eqx.AbstractVar[Float[Array, "..."] | None]
    v_init: eqx.AbstractVar[Float[Array, "..."] | AbstractInitializer | None]

    @property
    @abc.abstractmethod
    def _begin(self) -> Array:
        """The initial voltage (mV) where there is no `v_init`."""

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> Voltage:
        rule = self._begin if self.v_init is None else self.v_init
        return Voltage(values(rule, shape, key=key, dtype=self._begin.dtype, name="v_init"))

    def diffusion(self, t: Scalar, y: Voltage, u: Drive) -> Voltage | None:
        del t, y, u
        return None if self.sigma is None else Voltage(self.sigma)


class LeakyMembrane(VoltageMembrane):
    r"""A leaky integrator, $\tau \dot v = -(v - v_\mathrm{rest}) + R\,(i - g v)$, with noise if asked for.

    **Arguments:**

    - `v_rest`: resting voltage (mV).
    - `tau`: membrane time constant (ms).
    - `r`: membrane resistance (mV per unit of current; with conductances, 1 over the leak).
    - `sigma`: noise amplitude ($\mathrm{mV}/\sqrt{\mathrm{ms}}$), or `None`. The free voltage then has variance
      $\sigma^2 \tau / 2$.
    - `v_init`: initial voltage (mV): a number, an array or an initializer; `None` is `v_rest`.

    Source: Lapicque 1907; Abbott 1999, doi:10.1016/S0361-9230(99)00161-6.

    !!! example

        ```python
        import neuropytree as npt
        parts = npt.neurons
        membrane = parts.LeakyMembrane(v_rest=-60.0, tau=20.0)
        threshold, reset = parts.Threshold(-50.0, None), parts.HardReset(-60.0)
        cell = parts.PointNeuron(3, membrane=membrane, threshold=threshold, reset=reset)
        ```
    """

    v_rest: Float[Array, "..."]
    tau: Float[Array, "..."]
    r: Float[Array, "..."]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer | None

    def __init__(
        self,
        *,
        v_rest: ArrayLike,
        tau: ArrayLike,
        r: ArrayLike = 1.0,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer | None = None,
    ):
        self.v_rest, self.tau, self.r = real(v_rest, "v_rest"), real(tau, "tau", positive=True, unit="ms"), real(r, "r")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init = as_rule(v_init, "v_init")

    @property
    def _begin(self) -> Array:
        return self.v_rest

    @property
    def rate(self) -> Float[Array, "..."]:
        return 1 / self.tau

    def vector_field(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t
        current = u.i if u.g is None else u.i - u.g * y.v
        return Voltage((self.v_rest - y.v + self.r * current) / self.tau)

    def linear(self, t: Scalar, y: Voltage, u: Drive) -> Voltage:
        del t, y
        leak = jnp.ones_like(self.r) if u.g is None else 1 + self.r * u.g
        # the rate vanishes only for a conductance that is negative and cancels the leak exactly
        # times the reciprocal, which is taken once, where a division would be one for each neuron
        coefficients = Relaxation(leak * (1 / self.tau), (self.v_rest + self.r * u.i) / leak)
        return Voltage(coefficients)  # pyright: ignore[reportArgumentType]
