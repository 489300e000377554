"""Kernels that list events, and that carry listed events over a CSR connectivity."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools

import taichi as ti

from ._common import (
    GROUP,
    INDEX,
    INDICES,
    REAL,
    WORDS,
    Kernel,
    Operand,
    array,
    bounds,
    kinds,
    left,
    next_group,
    share,
    shared_weight,
    silent,
    width,
    within,
)
from ._csr import matvec
from ._fetch import ahead, fetch


def _compact(event, size: int):
    events = array(event)

    @ti.kernel
    def kernel(words: WORDS, x: events, where: INDEX, count: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, room = x.shape[0], where.shape[0]
            found = 0
            end = (n + GROUP - 1) // GROUP
            group = next_group(words, size, 0, end)
            while group < end:
                for i in range(GROUP * group, ti.min(GROUP * group + GROUP, n)):
                    if not silent(x[i]):
                        if found < room:
                            where[found] = i
                        found += 1
                group = next_group(words, size, group + 1, end)
            for k in range(ti.min(found, room), room):
                where[k] = n
            count[0] = found

    return kernel


def _matvec_compact(real, event, homo: bool, size: int):
    """Items are places in the list, or, where it has overflowed, groups of rows; parts, ranges of them, with outputs of
    their own."""
    reals, events = array(real), array(event)
    search, one, size_of_weight = matvec(real, homo, size), shared_weight(real, homo), width(real)

    @ti.kernel
    def kernel(
        out: reals,
        weight: reals,
        words: WORDS,
        x: events,
        where: INDEX,
        count: INDEX,
        indices: INDEX,
        indptr: INDEX,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            if count[0] > where.shape[0]:
                stop, _done, own = search(
                    out, weight, words, x, indices, indptr, span[0], span[1], span[2], span[3], 0, 0, 0
                )
                span[4] = stop
                span[5] = own
            else:
                part, parts, n = span[2], span[3], ti.max(count[0], 0) - span[0]
                rows, edges, targets = indptr.shape[0] - 1, indices.shape[0], out.shape[0]
                start = span[0] + share(n, part, parts)
                end = span[0] + share(n, part + 1, parts)
                k = start
                done = 0
                shared = one(weight, 0)
                while k < end and (done < span[1] or parts > 1):
                    i = where[k]
                    later = ahead(where, end, k)
                    if within(later, rows):
                        fetch(indices, 4, indptr, later)
                        if ti.static(not homo):
                            fetch(weight, size_of_weight, indptr, later)
                    if within(i, rows):
                        low, high = bounds(indptr, i, edges)
                        for e in range(low, high):
                            if within(indices[e], targets):
                                w = shared if ti.static(homo) else weight[e]
                                out[indices[e]] += w if ti.static(size == 1) else w * x[i]
                        done += high - low
                    k += 1
                span[4] = ti.select(k < end, k, -1)
                span[5] = left(done, start, k, end)

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for name, real in REAL.items():
        values = Operand(name, 1)
        for kind, (event, size, operand) in kinds(name).items():
            listed = "bool" if kind == "bool" else name
            kernels[f"npt_compact_{listed}"] = Kernel(
                _compact(event, size), (operand,), in_place=0, outputs=(INDICES, INDICES)
            )
        for homo, (kind, (event, size, operand)) in itertools.product((True, False), kinds(name).items()):
            kernel = _matvec_compact(real, event, homo, size)
            weight = "homo" if homo else "edge"
            operands = (values, values, operand, INDICES, INDICES, INDICES, INDICES)
            kernels[f"npt_csr_mv_compact_{name}_{weight}_{kind}"] = Kernel(kernel, operands, parts=1)
    return kernels


KERNELS = _kernels()
