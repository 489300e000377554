"""Threshold, refractory hold and reset of point neurons, one pass over memory for all of it."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools

import taichi as ti

from ._common import INDEX, INDICES, PER_EDGE, REAL, Kernel, Operand, array, kinds, share


def _fire(real, event, hard: bool, hold: bool):
    """Writes `spike`; `v`, the voltages before the step, becomes those after it, and `left` the steps still to hold.

    Items are neurons; parts, ranges of them. `v_reset` is what a hard reset sets or a soft one subtracts.
    """
    vector, events = array(real), array(event)

    @ti.func
    def one(v: ti.template(), left: ti.template(), new, v_th, v_reset, steps, spike: ti.template(), i):
        free = True
        if ti.static(hold):
            free = left[i] <= 0
        u = ti.select(free, new, v[i])
        # as the surrogate sees it, or as a comparison where there is none
        fired = free and ((u - v_th >= 0) if ti.static(real == event) else (u >= v_th))
        v[i] = ti.select(fired, v_reset if ti.static(hard) else u - v_reset, u)
        spike[i] = ti.cast(fired, event)
        if ti.static(hold):
            left[i] = ti.select(fired, steps, ti.max(left[i] - 1, 0))

    @ti.kernel
    def kernel(
        v: vector,
        left: INDEX,
        new: vector,
        v_th: vector,
        v_reset: vector,
        steps: INDEX,
        spike: events,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n = v.shape[0]
            if span[3] == 1 and (n - span[0]) // PER_EDGE > span[1]:
                span[4] = span[0]
            else:
                span[4] = -1
                first = span[0] + share(n - span[0], span[2], span[3])
                last = span[0] + share(n - span[0], span[2] + 1, span[3])
                if v_th.shape[0] == 1 and v_reset.shape[0] == 1 and steps.shape[0] == 1:
                    th, reset, hold_for = v_th[0], v_reset[0], steps[0]
                    for i in range(first, last):
                        one(v, left, new[i], th, reset, hold_for, spike, i)
                else:
                    for i in range(first, last):
                        th = v_th[ti.select(v_th.shape[0] == 1, 0, i)]
                        reset = v_reset[ti.select(v_reset.shape[0] == 1, 0, i)]
                        hold_for = steps[ti.select(steps.shape[0] == 1, 0, i)]
                        one(v, left, new[i], th, reset, hold_for, spike, i)

    return kernel


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), hard, hold in itertools.product(REAL.items(), (True, False), (True, False)):
        vector = Operand(name, 1)
        for kind, (event, _, operand) in kinds(name, words=False).items():
            parts = ["npt_fire", name, "hard" if hard else "soft", *(["hold"] if hold else []), kind]
            operands = (vector, INDICES, vector, vector, vector, INDICES)
            kernel = _fire(real, event, hard, hold)
            kernels["_".join(parts)] = Kernel(kernel, operands, in_place=2, outputs=(operand,), parts=2)
    return kernels


KERNELS = _kernels()
