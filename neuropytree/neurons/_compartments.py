"""Cells with several compartments."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from .._arguments import check_kind, check_mapping, check_real
from .._types import Spikes, find
from ..channels import AbstractChannel
from ..init import AbstractInitializer
from ..integrate import AbstractStepper
from ..ions import AbstractIon
from ..surrogate import AbstractSurrogate, PiecewiseExp
from ._base import normalise_size
from ._cable import CableMembrane, Places, Where, lifted, located, whole_numbers
from ._composed import ComposedNeuron
from ._crossing import Crossing
from ._hines import Hines
from ._membrane import check_shapes
from ._refractory import Refractory
from ._spiking import Spiking
from ._state import NeuronState
from ._threshold import Threshold
from ._tree import Tree


class Compartments(ComposedNeuron):
    r"""Neurons with several compartments, which form a tree,

    $$A_k C_k \dot v_k = A_k \sum_c I_{c,k} + \sum_{j \sim k} G_{kj} (v_j - v_k) + A_k\,(i_k - g_k v_k),$$

    the sum over $j$ being one over the neighbours of compartment $k$: its parent and its children. Compartment 0, the
    root, is the soma. A spike is where its voltage crosses `v_th` from below.

    The input of a step is a current density $i$ (µA/cm²) or a `Drive(i, g)` with a conductance density $g$ (mS/cm²).
    With the shape of the population it flows into the soma; with one axis more, the last, into every compartment. A
    receptor of a `Population` acts on the soma, or on the compartment that it is given with (`(receptor, "dend")`).
    With `input_area=1e5` the input is the current in nA and the conductance in µS.

    **Arguments:** each parameter a number; an array with one value for each compartment; or one of shape (neurons,
    compartments), either of which may be 1.

    - `size`: number of neurons, or their shape.
    - `parents`: the parent of each compartment, and -1 for compartment 0. Any order will do.
    - `area`: surface of each compartment (µm²).
    - `g_axial`: conductance between each compartment and its parent (nS); what stands for the root counts nowhere.
    - `channels`: the channels, by name: a channel that all compartments have, or a pair of a channel and the
      compartments that have it: a name in `sites`, a number, or several. Its parameters then are numbers or have a
      value for each of these.
    - `ions`: the ions that channels read and carry, likewise.
    - `sites`: names for compartments, each for a number or several. `"soma"` is 0 unless it is given.
    - `branch_points`: compartments that are points without membrane, at which cylinders meet. Their area and input are
      of no account.
    - `c_m`: capacitance (µF/cm²).
    - `input_area`: the area (µm²) that densities of the input refer to; `None` is each compartment's own.
    - `v_init`: initial voltage (mV): a number, an array or an initializer. The gates begin at rest.
    - `v_th`: what the voltage of the soma crosses in a spike (mV).
    - `t_ref`: for how long no other spike counts after a spike (ms), as in `ConductanceCell`.
    - `surrogate`: gradient of a spike, or its class for its default parameters. `None` makes spikes booleans without
      gradient.
    - `stepper`: `Hines()` unless given: implicit, stable at any step.

    The state is a `NeuronState` whose `membrane` is a `CompartmentsState`: `state.v` is the voltage of the soma,
    `state.membrane.voltages` are all. They are recorded as `"v"` and `"voltages"`, those of a site as `"dend.v"`, gates
    and concentrations as `"na.m"` and `"ca.c"` (in the compartments that have them). `vector_field(t, state.membrane,
    drive)` is the derivative.

    **Raises:** `ValueError` for what isn't a tree, for a channel that reads an ion which is not where the channel is,
    and for a parameter whose shape doesn't fit.

    Source: Rall 1962, Ann. N.Y. Acad. Sci. 96:1071; Hines 1984, doi:10.1016/0020-7101(84)90008-4.

    !!! example

        ```python
        import neuropytree as npt
        channels = {
            "na": (npt.channels.INa_HH1952(e=50.0), "soma"),
            "k": (npt.channels.IK_HH1952(g=36.0, e=-77.0), "soma"),
            "leak": npt.channels.IL(g=0.1, e=-65.0),
        }
        cell = npt.neurons.Compartments(
            10, parents=[-1, 0, 1], area=[1000.0, 500.0, 500.0], g_axial=[0.0, 100.0, 40.0],
            channels=channels, sites={"dend": [1, 2]},
        )
        sol = npt.simulate(cell, cell.init(), 20.0, dt=0.025, duration=20.0, record=["v", "dend.v", "spike"])
        ```
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    placed: tuple[tuple[str, int | Places], ...] = eqx.field(static=True)
    membrane: CableMembrane
    threshold: Crossing
    refractory: Refractory | None
    stepper: AbstractStepper

    def __init__(
        self,
        size: int | tuple[int, ...],
        *,
        parents: Sequence[int],
        area: ArrayLike,
        g_axial: ArrayLike,
        channels: Mapping[str, AbstractChannel | tuple[AbstractChannel, Where]],
        ions: Mapping[str, AbstractIon | tuple[AbstractIon, Where]] | None = None,
        sites: Mapping[str, int | Sequence[int]] | None = None,
        branch_points: Sequence[int] = (),
        c_m: ArrayLike = 1.0,
        input_area: ArrayLike | None = None,
        v_init: ArrayLike | AbstractInitializer = -65.0,
        v_th: ArrayLike = 0.0,
        t_ref: ArrayLike | None = None,
        surrogate: AbstractSurrogate | type[AbstractSurrogate] | None = PiecewiseExp,
        stepper: AbstractStepper | None = None,
    ):
        self.shape = normalise_size(size)
        tree = Tree(whole_numbers(parents, "parents"))
        places: dict[str, Places] = {}
        numbers: dict[str, int | Places] = {}
        for name, where in {"soma": 0, **check_mapping(sites, "sites", "compartments")}.items():
            if not isinstance(name, str) or not name or "." in name or isinstance(where, str):
                raise ValueError(f"site {name!r}: {where!r} is not a name without dots and its compartments")
            places[name] = located(where, tree.size, {}, f"site '{name}'")
            numbers[name] = places[name] if np.ndim(where) else places[name][0]
        self.placed = tuple(numbers.items())
        self.membrane = CableMembrane(
            self.shape,
            tree=tree,
            branch_points=branch_points,
            sites=places,
            area=area,
            input_area=input_area,
            g_axial=g_axial,
            c_m=c_m,
            channels=channels,
            ions={} if ions is None else ions,
            v_init=v_init,
        )
        self.threshold = Crossing(Threshold(v_th, surrogate() if isinstance(surrogate, type) else surrogate))
        self.refractory = None if t_ref is None else Refractory(t_ref)
        for part in (self.threshold, self.refractory):
            check_shapes(part, self.shape)
        self.stepper = Hines() if stepper is None else stepper
        check_kind(self.stepper, AbstractStepper, "stepper", optional=False)

    @classmethod
    def from_cylinders(
        cls,
        size: int | tuple[int, ...],
        *,
        parents: Sequence[int],
        length: ArrayLike,
        diameter: ArrayLike,
        r_a: ArrayLike = 150.0,
        **options: Any,
    ) -> "Compartments":
        r"""Neurons whose compartments are cylinders, each attached to the far end of its parent.

        A cylinder has the area $\pi d L$ and, from its middle to either end, the conductance $\pi d^2 / 2 R_a L$. The
        voltage is that of the middle. Where several cylinders are attached to one, a branch point is added behind all
        compartments. The error is of second order in the lengths. A sphere is as good as a cylinder as long as it is
        wide, which has its area.

        **Arguments:** as in `Compartments`, which gets the other `options`; and

        - `length`, `diameter`: of each cylinder (µm).
        - `r_a`: resistivity inside (Ω cm).

        !!! example

            ```python
            import neuropytree as npt
            cable = npt.neurons.Compartments.from_cylinders(
                1, parents=range(-1, 99), length=10.0, diameter=1.0, r_a=100.0, channels={"leak": npt.channels.IL()}
            )
            ```
        """
        tree, shape = Tree(whole_numbers(parents, "parents")), normalise_size(size)
        full = (*shape, tree.size)
        found = [name for name in ("area", "g_axial", "branch_points") if name in options]
        if found:
            raise ValueError(
                f"from_cylinders finds {found[0]} from the cylinders; leave it out, or use Compartments(...)"
            )

        def each(x: ArrayLike, name: str) -> Array:
            x = lifted(x, full, name)
            return jnp.broadcast_to(x, (*(x.shape[:-1] or (1,) * len(shape)), tree.size))

        sizes = {"length": length, "diameter": diameter, "r_a": r_a}
        along, across, resistivity = (each(check_real(x, name, positive=True), name) for name, x in sizes.items())
        half = 1e5 * np.pi * across**2 / (2 * resistivity * along)
        new, points = list(tree.parents), {}
        for k, children in enumerate(tree.children()):
            if len(children) > 1:
                points[k] = tree.size + len(points)
                for child in children:
                    new[child] = points[k]
        branched = np.asarray([p >= tree.size for p in new])
        parent = half[..., tree.ancestors]
        g_axial = jnp.where(branched, half, half * parent / (half + parent))
        g_axial = jnp.concatenate([g_axial, half[..., np.asarray([*points], int)]], -1)
        area = jnp.broadcast_to(np.pi * along * across, half.shape)
        for name in ("c_m", "v_init", "input_area"):
            if np.ndim(options.get(name, 0.0)) and not isinstance(options[name], AbstractInitializer):
                options[name] = _extended(each(options[name], name), len(points))
        options |= {"area": _extended(area, len(points)), "g_axial": g_axial, "branch_points": [*points.values()]}
        return cls(size, parents=[*new, *points], **options)

    @property
    def sites(self) -> dict[str, int | Places]:
        """The compartments by the name of their site."""
        return dict(self.placed)

    @property
    def parts(self) -> tuple[str, ...]:
        return ("membrane", *self.membrane.channels, *self.membrane.ions, *self.sites)

    @property
    def input_shape(self) -> list[tuple[int, ...]]:
        """The shape of the population, or that of all compartments."""
        return [self.shape, (*self.shape, self.membrane.tree.size)]

    def place(self, where: Where, who: str) -> int:
        at = located(
            where, self.membrane.tree.size, {k: x if isinstance(x, tuple) else (x,) for k, x in self.placed}, who
        )
        if len(at) != 1:
            raise ValueError(f"{who} is put into {len(at)} compartments, {where!r}; expected one: give each its own")
        if at[0] in self.membrane.branch_points:
            raise ValueError(f"{who} is put into {at[0]}, a branch point, which has no membrane")
        return at[0]

    @property
    def spiking(self) -> Spiking:
        return Spiking(threshold=self.threshold, refractory=self.refractory, hold=False)

    def read(self, path: str, state: NeuronState, output: Spikes) -> Array:
        if path == "spike":
            return output
        site, _, variable = path.rpartition(".")
        if variable == "v" and site in self.sites:
            at = self.sites[site]
            return state.membrane.voltages[..., at if isinstance(at, int) else np.asarray(at)]
        if path == "v":
            return state.v
        also = ("spike", "v", *(f"{site}.v" for site in self.sites))
        return find(state, path, who="a cell with compartments", also=also)


def _extended(x: Array, more: int) -> Array:
    """`x` with the last entry repeated for branch points, where it is of no account."""
    return jnp.concatenate([x, jnp.repeat(x[..., -1:], more, -1)], -1)
