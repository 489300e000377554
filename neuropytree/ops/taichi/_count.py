"""How many elements of an array are events."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import taichi as ti

from ._common import INDEX, INDICES, PER_EDGE, REAL, Kernel, array, kinds, share, silent


def _count(event):
    """Writes to `count` how many elements of `x` are not zero. Items are elements; parts, ranges of them."""
    events = array(event)

    @ti.kernel
    def kernel(x: events, count: INDEX, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n = x.shape[0] - span[0]
            now = True
            if span[3] == 1:
                count[0] = 0
                now = n // PER_EDGE <= span[1]
            span[4] = -1 if now else span[0]
            if now:
                found = 0
                for i in range(span[0] + share(n, span[2], span[3]), span[0] + share(n, span[2] + 1, span[3])):
                    found += ti.select(silent(x[i]), 0, 1)
                ti.atomic_add(count[0], found)

    return kernel


def _kernels() -> dict[str, Kernel]:
    operands = {name: kinds(name, words=False)["float"] for name in REAL} | {"bool": kinds("f32", words=False)["bool"]}
    return {
        f"npt_count_{name}": Kernel(_count(dtype), (operand,), in_place=0, outputs=(INDICES,), parts=2)
        for name, (dtype, _, operand) in operands.items()
    }


KERNELS = _kernels()
