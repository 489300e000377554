"""Events as a list of the neurons that fired, made once for several projections to read."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._common import (
    KERNEL_DTYPES,
    LARGEST,
    Events,
    Impl,
    as_events,
    check_impl,
    check_index_array,
    check_indices,
    check_shape,
    happened,
    kind,
)
from ._csr import Indices, Indptr, edge_weight, matvec_p
from ._ffi import make_function


class CompactEvents(eqx.Module):
    """Events, and a list of where they are. Made by `compact`.

    - `events`: as they were given, shape `(n,)`.
    - `indices`: where the first `capacity` events are, ascending; then `n`, which is no neuron.
    - `count`: how many events there are, listed or not.
    """

    events: Float[Array, " n"] | Bool[Array, " n"]
    indices: Int[Array, " capacity"]
    count: Int[Array, ""]

    @property
    def overflow(self) -> Bool[Array, ""]:
        """Whether there are more events than the list has room for. `csr_matvec_compact` is right all the same."""
        return self.count > self.indices.shape[0]


def _compact_reference(x: Array, *, capacity: int) -> tuple[Array, Array]:
    n = x.shape[0]
    found = happened(x)
    count = jnp.sum(found, dtype=jnp.int32)
    if capacity == 0 or n == 0:
        return jnp.full(capacity, n, jnp.int32), count
    return jnp.nonzero(found, size=capacity, fill_value=n)[0].astype(jnp.int32), count


def _compact_kernel(x: Array, *, capacity: int) -> str | None:
    del capacity
    dtype = "bool" if x.dtype == bool else KERNEL_DTYPES.get(x.dtype.name)
    return dtype and f"npt_compact_{dtype}"


def _matvec_reference(
    acc: Array, w: Array, x: Array, where: Array, count: Array, indices: Array, indptr: Array, *, within: str
) -> tuple[Array]:
    del where, count
    return (matvec_p.bind(acc, w, x, indices, indptr, batch=(), columns=1, impl=within),)


def _matvec_kernel(acc: Array, w: Array, x: Array, *_: Array, within: str) -> str | None:
    del within
    dtype = KERNEL_DTYPES.get(acc.dtype.name)
    return dtype and f"npt_csr_mv_compact_{dtype}_{'homo' if w.shape[-1] == 1 else 'edge'}_{kind(x)}"


compact_p = make_function("npt_compact", reference=_compact_reference, kernel=_compact_kernel)
matvec_compact_p = make_function(
    "npt_csr_matvec_compact", reference=_matvec_reference, kernel=_matvec_kernel, in_place=1, by_item=False
)  # the batched kernel of `csr_matvec` goes over a batch faster


def compact(x: Events, capacity: int, *, impl: Impl = "auto") -> CompactEvents:
    """Where the events are: the indices of what is not zero, and their number.

    Worth its while for a large population with few events that feeds several projections: the events are looked for
    once, not once a projection.

    **Arguments:**

    - `x`: events, shape `(n,)`: boolean or floating.
    - `capacity`: how many the list has room for. More events than that are counted and stay in `events`; whoever reads
      the list compares `count`, or asks for `overflow`.
    - `impl`: as in `csr_matvec`.

    **Raises:** `TypeError` or `ValueError` for events that are not a vector of booleans or floats, and for a capacity
    that is not a whole number from 0 to 2^31 - 64.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        events = npt.ops.compact(jnp.array([False, True, False, True]), capacity=3)
        events.indices, events.count, events.overflow  # [1, 3, 4], 2, False
        ```
    """
    check_impl(impl)
    x = jnp.asarray(x)
    if x.dtype != bool and not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"x is {x.dtype.name}; expected bool or floating events")
    if x.ndim != 1:
        raise ValueError(f"x has shape {x.shape}; expected one dimension (jax.vmap adds batch dimensions)")
    if isinstance(capacity, bool) or not isinstance(capacity, int | np.integer) or not 0 <= capacity <= LARGEST:
        raise ValueError(f"capacity is {capacity!r}; expected a whole number from 0 to 2^31 - 64")
    indices, count = compact_p.bind(x, capacity=int(capacity), batch=(), impl=impl)
    return CompactEvents(x, indices, count)


def csr_matvec_compact(
    weight: Float[Array, ""] | Float[Array, " room"],
    events: CompactEvents,
    indices: Indices,
    indptr: Indptr,
    *,
    acc: Float[Array, " cols"],
    impl: Impl = "auto",
) -> Float[Array, " cols"]:
    """`csr_matvec(weight, events.events, ...)`, which looks the events up in their list instead of searching for them.

    Where there are more events than the list has room for, it searches: nothing is ever left out. Derivatives and
    batches are those of `csr_matvec`, and so are the other arguments and errors.

    **Raises:** `TypeError` also if `events` is an array.

    !!! example

        ```python
        import jax.numpy as jnp, neuropytree as npt

        indices, indptr = jnp.array([0, 2, 1], jnp.int32), jnp.array([0, 2, 3], jnp.int32)
        events = npt.ops.compact(jnp.array([True, False]), capacity=1)
        npt.ops.csr_matvec_compact(jnp.array(0.5), events, indices, indptr, acc=jnp.zeros(3))
        ```
    """
    if not isinstance(events, CompactEvents):
        raise TypeError(f"events is {type(events).__name__}; expected CompactEvents: npt.ops.compact(x, capacity)")
    check_impl(impl)
    n_rows = check_indices(indices, indptr)
    check_shape("acc", acc, None)
    weight = edge_weight(weight, acc, indices)
    x, where, count = as_events("events", events.events, acc.dtype), events.indices, events.count
    check_shape("events", x, (n_rows,))
    check_index_array("events.indices", where)
    if count.shape != () or count.dtype != jnp.int32:
        raise TypeError(f"events.count is {count.dtype.name} of shape {count.shape}; expected one int32")
    return matvec_compact_p.bind(acc, weight, x, where, count, indices, indptr, within=impl, batch=(), impl=impl)[0]
