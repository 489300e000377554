"""Kinds of noise, and what a stepper for stochastic equations is."""

import abc
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from .._arguments import check_choice, named
from .._errors import no_key
from .._stream import Source, Stream, stream_of
from .._types import Scalar
from ..ops import varying_axes
from ..random import normal
from ._base import AbstractField, AbstractStepper, called
from ._elementwise import dependence

Calculus = Literal["ito", "stratonovich"]
Kind = Literal["diagonal", "scalar", "general"]


class ScalarNoise(eqx.Module):
    r"""One Wiener process shared by all variables and elements, $\mathrm{d}y_i = \dots + g_i\,\mathrm{d}W$.

    **Arguments:**

    - `amplitude`: $g$ in the structure of `y`, `None` for a variable without noise.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt
        sol = npt.integrate.sdeint(
            lambda t, y, args: -y, lambda t, y, args: 0.3 * y, jnp.ones(4),
            dt=0.1, duration=5.0, noise="scalar", key=jax.random.key(0),
        )
        ```
    """

    amplitude: PyTree


class GeneralNoise(eqx.Module):
    r"""$m$ Wiener processes, each of which may reach every element,

    $$\mathrm{d}y_i = \dots + \sum_j g_{ij}\,\mathrm{d}W_j.$$

    **Arguments:**

    - `amplitude`: $g$ in the structure of `y`; each leaf has one axis more than its variable, the last, of length $m$.
      `None` for a variable without noise.

    !!! example

        ```python
        import jax, jax.numpy as jnp, neuropytree as npt
        sol = npt.integrate.sdeint(
            lambda t, y, args: -y, lambda t, y, args: jnp.ones((4, 2)), jnp.ones(4),
            dt=0.1, duration=5.0, noise="general", key=jax.random.key(0),
        )
        ```
    """

    amplitude: PyTree


class Noise(eqx.Module):
    """The amplitudes of a field at one point, checked, and how they multiply increments."""

    kind: Kind = eqx.field(static=True)
    amplitude: PyTree

    def times(self, w: PyTree) -> PyTree:
        """The increments of the variables for those of the Wiener processes, `w`; `None` where there is no noise."""
        if self.kind == "diagonal":
            return jax.tree.map(_product, self.amplitude, w, is_leaf=_is_none)
        if self.kind == "scalar":
            return jax.tree.map(lambda g: g * w.astype(g.dtype), self.amplitude)
        return jax.tree.map(lambda g: jnp.matmul(g, w.astype(g.dtype), precision="highest"), self.amplitude)

    def along(self, y: PyTree) -> PyTree:
        """The amplitudes in the shapes of `y`, zero where there is no noise: a tangent of `y`. Not of general noise."""

        def fill(leaf: Array, g: Array | None) -> Array:
            return jnp.zeros_like(leaf) if g is None else jnp.broadcast_to(g, leaf.shape).astype(leaf.dtype)

        return jax.tree.map(fill, y, self.amplitude)

    def draw(self, y: PyTree, dt: Scalar, stream: Stream, *, integral: bool) -> tuple[PyTree, PyTree | None]:
        """Increments of the Wiener processes over `dt`, and where asked for their integrals over the step.

        The numbers of a variable's element depend on the variable's name and on the number of the element; those of
        noise that variables share, on the number of the process.
        """
        if self.kind == "diagonal":
            structure = jax.tree.structure(y)
            noisy = [g is not None for g in structure.flatten_up_to(self.amplitude)]
            pairs = [
                _increments(_at(stream, path), leaf, dt, integral) if noise else (None, None)
                for (path, leaf), noise in zip(jax.tree_util.tree_leaves_with_path(y), noisy, strict=True)
            ]
            dW, dZ = (structure.unflatten(part) for part in zip(*pairs, strict=True))
        else:
            noisy = [g for g in jax.tree.leaves(self.amplitude) if g is not None]
            shape = noisy[0].shape[-1:] if self.kind == "general" else ()
            dW, dZ = _increments(stream.fold(self.kind), jnp.zeros(shape, jnp.result_type(*noisy)), dt, integral)
        return dW, dZ if integral else None


