"""A field from one function for each variable, whose parameters are matched by name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
from jaxtyping import PyTree

from .._arguments import check_mapping
from .._errors import listing
from .._types import Scalar
from ._base import AbstractField


class Joint(AbstractField):
    r"""The field of a dictionary of derivatives, one function for each variable.

    A parameter of a function is the variable of that name, the time if it is called `t`, or else the argument of that
    name. A parameter with a default may be left out of the arguments.

    **Arguments:**

    - `equations`: for each variable the function that gives its derivative (per ms).
    - `noise`: for each variable that has noise, the function that gives its amplitude (per $\sqrt{\mathrm{ms}}$);
      see `AbstractField.diffusion`.

    The state is a dictionary with the same keys, the arguments (`u`) a dictionary or `None`.

    **Raises:** `TypeError` for something that isn't a function with named parameters, and at trace time `ValueError`
    for a parameter that nothing is called like, an argument that nobody reads, and a variable without an equation or
    without a value.

    !!! example

        ```python
        import neuropytree as npt
        field = npt.integrate.Joint({
            "v": lambda v, w, current: v - v**3 / 3 - w + current,
            "w": lambda w, v: 0.08 * (v + 0.7 - 0.8 * w),
        })
        sol = npt.integrate.odeint(field, {"v": 0.0, "w": 0.0}, {"current": 0.5}, dt=0.1, duration=10.0)
        ```
    """

    equations: dict[str, Callable[..., Any]]
    noise: dict[str, Callable[..., Any]]
    parameters: dict[str, tuple[inspect.Parameter, ...]] = eqx.field(static=True)
    noise_parameters: dict[str, tuple[inspect.Parameter, ...]] = eqx.field(static=True)

    def __init__(
        self, equations: Mapping[str, Callable[..., Any]], noise: Mapping[str, Callable[..., Any]] | None = None
    ):
        if not isinstance(equations, Mapping) or not equations:
            raise TypeError(f"equations is {equations!r}; expected a dictionary of a derivative for each variable")
        if "t" in equations:
            raise ValueError("a variable is called 't', which is the time; call it something else")
        noise = check_mapping(noise, "noise", "amplitudes")
        strangers = [name for name in noise if name not in equations]
        if strangers:
            raise ValueError(f"there is noise for {listing(strangers)}; the variables are {listing(equations)}")
        self.equations, self.noise = dict(equations), dict(noise)
        self.parameters = {name: _parameters(f"the equation for '{name}'", f) for name, f in equations.items()}
        self.noise_parameters = {name: _parameters(f"the noise of '{name}'", f) for name, f in noise.items()}

    def vector_field(self, t: Scalar, y: PyTree, u: Any) -> PyTree:
        known = self._known(t, y, u)
        return {
            name: self._value(f"the equation for '{name}'", self.equations[name], self.parameters[name], known)
            for name in y
        }

    def diffusion(self, t: Scalar, y: PyTree, u: Any) -> PyTree | None:
        if not self.noise:
            return None
        known, out = self._known(t, y, u), dict.fromkeys(y)
        for name, f in self.noise.items():
            out[name] = self._value(f"the noise of '{name}'", f, self.noise_parameters[name], known)
        return out

    def _known(self, t: Scalar, y: PyTree, u: Any) -> dict[str, Any]:
        given = {} if u is None else u
        if not isinstance(y, Mapping) or set(y) != set(self.equations):
            names = listing(y) if isinstance(y, Mapping) else f"a {type(y).__name__}"
            raise ValueError(
                f"the state has {names} and the equations are for {listing(self.equations)}; give each variable a "
                "value and an equation"
            )
        if not isinstance(given, Mapping):
            raise ValueError(f"the arguments are a {type(given).__name__}; the equations need a dictionary by name")
        both = [name for name in given if name in y or name == "t"]
        if both:
            raise ValueError(f"the arguments have {listing(both)}, which are variables or the time already")
        functions = [*self.parameters.values(), *self.noise_parameters.values()]
        read = {p.name for parameters in functions for p in parameters}
        unread = [name for name in given if name not in read]
        if unread:
            raise ValueError(f"the arguments have {listing(unread)}, which no equation takes")
        return {**given, **y, "t": t}

    def _value(
        self, what: str, function: Callable[..., Any], parameters: tuple[inspect.Parameter, ...], known: dict[str, Any]
    ) -> Any:
        positional, named = [], {}
        for p in parameters:
            if p.name not in known and p.default is inspect.Parameter.empty:
                arguments = [x for x in known if x not in self.equations and x != "t"]
                raise ValueError(
                    f"{what} takes '{p.name}', which is neither a variable "
                    f"{listing(self.equations)}, nor the time 't', nor an argument {listing(arguments)}"
                )
            value = known.get(p.name, p.default)
            if p.kind is inspect.Parameter.KEYWORD_ONLY:
                named[p.name] = value
            else:
                positional.append(value)
        return function(*positional, **named)


def _parameters(what: str, function: Any) -> tuple[inspect.Parameter, ...]:
    expected = "expected a function whose parameters are named"
    if not callable(function):
        raise TypeError(f"{what} is a {type(function).__name__}; {expected}")
    try:
        parameters = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise TypeError(f"{what} has no signature; {expected}") from None
    bad = [p.name for p in parameters if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if bad:
        raise TypeError(f"{what} takes any number of arguments, as {listing(bad)}; {expected}")
    return parameters
