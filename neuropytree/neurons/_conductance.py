"""Cells whose membrane has ion channels."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import check_kind, check_parameters, real
from .._errors import within
from .._types import Drive, Scalar, Spikes, find
from ..channels import AbstractChannel
from ..init import AbstractInitializer, values
from ..integrate import AbstractStepper, Chord, ExponentialEuler, ExponentialEulerMaruyama, Linear, Relaxation
from ..ions import AbstractIon, Pool
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._composed import ComposedNeuron
from ._crossing import Crossing
from ._membrane import AbstractMembrane, check_shapes
from ._parts import KINDS, by_name, check_needs, check_part
from ._refractory import Refractory
from ._spiking import Spiking
from ._state import NeuronState
from ._threshold import Threshold


class ConductanceState(eqx.Module):
    """The variables of a membrane with channels.

    - `v`: voltage (mV).
    - `channels`: the gates of each channel, by the names of both.
    - `ions`: the variables of each ion, such as its concentration `c`, by the names of both.
    """

    v: Float[Array, "..."]
    channels: dict[str, dict[str, Array]]
    ions: dict[str, dict[str, Array]]


class ConductanceMembrane(AbstractMembrane):
    r"""A membrane with channels and ions, $C_m \dot v = \sum_k I_k(v, \text{gates}_k, \text{ions}) + i - g v$.

    See `ConductanceCell` for the arguments.
    """

    c_m: Float[Array, "..."]
    channels: dict[str, AbstractChannel]
    ions: dict[str, AbstractIon]
    sigma: Float[Array, "..."] | None
    v_init: Float[Array, "..."] | AbstractInitializer

    def __init__(
        self,
        *,
        c_m: ArrayLike,
        channels: Mapping[str, AbstractChannel],
        ions: Mapping[str, AbstractIon] | None = None,
        sigma: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer = -65.0,
    ):
        self.c_m = real(c_m, "c_m", positive=True)
        self.channels, self.ions = by_name(channels, "channel"), by_name({} if ions is None else ions, "ion")
        self.sigma = None if sigma is None else real(sigma, "sigma", least=0)
        self.v_init = v_init if isinstance(v_init, AbstractInitializer) else real(v_init, "v_init")

    def __check_init__(self) -> None:
        for (what, kind), parts in zip(KINDS, (self.channels, self.ions), strict=True):
            for name, part in parts.items():
                check_part(part, what, kind, name)
        for name, channel in self.channels.items():
            check_needs(name, channel, self.ions)

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> ConductanceState:
        for name, part in (self.channels | self.ions).items():
            with within(name):
                check_parameters(part, shape)  # which may have been changed since it was made
        v = values(self.v_init, shape, key=key, dtype=self.c_m.dtype, name="v_init")
        ions = {name: ion.init(shape, v.dtype) for name, ion in self.ions.items()}
        pools = self.pools(ions)
        return ConductanceState(v=v, channels={name: c.begin(v, pools) for name, c in self.channels.items()}, ions=ions)

    def pools(self, ions: dict[str, dict[str, Array]]) -> dict[str, Pool]:
        """What the channels see of the ions in the state `ions`."""
        return {name: ion.pool(ions[name]) for name, ion in self.ions.items()}

    def currents(self, y: ConductanceState, pools: dict[str, Pool]) -> dict[str, Drive]:
        """What flows through each channel (µA/cm², mS/cm²)."""
        return {name: c.drive(y.v, y.channels[name], pools) for name, c in self.channels.items()}

    def linear(self, t: Scalar, y: ConductanceState, u: Drive) -> ConductanceState:
        del t
        declared, pools = self._now(y, u), self.pools(y.ions)
        following = [name for name, c in self.channels.items() if c.follows(y.v, y.channels[name], pools)]
        if not following:
            return declared
        currents = self.currents(y, pools)
        others = sum((x for name, x in currents.items() if name not in following), start=u)

        def moving(v: Array) -> Linear:
            drives = [self.channels[name].drive(v, y.channels[name], pools) for name in following]
            return self._rates(sum(drives[1:], start=drives[0]), v)

        v: Any = Chord(declared.v.a, declared.v.b, fixed=self._rates(others, y.v), moving=moving)  # pyright: ignore
        return ConductanceState(v=v, channels=declared.channels, ions=declared.ions)

    def _now(self, y: ConductanceState, u: Drive) -> ConductanceState:
        """The coefficients at these voltages."""
        pools = self.pools(y.ions)
        currents = self.currents(y, pools)
        total = sum(currents.values(), start=u)
        inward: dict[str, Array] = {name: jnp.zeros_like(y.v) for name in self.ions}
        for name, channel in self.channels.items():
            if channel.carries in inward:
                inward[channel.carries] += flowing(currents[name], y.v)
        v = self._rates(total, y.v)
        channels = {name: c.kinetics(y.v, y.channels[name], pools) for name, c in self.channels.items()}
        ions = {name: ion.kinetics(y.ions[name], inward[name]) for name, ion in self.ions.items()}
        return ConductanceState(v=v, channels=channels, ions=ions)  # pyright: ignore[reportArgumentType]

    def _rates(self, drive: Drive, v: Array) -> Linear:
        reciprocal = 1 / self.c_m
        g = jnp.zeros_like(v) if drive.g is None else drive.g
        return Linear(jnp.broadcast_to(-g * reciprocal, v.shape), drive.i * reciprocal)

    def vector_field(self, t: Scalar, y: ConductanceState, u: Drive) -> ConductanceState:
        def slope(k: Linear | Relaxation, x: Array) -> Array:
            return k.rate * (k.rest - x) if isinstance(k, Relaxation) else k.a * x + k.b

        del t
        return jax.tree.map(slope, self._now(y, u), y, is_leaf=lambda k: isinstance(k, Linear | Relaxation))

    def diffusion(self, t: Scalar, y: ConductanceState, u: Drive) -> ConductanceState | None:
        del t, u
        if self.sigma is None:
            return None
        channels, ions = jax.tree.map(lambda _: None, (y.channels, y.ions))
        return ConductanceState(v=self.sigma, channels=channels, ions=ions)

    def sequence(self) -> ConductanceState:
        return ConductanceState(v=1, channels=0, ions=1)  # pyright: ignore[reportArgumentType]


class ConductanceCell(ComposedNeuron):
    r"""Neurons with ion channels,

    $$C_m \dot v = \sum_k I_k + i - g v,$$

    $I_k$ being the current of channel $k$, inward positive. They have no reset: a spike is where the voltage crosses
    `v_th` from below.

    The input of a step is a current density $i$ (µA/cm²), or a `Drive(i, g)` with a conductance density $g$ (mS/cm²).
    For a cell of area $A$, divide currents and conductances by $A$: 1 nS on 20 000 µm² is 0.005 mS/cm².

    `ExponentialEuler` moves the gates first, then the voltage and the concentrations with the new gates, so that gates
    live half a step before the voltage. This is of second order in the voltage; with concentrations that move, of
    first order in their coupling. Other steppers move everything together.

    **Arguments:** each parameter a number or an array with one value for each neuron.

    - `size`: number of neurons, or their shape.
    - `channels`: the channels, by name.
    - `ions`: the ions that channels read and carry, by the name that they know it by: `"na"`, `"k"`, `"ca"`.
    - `c_m`: capacitance (µF/cm²).
    - `v_init`: initial voltage (mV), a number, array or initializer. The gates begin at rest at this voltage.
    - `v_th`: what the voltage crosses in a spike (mV).
    - `t_ref`: for how long no other spike counts after a spike (ms), rounded to whole steps; the voltage moves on.
      `None` counts each crossing.
    - `sigma`: membrane noise ($\mathrm{mV}/\sqrt{\mathrm{ms}}$); the step is then `ExponentialEulerMaruyama` unless
      said otherwise.
    - `surrogate`: gradient of a spike, or its class for its default parameters. `None` makes spikes booleans without
      gradient.
    - `stepper`: `ExponentialEuler()` unless given.

    The state is a `NeuronState` whose `membrane` is a `ConductanceState`; `vector_field(t, state.membrane, drive)`
    is the derivative of that. Gates and concentrations are recorded by the names of channel or ion and variable:
    `"na.m"`, `"ca.c"`.

    **Raises:** `ValueError` for a channel that reads an ion which the cell hasn't, and for a parameter whose shape
    doesn't fit.

    !!! example

        ```python
        import neuropytree as npt
        channels = {"na": npt.channels.INa_TM1991(g=100.0), "leak": npt.channels.IL(g=0.05, e=-60.0)}
        cell = npt.neurons.ConductanceCell(10, channels=channels, ions={"na": npt.ions.SodiumFixed(e=50.0)})
        sol = npt.simulate(cell, cell.init(), 2.0, dt=0.05, duration=20.0, record=["v", "na.m"])
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    membrane: ConductanceMembrane
    threshold: Crossing
    refractory: Refractory | None
    stepper: AbstractStepper

    def __init__(
        self,
        size: int | tuple[int, ...],
        *,
        channels: Mapping[str, AbstractChannel],
        ions: Mapping[str, AbstractIon] | None = None,
        c_m: ArrayLike = 1.0,
        v_init: ArrayLike | AbstractInitializer = -65.0,
        v_th: ArrayLike = 0.0,
        t_ref: ArrayLike | None = None,
        sigma: ArrayLike | None = None,
        surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
        stepper: AbstractStepper | None = None,
    ):
        if stepper is None:
            stepper = ExponentialEuler() if sigma is None else ExponentialEulerMaruyama()
        self.shape = normalise_size(size)
        self.membrane = ConductanceMembrane(c_m=c_m, channels=channels, ions=ions, sigma=sigma, v_init=v_init)
        self.threshold = Crossing(Threshold(v_th, surrogate() if isinstance(surrogate, type) else surrogate))
        self.refractory = None if t_ref is None else Refractory(t_ref)
        self.stepper = stepper

    def __check_init__(self) -> None:
        check_kind(self.stepper, AbstractStepper, "stepper", optional=False)
        for part in (self.membrane, self.threshold, self.refractory):
            check_shapes(part, self.shape)

    @property
    def parts(self) -> tuple[str, ...]:
        return ("membrane", *self.membrane.channels, *self.membrane.ions)

    @property
    def spiking(self) -> Spiking:
        return Spiking(threshold=self.threshold, refractory=self.refractory, hold=False)

    def read(self, path: str, state: NeuronState, output: Spikes) -> Array:
        return output if path == "spike" else find(state, path, who="a conductance cell", also=("spike",))


def flowing(drive: Drive, v: Array) -> Array:
    """The current of a drive at the voltage `v`."""
    return drive.i if drive.g is None else drive.i - drive.g * v
