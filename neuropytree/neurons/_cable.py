"""The membrane of cells with several compartments."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Key

from .._arguments import known_values, real, real_numbers, spoken
from .._errors import listing
from .._types import Drive, Scalar, as_parameter
from ..channels import AbstractChannel
from ..init import AbstractInitializer, values
from ..integrate import Linear, Relaxation
from ..ions import AbstractIon, Pool
from ._membrane import AbstractMembrane, check_shapes
from ._parts import KINDS, by_name, check_needs, check_part
from ._tree import Tree

Where = str | int | Sequence[int]
Places = tuple[int, ...]
# of a conductance in nS to one of a density in mS/cm² times an area in µm²
SIEMENS = 100.0


class CompartmentsState(eqx.Module):
    """The variables of cells with several compartments.

    - `voltages`: of all compartments, the last axis (mV).
    - `channels`: the gates of each channel, by the names of both, in the compartments that have it.
    - `ions`: the variables of each ion, by the names of both, in the compartments that have it.
    """

    voltages: Float[Array, "... compartments"]
    channels: dict[str, dict[str, Array]]
    ions: dict[str, dict[str, Array]]

    @property
    def v(self) -> Array:
        """The voltage of the soma (mV)."""
        return self.voltages[..., 0]


class CableMembrane(AbstractMembrane):
    r"""Membranes with channels and ions, joined to a tree,

    $$A_k C_k \dot v_k = A_k \sum_c I_{c,k} + \sum_{j \sim k} G_{kj} (v_j - v_k) + A_k\,(i_k - g_k v_k).$$

    A branch point has no membrane: its voltage is the one at which no current is left over.

    See `Compartments` for the arguments.
    """

    tree: Tree = eqx.field(static=True)
    branch_points: Places = eqx.field(static=True)
    placed: tuple[tuple[str, str, Places], ...] = eqx.field(static=True)
    area: Float[Array, "..."]
    input_area: Float[Array, "..."] | None
    g_axial: Float[Array, "..."]
    c_m: Float[Array, "..."]
    channels: dict[str, AbstractChannel]
    ions: dict[str, AbstractIon]
    v_init: Float[Array, "..."] | AbstractInitializer

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        tree: Tree,
        branch_points: Sequence[int],
        sites: Mapping[str, Places],
        area: ArrayLike,
        input_area: ArrayLike | None,
        g_axial: ArrayLike,
        c_m: ArrayLike,
        channels: Mapping[str, AbstractChannel | tuple[AbstractChannel, Where]],
        ions: Mapping[str, AbstractIon | tuple[AbstractIon, Where]],
        v_init: ArrayLike | AbstractInitializer,
    ):
        self.tree, n = tree, tree.size
        self.branch_points = tuple(sorted(whole_numbers(branch_points, "branch_points")))
        _check_branch_points(self.tree, self.branch_points)
        full = (*shape, n)
        ones = (1,) * len(full)

        def each(x: ArrayLike, name: str, idle: Places = (), **bounds: Any) -> Array:
            if isinstance(x, AbstractInitializer):
                return real(x, name, **bounds)
            x = lifted(x, full, name)
            known = known_values(x)
            if known is not None:
                known = np.array(known if known.size > n else known.reshape(known.shape[-1:]))
                if known.ndim and known.shape[-1] == n:
                    known[..., list(idle)] = 1  # of no account there
                real(known, name, **bounds)
            return x if x.ndim else x.reshape(ones)

        points = self.branch_points
        self.area = each(area, "area", points, positive=True)
        self.g_axial = each(g_axial, "g_axial", (0,), least=0)
        self.c_m = each(c_m, "c_m", points, positive=True)
        self.input_area = None if input_area is None else each(input_area, "input_area", points, positive=True)
        self.v_init = v_init if isinstance(v_init, AbstractInitializer) else real(v_init, "v_init", unit="mV")
        check_shapes({"v_init": self.v_init}, full, each="compartment")
        everywhere = tuple(k for k in range(n) if k not in self.branch_points)
        parts: dict[str, dict[str, Any]] = {"channel": {}, "ion": {}}
        places: dict[str, dict[str, Places]] = {"channel": {}, "ion": {}}
        for (what, kind), given in zip(KINDS, (channels, ions), strict=True):
            for name, entry in by_name(given, what).items():
                part, where = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, everywhere)
                check_part(part, what, kind, name, ", or a pair of one and the compartments that have it")
                at = located(where, n, sites, f"{what} '{name}'")
                hollow = [k for k in at if k in self.branch_points]
                if hollow:
                    raise ValueError(f"{what} '{name}' is put into {hollow[0]}, a branch point, which has no membrane")
                own = (*shape, len(at))
                places[what][name] = at
                parts[what][name] = jax.tree_util.tree_map_with_path(
                    lambda path, x, own=own, name=name: lifted(x, own, spoken((jax.tree_util.DictKey(name), *path))),
                    part,
                )
        self.channels, self.ions = parts["channel"], parts["ion"]
        self.placed = tuple((what, name, at) for what, by_name in places.items() for name, at in by_name.items())
        for name, channel in self.channels.items():
            self._check_ions(name, channel)

    def places(self, what: str) -> dict[str, Places]:
        """The compartments that have each `"channel"`, or each `"ion"`."""
        return {name: at for kind, name, at in self.placed if kind == what}

    def shape_of(self, shape: tuple[int, ...], path: Any) -> tuple[int, ...]:
        """Of the parameter at that path, where the cells have that `shape`: one value for each compartment that has the
        channel or the ion."""
        which = {"channels": "channel", "ions": "ion"}.get(path[0].name)
        return (*shape, self.tree.size if which is None else len(self.places(which)[path[1].key]))

    def _check_ions(self, name: str, channel: AbstractChannel) -> None:
        check_needs(name, channel, self.ions)
        for ion in channel.needs:
            lacking = [k for k in self.places("channel")[name] if k not in self.places("ion")[ion]]
            if lacking:
                raise ValueError(
                    f"channel '{name}' reads the ion '{ion}', which compartment {lacking[0]} has not; put the ion "
                    "wherever the channel is"
                )

    def init(self, shape: tuple[int, ...], *, key: Key[Array, ""] | None) -> CompartmentsState:
        full = (*shape, self.tree.size)
        v = self.balanced(values(self.v_init, full, key=key, dtype=self.c_m.dtype, name="v_init"))
        at = self.places("ion")
        ions = {name: ion.init((*shape, len(at[name])), v.dtype) for name, ion in self.ions.items()}
        pools = self.pools(ions)
        channels = {name: c.begin(self._of(v, name), self._seen(pools, name)) for name, c in self.channels.items()}
        return CompartmentsState(voltages=v, channels=channels, ions=ions)

    def pools(self, ions: dict[str, dict[str, Array]]) -> dict[str, Pool]:
        """The ions in the state `ions`, each in the compartments that have it."""
        return {name: ion.pool(ions[name]) for name, ion in self.ions.items()}

    def kinetics(self, y: CompartmentsState) -> dict[str, dict[str, Linear | Relaxation]]:
        """How the gates of each channel move."""
        pools = self.pools(y.ions)
        return {
            name: dict(c.kinetics(self._of(y.voltages, name), y.channels[name], self._seen(pools, name)))
            for name, c in self.channels.items()
        }

    def drives(self, y: CompartmentsState, channels: Sequence[str]) -> dict[str, Drive]:
        """What flows through some of the channels, where they are (µA/cm², mS/cm²)."""
        pools = self.pools(y.ions)
        return {
            name: self.channels[name].drive(self._of(y.voltages, name), y.channels[name], self._seen(pools, name))
            for name in channels
        }

    def following(self, y: CompartmentsState) -> list[str]:
        """The channels whose conductance follows the voltage at once."""
        pools = self.pools(y.ions)
        return [
            name
            for name, c in self.channels.items()
            if c.follows(self._of(y.voltages, name), y.channels[name], self._seen(pools, name))
        ]

    def together(self, drives: dict[str, Drive], v: Float[Array, "... n"]) -> Drive:
        """Some channels' drives in all compartments."""
        i, g = jnp.zeros_like(v), jnp.zeros_like(v)
        for name, drive in drives.items():
            shape = self._of(v, name).shape
            i += self._spread(drive.i, shape, name)
            if drive.g is not None:
                g += self._spread(drive.g, shape, name)
        return Drive(i, g)

    def inward(self, drives: dict[str, Drive], v: Float[Array, "... n"]) -> dict[str, Array]:
        """The current that each ion carries, in the compartments that have it (µA/cm²)."""
        inward = dict.fromkeys(self.ions, jnp.zeros_like(v))
        for name, drive in drives.items():
            carried, at = self.channels[name].carries, self._of(v, name)
            if carried in inward:
                current = drive.i if drive.g is None else drive.i - drive.g * at
                inward[carried] += self._spread(current, at.shape, name)
        return {name: taken(x, self.places("ion")[name]) for name, x in inward.items()}

    def ion_kinetics(self, y: CompartmentsState, inward: dict[str, Array]) -> dict[str, dict[str, Linear | Relaxation]]:
        """How the variables of each ion move with the currents `inward`."""
        return {name: dict(ion.kinetics(y.ions[name], inward[name])) for name, ion in self.ions.items()}

    def membrane_of(self, area: Array) -> Array:
        """`area`, but none at branch points."""
        if not self.branch_points:
            return area
        return area * jnp.asarray(self._with_membrane(), area.dtype).reshape(*(1,) * (area.ndim - 1), -1)

    def totals(self, channels: Drive, u: Drive) -> Drive:
        """Currents and conductances of whole compartments (µA/cm², mS/cm², times µm²), the input `u` among them."""
        area = self.membrane_of(self.area)
        reach = area if self.input_area is None else self.membrane_of(self.input_area)
        assert channels.g is not None
        g = area * channels.g if u.g is None else area * channels.g + reach * u.g
        return Drive(area * channels.i + reach * u.i, g)

    def capacity(self) -> Array:
        """Of whole compartments (µF/cm², times µm²); of branch points 1, which is of no account."""
        whole = self.area * self.c_m
        if not self.branch_points:
            return whole
        return jnp.where(jnp.asarray(self._with_membrane()), whole, 1)

    def coefficients(self, total: Drive) -> Linear:
        """How currents and conductances of whole compartments move each voltage, if they stay."""
        capacity = self.capacity()
        assert total.g is not None
        return Linear(-total.g / capacity, total.i / capacity)

    def coupling(self, v: Float[Array, "... n"]) -> Linear:
        """How the neighbours of each compartment move its voltage, if theirs stay."""
        g, x = self.links(v), columns(v)
        capacity = columns(jnp.broadcast_to(self.capacity(), v.shape))
        whole = (g + self.tree.gathered(g)) / capacity
        towards = whole * x - self.tree.outflow(g, x) / capacity
        return Linear(rows(-whole, v.shape), rows(towards, v.shape))

    def links(self, v: Float[Array, "... n"]) -> Float[Array, "n m"]:
        """The conductance between each compartment and its parent (mS/cm², times µm²)."""
        return columns(SIEMENS * jnp.broadcast_to(self.g_axial, v.shape)).at[0].set(0)

    def balanced(self, v: Float[Array, "... n"]) -> Float[Array, "... n"]:
        """`v` with the voltages of branch points put where no current is left over."""
        if not self.branch_points:
            return v
        g, x = columns(jnp.broadcast_to(self.g_axial, v.shape)), columns(v)
        g = g.at[0].set(0)
        total = g * x[self.tree.ancestors] + self.tree.gathered(g * x)
        whole = g + self.tree.gathered(g)
        free = jnp.asarray(self._with_membrane())[:, None]
        return rows(jnp.where(free, x, total / jnp.where(free, 1, whole)), v.shape)

    def vector_field(self, t: Scalar, y: CompartmentsState, u: Drive) -> CompartmentsState:
        del t
        y = CompartmentsState(voltages=self.balanced(y.voltages), channels=y.channels, ions=y.ions)
        v, u = y.voltages, self.received(u, y.voltages.shape[:-1])
        drives = self.drives(y, list(self.channels))
        total, inward = self.totals(self.together(drives, v), u), self.inward(drives, v)
        axial = self.tree.outflow(self.links(v), columns(v))
        rate = (total.i - total.g * v - rows(axial, v.shape)) / self.capacity()  # pyright: ignore
        return CompartmentsState(
            voltages=self.balanced(rate),
            channels=_slopes(self.kinetics(y), y.channels),
            ions=_slopes(self.ion_kinetics(y, inward), y.ions),
        )

    def received(self, u: Drive, shape: tuple[int, ...], at: int = 0) -> Drive:
        """`u` for every compartment: what has no axis of compartments flows into compartment `at`.

        **Raises:** `ValueError` if it has neither the shape of the cells nor that of their compartments.
        """
        n = self.tree.size

        def spread(x: Array) -> Array:
            if x.ndim == len(shape) + 1 and _fits(x.shape, (*shape, n)):
                return x
            if x.ndim > len(shape) or not _fits(x.shape, shape[len(shape) - x.ndim :]):
                raise ValueError(
                    f"the input has shape {x.shape}; expected {shape} for the soma of each cell, or {(*shape, n)} for "
                    "every compartment (with ones where it is the same)"
                )
            return jnp.pad(jnp.broadcast_to(x, shape)[..., None], [(0, 0)] * len(shape) + [(at, n - 1 - at)])

        return Drive(spread(u.i), None if u.g is None else spread(u.g))

    def voltage(self, y: CompartmentsState, at: int = 0) -> Array:
        return y.voltages[..., at]

    def put(self, y: CompartmentsState, v: Array, at: int = 0) -> CompartmentsState:
        return CompartmentsState(voltages=y.voltages.at[..., at].set(v), channels=y.channels, ions=y.ions)

    def settled(self, y: CompartmentsState) -> CompartmentsState:
        """`y` with branch points at the voltage at which no current is left over."""
        return CompartmentsState(voltages=self.balanced(y.voltages), channels=y.channels, ions=y.ions)

    def _with_membrane(self) -> np.ndarray:
        return ~np.isin(np.arange(self.tree.size), self.branch_points)

    def _of(self, v: Array, channel: str) -> Array:
        """The voltages of the compartments that have the channel."""
        return taken(v, self.places("channel")[channel])

    def _seen(self, pools: dict[str, Pool], channel: str) -> dict[str, Pool]:
        """What the channel sees of the ions, in its own compartments."""
        found, mine = {}, self.places("channel")[channel]
        for name in self.channels[channel].needs:
            at = self.places("ion")[name]
            which = tuple(at.index(k) for k in mine)
            found[name] = jax.tree.map(lambda x, which=which: taken(x, which), pools[name])
        return found

    def _spread(self, x: Array, shape: tuple[int, ...], channel: str) -> Array:
        """`x`, given in the compartments that have the channel, for all: zero in the others."""
        at, n = self.places("channel")[channel], self.tree.size
        x = jnp.broadcast_to(x, shape)
        if _run(at):
            return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(at[0], n - 1 - at[-1])])
        index = np.full(n, len(at))
        index[list(at)] = np.arange(len(at))
        return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 1)])[..., index]