def _at(stream: Stream, path: Any) -> Stream:
    """The stream of the variable there; a name with a dot in it is another place than a name within a name."""
    for key in path or (jax.tree_util.DictKey("y"),):
        stream = stream.fold(jax.tree_util.keystr((key,), simple=True))
    return stream


def _increments(stream: Stream, like: Array, dt: Scalar, integral: bool) -> tuple[Array, Array | None]:
    """Of processes in the shape and dtype of an array, and on its devices: their elements are numbered over the devices
    that share a stream."""
    own = {axis for x in jax.tree.leaves(stream) for axis in varying_axes(x)}
    spread, axes = jnp.sqrt(dt), tuple(axis for axis in varying_axes(like) if axis not in own)
    dW = spread * normal(stream, shape=like.shape, dtype=like.dtype, axis_name=axes)
    if not integral:
        return dW, None
    other = normal(stream.fold("integral"), shape=like.shape, dtype=like.dtype, axis_name=axes)
    return dW, dt / 2 * (dW + spread * 3**-0.5 * other)


class AbstractSDEStepper(AbstractStepper):
    r"""Advances a field with noise by one step of the clock.

    `step` draws the increments from a stream of the step, or a key: what an element of a variable gets depends on that,
    on the name of the variable, and on the number of the element. `advance` takes them from outside, so that runs with
    several steps can be compared on the same path.

    A subclass says in which calculus it reads the field (`calculus`), whether it takes general noise beside diagonal
    and scalar (`takes_general`), and whether it needs the integral of the Wiener process over the step
    (`uses_integral`).
    """

    calculus: eqx.AbstractVar[Calculus]
    takes_general: eqx.AbstractClassVar[bool]
    uses_integral: eqx.AbstractClassVar[bool]

    @abc.abstractmethod
    def advance(self, field: AbstractField, t: Scalar, y: PyTree, u: Any, dt: Scalar, dW: PyTree, dZ: PyTree) -> PyTree:
        r"""`y` at `t + dt` for given noise: a pure function.

        **Arguments:**

        - `dW`: increments $\int \mathrm{d}W$ ($\sqrt{\mathrm{ms}}$). For diagonal noise in the structure and shapes of
          `y`, with `None` for variables without noise; for scalar noise one number; for general noise `(m,)`.
        - `dZ`: $\int_t^{t + \Delta t} (W_s - W_t)\,\mathrm{d}s$ in the same form, or `None` for a scheme that has
          `uses_integral = False`.
        """

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
        noise, stream = noise_of(self, field, t, y, u), stream_of(key)
        if stream is None:
            raise no_key(type(self).__name__, "noise of the field")
        return self.advance(field, t, y, u, dt, *noise.draw(y, dt, stream, integral=self.uses_integral)), state


def noise_of(stepper: AbstractSDEStepper, field: AbstractField, t: Scalar, y: PyTree, u: Any) -> Noise:
    """The noise of the field at `y`, if the stepper takes it.

    **Raises:** `ValueError` for a field without noise, with noise of another kind, or amplitudes that don't fit `y`.
    """
    who, whose = type(stepper).__name__, called(field)
    given = field.diffusion(t, y, u)
    kind: Kind = "scalar" if isinstance(given, ScalarNoise) else "diagonal"
    kind = "general" if isinstance(given, GeneralNoise) else kind
    if kind == "general" and not stepper.takes_general:
        raise ValueError(
            f"{who} takes diagonal and scalar noise, but {whose} declares general noise: use EulerMaruyama or "
            "ExponentialEulerMaruyama (Itô), EulerHeun or StochasticHeun (Stratonovich)"
        )
    if isinstance(given, ScalarNoise | GeneralNoise):
        given = given.amplitude
    leaves, structure = jax.tree.flatten(y)
    paths = [name for name, _ in named(y)]
    if given is None:
        amplitudes: list[Any] = [None] * len(leaves)
    else:
        try:
            amplitudes = structure.flatten_up_to(given)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"the diffusion of {whose} has the structure {jax.tree.structure(given)}; expected that of y, "
                f"{structure}, with None for a variable without noise"
            ) from error
    if all(g is None for g in amplitudes):
        raise ValueError(
            f"{who} needs noise, but {whose} declares no diffusion: give it an amplitude (sigma), or use a stepper "
            "without noise"
        )
    amplitudes = [_checked(g, leaf, kind, p) for g, leaf, p in zip(amplitudes, leaves, paths, strict=True)]
    if kind == "general" and len({g.shape[-1] for g in amplitudes if g is not None}) > 1:
        sizes = {p: g.shape[-1] for p, g in zip(paths, amplitudes, strict=True) if g is not None}
        raise ValueError(f"the amplitudes of general noise have last axes {sizes}; expected one number of processes")
    return Noise(kind, structure.unflatten(amplitudes))


