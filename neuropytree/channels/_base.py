"""What a channel is: gates, and a current that they let through."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._arguments import check_parameters, fits
from .._errors import listing
from .._types import Drive, Parameter, parameter
from ..integrate import Linear, Relaxation, depends
from ..ions import Pool

Gates = dict[str, Array]
Pools = dict[str, Pool]


class AbstractChannel(eqx.Module):
    """A kind of ion channel in the membrane of a cell.

    The base of channels whose current is no conductance times a driving force; for the others there is
    `AbstractOhmic`. A subclass says how its gates move (`kinetics`) and which current flows (`drive`).

    Class attributes:

    - `reads`: names of the ions whose concentration or reversal potential it reads.
    - `carries`: name of the ion that its current consists of, or `None` if nobody keeps account of it.
    """

    reads: ClassVar[tuple[str, ...]] = ()
    carries: ClassVar[str | None] = None

    def __check_init__(self) -> None:
        check_parameters(self)

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the ions that the cell must have."""
        return self.reads

    @abc.abstractmethod
    def kinetics(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> dict[str, Relaxation | Linear]:
        """How each gate moves at the voltage `v` (mV), the other gates and the ions held; empty without gates."""

    @abc.abstractmethod
    def drive(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Drive:
        """The current i - g v (µA/cm², inward positive): right at `v`, and a tangent there where it is curved."""

    def follows(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> bool:
        """Whether its `drive` depends on the voltage at once, beside what the gates do."""
        return depends(lambda v: self.drive(v, gates, ions), v)

    def init(self, v: Float[Array, "..."], ions: Pools) -> Gates:
        """The gates at rest at the voltage `v`. To be given by channels whose gates depend on one another."""
        kinetics = self._gates(self.kinetics(v, {}, ions), v)
        return {name: jnp.broadcast_to(_rest(k), v.shape).astype(v.dtype) for name, k in kinetics.items()}

    def begin(self, v: Float[Array, "..."], ions: Pools) -> Gates:
        """The gates at rest, as `init` has them, when a cell begins.

        **Raises:** `TypeError` or `ValueError` for a method that returns something a cell can't step by, naming it.
        """
        gates = self.init(v, ions)
        moved, drive = eqx.filter_eval_shape(lambda: (self.kinetics(v, gates, ions), self.drive(v, gates, ions)))
        who = type(self).__name__
        if set(self._gates(moved, v)) != set(gates):
            raise ValueError(f"{who}.kinetics moves {listing(moved)}, and {who}.init makes {listing(gates)}")
        if not isinstance(drive, Drive):
            raise TypeError(f"{who}.drive returns {eqx.tree_pformat(drive)}; expected an npt.Drive(i, g)")
        _check_shapes(f"{who}.drive", drive, v)
        return gates

    def _gates(self, kinetics: Any, v: Array) -> dict[str, Relaxation | Linear]:
        """What `kinetics` has returned. **Raises:** `TypeError` or `ValueError` unless it is a dictionary of gates."""
        who = f"{type(self).__name__}.kinetics"
        if not isinstance(kinetics, dict) or not all(isinstance(k, Relaxation | Linear) for k in kinetics.values()):
            raise TypeError(
                f"{who} returns {eqx.tree_pformat(kinetics)}; expected a dictionary of gates by name, each an "
                "inf_tau(...) or alpha_beta(...) of npt.channels"
            )
        _check_shapes(who, kinetics, v)
        return kinetics


class AbstractOhmic(AbstractChannel):
    r"""A channel whose current is a conductance times a driving force, $I = g(\dots)\,(E - v)$.

    A subclass has the fields it needs, and gives `kinetics` and `conductance`.

    Class attributes: `reads` and `carries`, as in `AbstractChannel`. The conductance may depend on the voltage itself,
    beside the gates: for gates that open at once.

    **Arguments:**

    - `e`: reversal potential (mV); `None` takes that of the ion which the channel carries.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        class IM(npt.channels.AbstractOhmic):
            g: float = 0.05
            carries = "k"

            def kinetics(self, v, gates, ions):
                tau = 1000.0 / (3.3 * (jnp.exp((v + 35.0) / 20.0) + jnp.exp(-(v + 35.0) / 20.0)))
                return {"m": npt.channels.inf_tau(1.0 / (1.0 + jnp.exp(-(v + 35.0) / 10.0)), tau)}

            def conductance(self, v, gates, ions):
                return self.g * gates["m"]

        channels = {"m": IM(), "leak": npt.channels.IL()}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"k": npt.ions.PotassiumFixed()})
        ```
    """

    e: Parameter = parameter(None, unit="mV")

    def __check_init__(self) -> None:
        if self.e is None and self.carries is None:
            raise ValueError(
                f"e of {type(self).__name__} is None; expected a number of mV, since it carries no ion that has a "
                "reversal potential"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        return self.reads if self.e is not None or self.carries is None else (*self.reads, self.carries)

    @abc.abstractmethod
    def conductance(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Array:
        """The conductance (mS/cm²)."""

    def reversal(self, ions: Pools) -> Array:
        """The reversal potential (mV): its own, or that of its ion."""
        return ions[self.carries].e if self.e is None else self.e  # pyright: ignore

    def drive(self, v: Float[Array, "..."], gates: Gates, ions: Pools) -> Drive:
        e, g = self.reversal(ions), self.conductance(v, gates, ions)
        if not isinstance(g, jax.Array | float | int | np.ndarray | np.generic):
            raise TypeError(f"{type(self).__name__}.conductance returns {eqx.tree_pformat(g)}; expected a conductance")
        return Drive(g * e, g)


def _rest(k: Relaxation | Linear) -> Array:
    return k.rest if isinstance(k, Relaxation) else -k.b / k.a


def _check_shapes(who: str, made: Any, v: Array) -> None:
    """**Raises:** `ValueError` for something of another shape than the voltages."""
    for path, x in jax.tree_util.tree_leaves_with_path(made):
        if not fits(jnp.shape(x), v.shape):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise ValueError(f"{who} gives {name} the shape {jnp.shape(x)}; expected () or {v.shape}")