def columns(x: Float[Array, "... n"]) -> Float[Array, "n m"]:
    """The compartments first, all cells in one axis behind."""
    return jnp.moveaxis(x, -1, 0).reshape(x.shape[-1], math.prod(x.shape[:-1]))


def rows(x: Float[Array, "n m"], shape: tuple[int, ...]) -> Float[Array, "... n"]:
    """What `columns` made, in its former shape."""
    return jnp.moveaxis(x.reshape(shape[-1], *shape[:-1]), 0, -1)


def taken(x: Array, at: Places) -> Array:
    """The entries `at` of the last axis; one value that stands for all of them stays one."""
    if x.ndim == 0 or x.shape[-1] == 1 or at == tuple(range(x.shape[-1])):
        return x
    return x[..., at[0] : at[-1] + 1] if _run(at) else x[..., np.asarray(at)]


def located(where: Where, n: int, sites: Mapping[str, Places], who: str) -> Places:
    """The compartments that `where` means. **Raises:** `ValueError` for one that isn't there, or comes twice."""
    if isinstance(where, str):
        if where not in sites:
            raise ValueError(f"{who} is put into '{where}', but the sites are {listing(sites)}")
        return sites[where]
    at = whole_numbers(where, who)
    wrong = [k for k in at if not 0 <= k < n] or [k for k in set(at) if at.count(k) > 1]
    if wrong or not at:
        what = f"compartment {wrong[0]}" if wrong else "no compartment"
        raise ValueError(f"{who} is put into {what}; expected numbers from 0 to {n - 1}, each once")
    return at


