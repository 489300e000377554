"""Kernels that look up the events of a step in a sorted list."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import taichi as ti

from ._common import INDEX, INDICES, REAL, Kernel, Operand, array, kinds


def _due(event, boolean: bool):
    events = array(event)

    @ti.kernel
    def kernel(position: INDEX, steps: INDEX, cells: INDEX, now: INDEX, message: events):
        ti.loop_config(serialize=True)
        for _ in range(1):
            count, n, step = ti.min(steps.shape[0], cells.shape[0]), message.shape[0], now[0]
            for i in range(n):
                message[i] = ti.cast(0, event)
            k = ti.max(ti.min(position[0], count), 0)
            while k > 0 and steps[ti.max(k - 1, 0)] >= step:
                k -= 1
            while k < count and steps[ti.min(k, count - 1)] < step:
                k += 1
            while k < count and steps[ti.min(k, count - 1)] == step:
                i = cells[k]
                if 0 <= i and i < n:
                    message[i] = ti.cast(1, event) if ti.static(boolean) else message[i] + ti.cast(1, event)
                k += 1
            position[0] = k

    return kernel


def _kernels() -> dict[str, Kernel]:
    event, _, _ = kinds("f32")["bool"]
    operands = (INDICES, INDICES, INDICES, INDICES)
    kernels = {"npt_due_bool": Kernel(_due(event, True), operands, 1, (Operand("pred", 1),))}
    for name, real in REAL.items():
        kernels[f"npt_due_{name}"] = Kernel(_due(real, False), operands, 1, (Operand(name, 1),))
    return kernels


KERNELS = _kernels()
