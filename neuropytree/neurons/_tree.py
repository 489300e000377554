"""Linear systems on a tree of compartments, by elimination from the leaves to the root (Hines 1984)."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@dataclasses.dataclass(frozen=True)
class Tree:
    """Who hangs on whom: `parents[k]` is the parent of compartment `k`, and -1 for compartment 0, the root.

    **Raises:** `ValueError` for anything that isn't a tree with root 0.
    """

    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        n = len(self.parents)
        if n == 0 or self.parents[0] != -1:
            raise ValueError(f"parents is {_short(self.parents)}; compartment 0 is the root: begin with -1")
        for k, p in enumerate(self.parents[1:], 1):
            if p == -1:
                raise ValueError(f"parents has a second root, compartment {k}; only compartment 0 has the parent -1")
            if not 0 <= p < n or p == k:
                raise ValueError(
                    f"parents[{k}] is {p}; expected another of the {n} compartments, numbered 0 to {n - 1}"
                )
        stray = np.flatnonzero(_depths(self.parents) < 0)
        if len(stray):
            raise ValueError(f"parents leads in a circle from compartment {stray[0]}; every one must lead to the root")

    @property
    def size(self) -> int:
        """Number of compartments."""
        return len(self.parents)

    @property
    def ancestors(self) -> np.ndarray:
        """The parents as an array, the root being its own."""
        return np.maximum(np.asarray(self.parents, np.int32), 0)

    def children(self) -> list[list[int]]:
        """The children of each compartment."""
        found: list[list[int]] = [[] for _ in self.parents]
        for k, p in enumerate(self.parents[1:], 1):
            found[p].append(k)
        return found

    def outflow(self, g: Float[Array, "n _"], v: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """What flows out of each compartment along the links, `g[k]` being the conductance of `k` to its parent."""
        flow = g * (v - v[self.ancestors])
        return flow - self.gathered(flow)

    def gathered(self, x: Float[Array, "n m"]) -> Float[Array, "n m"]:
        """For each compartment, the sum over its children; the root's own entry counts nowhere."""
        return jnp.zeros_like(x).at[self.ancestors[1:]].add(x[1:])

    def solve(self, own: Float[Array, "n _"], g: Float[Array, "n _"], b: Float[Array, "n m"]) -> Float[Array, "n m"]:
        r"""The `v` with $\mathrm{own}_k v_k + \mathrm{outflow}_k(v) = b_k$, in $O(n)$ for each of `m` systems.

        The matrix is symmetric: its derivatives, in either mode, are one more such solve, and nothing of the
        elimination is kept for them.
        """
        g = g.at[0].set(0)
        own = jnp.broadcast_to(own, b.shape)
        return jax.lax.custom_linear_solve(
            lambda v: own * v + self.outflow(g, v), b, lambda _, b: _eliminated(self, own, g, b), symmetric=True
        )


def _short(parents: tuple[int, ...]) -> str:
    return str(list(parents[:8]))[:-1] + (", ...]" if len(parents) > 8 else "]")


def _depths(parents: tuple[int, ...]) -> np.ndarray:
    """How far each compartment is from the root; -1 where the way doesn't lead there."""
    depth = np.full(len(parents), -1)
    depth[0] = 0
    for start in range(len(parents)):
        path, k = [], start
        while depth[k] < 0 and len(path) <= len(parents):
            path.append(k)
            k = parents[k]
        if depth[k] < 0:
            return depth
        for offset, node in enumerate(reversed(path), 1):
            depth[node] = depth[k] + offset
    return depth


@functools.cache
def _schedule(tree: Tree) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of compartments that are eliminated together, from the root outwards.

    Compartments of one depth are independent. A row holds at most as many as a level has on average, so that there are
    no more than twice as many rows as levels, and padding at most doubles the work. The root has a place of its own
    before the first row. Returns the compartment in each place of each row (-1 for none), the place of its parent, and
    the place of each compartment.
    """
    depth = _depths(tree.parents)
    width = -(-(tree.size - 1) // max(1, int(depth.max())))
    rows: list[np.ndarray] = []
    for level in range(1, int(depth.max()) + 1):
        nodes = np.flatnonzero(depth == level)
        rows += [nodes[n : n + width] for n in range(0, len(nodes), width)]
    node = np.full((len(rows), width), -1)
    for r, nodes in enumerate(rows):
        node[r, : len(nodes)] = nodes
    place = np.zeros(tree.size, np.int32)
    place[node[node >= 0]] = 1 + np.flatnonzero(node.ravel() >= 0)
    above = np.where(node >= 0, place[tree.ancestors[node]], 0).astype(np.int32)
    return node, above, place


def _eliminated(tree: Tree, own: Array, g: Array, b: Array) -> Array:
    if tree.size == 1:
        return b / own
    node, above, place = _schedule(tree)
    rows, width = node.shape
    there = (node.ravel() >= 0)[:, None]
    flat = np.maximum(node.ravel(), 0)

    def placed(x: Array, blank: float) -> Array:
        return jnp.concatenate([x[:1], jnp.where(there, x[flat], jnp.asarray(blank, x.dtype))])

    starts = 1 + width * np.arange(rows, dtype=np.int32)
    links = placed(g, 0.0)[1:].reshape(rows, width, g.shape[1])

    # all terms are positive sums and series conductances, with no difference: nothing is lost where a compartment is
    # so short that its links outweigh its membrane by more than the digits of the dtype
    def up(carry: tuple[Array, Array], x: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        (total, rhs), (start, link, parent) = carry, x
        mine = jax.lax.dynamic_slice_in_dim(total, start, width)
        share = link / (mine + link)
        total = _add(total, parent, mine * share)
        rhs = _add(rhs, parent, jax.lax.dynamic_slice_in_dim(rhs, start, width) * share)
        return (total, rhs), None

    xs = (jnp.asarray(starts), links, jnp.asarray(above))
    (total, rhs), _ = jax.lax.scan(up, (placed(own, 1.0), placed(b, 0.0)), xs, reverse=True)

    def down(v: Array, x: tuple[Array, Array, Array]) -> tuple[Array, None]:
        start, link, parent = x
        mine, load = (jax.lax.dynamic_slice_in_dim(a, start, width) for a in (total, rhs))
        new = (load + link * _at(v, parent)) / (mine + link)
        return jax.lax.dynamic_update_slice_in_dim(v, new, start, 0), None

    v = jnp.zeros_like(rhs).at[0].set(rhs[0] / total[0])
    return jax.lax.scan(down, v, xs)[0][place]


def _add(x: Array, places: Array, y: Array) -> Array:
    if places.shape[0] > 1:
        return x.at[places].add(y)
    now = jax.lax.dynamic_slice_in_dim(x, places[0], 1)  # a single place: no scatter, which would cost more
    return jax.lax.dynamic_update_slice_in_dim(x, now + y, places[0], 0)


def _at(x: Array, places: Array) -> Array:
    return x[places] if places.shape[0] > 1 else jax.lax.dynamic_slice_in_dim(x, places[0], 1)