def whole_numbers(x: Any, who: str) -> Places:
    """Numbers of compartments. **Raises:** `TypeError` for anything else."""
    try:
        array = np.atleast_1d(np.asarray(list(x) if isinstance(x, range) else x))
    except ValueError:
        array = np.zeros(1)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise TypeError(f"{who} is given {x!r}; expected the number of a compartment, or a list of such numbers")
    return tuple(int(k) for k in array)


def lifted(x: ArrayLike, target: tuple[int, ...], name: str) -> Array:
    """A parameter with as many axes as `target`, unless it is one number.

    **Raises:** `ValueError` if it doesn't broadcast to `target`.
    """
    x = as_parameter(real_numbers(x, name, "compartment"))
    if x.ndim > len(target) or not _fits(x.shape, target[len(target) - x.ndim :]):
        raise ValueError(f"{name} has shape {x.shape}; expected (), ({target[-1]},) for each compartment, or {target}")
    return x if x.ndim == 0 else x.reshape((1,) * (len(target) - x.ndim) + x.shape)


def _check_branch_points(tree: Tree, points: Places) -> None:
    for k in points:
        if not 0 < k < tree.size or points.count(k) > 1:
            raise ValueError(f"branch_points has {k}; expected compartments other than the root, each once")
        if tree.parents[k] in points:
            raise ValueError(f"branch point {k} hangs on another, {tree.parents[k]}; make them one")


def _slopes(kinetics: Any, y: Any) -> Any:
    def slope(k: Linear | Relaxation, x: Array) -> Array:
        return jnp.broadcast_to(k.rate * (k.rest - x) if isinstance(k, Relaxation) else k.a * x + k.b, x.shape)

    return jax.tree.map(slope, kinetics, y, is_leaf=lambda k: isinstance(k, Linear | Relaxation))


def _run(at: Places) -> bool:
    return at == tuple(range(at[0], at[0] + len(at)))


def _fits(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    return len(shape) == len(target) and all(n in (1, m) for n, m in zip(shape, target, strict=True))
