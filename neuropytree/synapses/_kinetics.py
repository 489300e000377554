"""What every receptor kinetics can do."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
from jaxtyping import Array

from .._arguments import check_parameters
from .._types import Scalar


class AbstractKinetics(eqx.Module):
    """Linear kinetics of a receptor: how its variables relax, and the one to which what arrives is added.

    Being linear, one copy serves all the synapses onto a neuron.
    """

    def __check_init__(self) -> None:
        check_parameters(self)

    @abc.abstractmethod
    def init(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """The state of closed channels."""

    @abc.abstractmethod
    def relax(self, state: Any, dt: Scalar) -> Any:
        """The state `dt` ms later, with nothing arriving."""

    @abc.abstractmethod
    def receive(self, state: Any, add: Callable[[Array], Array]) -> Any:
        """The state after arrivals; `add` takes the variable that they enter and gives it back with them added."""

    @abc.abstractmethod
    def mean(self, state: Any, dt: Scalar, rate: Array | None = None) -> Array:
        r"""What the receptor has open over the next `dt` ms, as one number for the whole step.

        Without a `rate`, the mean $\frac{1}{\Delta t} \int_0^{\Delta t} g(s)\,\mathrm{d}s$: the charge that flows in
        the step is exact. With the `rate` $a$ (1/ms) of a membrane $\dot v = -a v + g$, the constant that takes the
        voltage to where $g(s)$ takes it,

        $$\frac{\int_0^{\Delta t} e^{-a (\Delta t - s)} g(s)\,\mathrm{d}s}
        {\int_0^{\Delta t} e^{-a (\Delta t - s)}\,\mathrm{d}s},$$

        so that current and voltage are propagated exactly together.

        Source: Rotter & Diesmann 1999, doi:10.1007/s004220050570.
        """
