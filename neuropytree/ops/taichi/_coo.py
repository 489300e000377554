"""The operators on a list of edges in any order (COO). Every kernel adds to its output in place.

An edge whose source or target is out of range is none. The weight of edge `e` is `weight[e]`, or `weight[0]` of one.
The transposed product is the product with the two index arrays exchanged.
"""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import taichi as ti

from ._common import INDEX, INDICES, REAL, WORDS, Kernel, Operand, any_event, array, kinds, share, silent


def _matvec(real, event, size: int):
    values, events = array(real), array(event)

    @ti.kernel
    def kernel(out: values, weight: values, words: WORDS, x: events, sources: INDEX, targets: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, m = x.shape[0], out.shape[0]
            step = ti.select(weight.shape[0] == 1, 0, 1)
            if any_event(words, size, 0, n):
                for e in range(sources.shape[0]):
                    i = sources[e]
                    if 0 <= i < n:
                        value = x[i]
                        if not silent(value):
                            j = targets[e]
                            if 0 <= j < m:
                                w = weight[e * step]
                                out[j] += w if ti.static(size == 1) else w * value

    return kernel


def _outer(real, event, size: int):
    """Items are edges, and parts ranges of them."""

    values, events = array(real), array(event)

    @ti.kernel
    def kernel(out: values, words: WORDS, p: events, q: values, sources: INDEX, targets: INDEX, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, m, count = p.shape[0], q.shape[0], sources.shape[0]
            if span[3] > 1 or any_event(words, size, 0, n):
                first = span[0] + share(count - span[0], span[2], span[3])
                last = span[0] + share(count - span[0], span[2] + 1, span[3])
                if span[3] == 1:
                    last = ti.min(last, first + ti.min(span[1], count - first))
                for e in range(first, last):
                    i, j = sources[e], targets[e]
                    if 0 <= i < n and 0 <= j < m:
                        pre, post = p[i], q[j]
                        if not silent(pre) and not silent(post):
                            out[e] += post if ti.static(size == 1) else pre * post
                span[4] = ti.select(span[3] == 1 and last < count, last, -1)
            else:
                span[4] = -1

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    edges = (INDICES,) * 2
    for name, real in REAL.items():
        values = Operand(name, 1)
        for kind, (event, size, operand) in kinds(name).items():
            kernels[f"npt_coo_mv_{name}_{kind}"] = Kernel(_matvec(real, event, size), (values, values, operand, *edges))
            kernels[f"npt_coo_outer_{name}_{kind}"] = Kernel(
                _outer(real, event, size), (values, operand, values, *edges), parts=4
            )
    return kernels


KERNELS = _kernels()