def require_own(stepper: AbstractSDEStepper, noise: Noise, field: AbstractField, t: Scalar, y: PyTree, u: Any) -> None:
    """For schemes of order 1 or more, diagonal noise of an element must depend on no other element that has noise.

    **Raises:** `ValueError` naming the variable.
    """
    if noise.kind != "diagonal":
        return
    leaves, structure = jax.tree.flatten(y)
    noisy = [g is not None for g in structure.flatten_up_to(noise.amplitude)]
    found = iter(dependence(lambda y: noise_of(stepper, field, t, y, u).amplitude, y))
    for n, _ in enumerate(leaves):
        if not noisy[n]:
            continue
        one = next(found)
        others = [m for m in one if m != n and noisy[m]]
        if others or (leaves[n].size > 1 and one.get(n) is not None):
            names = [name for name, _ in named(y)]
            of = f"on variable '{names[others[0]]}'" if others else f"on its other elements (by '{one[n]}')"
            raise ValueError(
                f"{type(stepper).__name__}: the amplitude of the diagonal noise of variable '{names[n]}' of "
                f"{called(field)} depends {of}, which has noise of its own; the scheme would lose its order: "
                "use EulerMaruyama (Itô), or EulerHeun or StochasticHeun (Stratonovich)"
            )


def move(y: PyTree, *increments: PyTree) -> PyTree:
    """`y` and increments of its structure, which may have `None` where nothing is added."""

    def add(leaf: Array, *parts: Array | None) -> Array:
        for part in parts:
            leaf = leaf if part is None else leaf + part
        return leaf

    return jax.tree.map(add, y, *increments)


def scaled(weight: Any, tree: PyTree) -> PyTree:
    """`weight` times each leaf."""
    return jax.tree.map(lambda leaf: weight * leaf, tree)


def check_calculus(who: str, calculus: Any) -> None:
    """**Raises:** `ValueError` unless `calculus` is "ito" or "stratonovich"."""
    check_choice(calculus, f"calculus of {who}", get_args(Calculus))


def _checked(g: Any, leaf: Array, kind: Kind, path: str) -> Array | None:
    if g is None:
        return None
    if not hasattr(g, "dtype"):
        if not isinstance(g, float | int):
            raise TypeError(f"the amplitude of {kind} noise of '{path}' is {g!r}; expected an array or a number")
        g = jnp.asarray(g, leaf.dtype)
    if jnp.issubdtype(g.dtype, jnp.complexfloating):
        raise TypeError(f"the amplitude of {kind} noise of '{path}' has dtype {g.dtype}; expected real numbers")
    if kind == "general":
        if g.ndim != leaf.ndim + 1 or g.shape[:-1] != leaf.shape:
            raise ValueError(
                f"the amplitude of general noise of '{path}' has shape {g.shape}; expected {leaf.shape} and one axis "
                "more, the number of Wiener processes"
            )
        return g
    over = len(g.shape) > leaf.ndim
    if over or any(a not in (1, b) for a, b in zip(g.shape[::-1], leaf.shape[::-1], strict=False)):
        raise ValueError(
            f"the amplitude of {kind} noise of '{path}' has shape {g.shape}; expected {leaf.shape}, as its variable "
            "has, or ()"
        )
    return g


def _product(g: Array | None, w: Array) -> Array | None:
    return None if g is None else g * w


def _is_none(x: Any) -> bool:
    return x is None
