"""Threshold, refractory hold and reset of point neurons, one pass over memory for all of it."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import itertools

import taichi as ti

from ._common import INDEX, INDICES, PER_EDGE, REAL, Kernel, Operand, array, kinds, share


def _fire(real, event, hard: bool):
    """Kernels that write `spike`, without and with refractory periods.

    Items are neurons; parts, ranges of them. `amount` is what a hard reset sets or a soft one subtracts. Both go over
    `v` in place, which the second gives back in `held`, and `left`, the steps still to hold, in place too.
    """
    vector, events = array(real), array(event)

    @ti.func
    def above(u, v_th):
        # as the surrogate sees it, or as a comparison where there is none
        return (u - v_th >= 0) if ti.static(real == event) else (u >= v_th)

    @ti.func
    def after(u, amount):
        return amount if ti.static(hard) else u - amount

    @ti.func
    def free(v: ti.template(), v_th, amount, spike: ti.template(), i):
        u = v[i]
        fired = above(u, v_th)
        v[i] = ti.select(fired, after(u, amount), u)
        spike[i] = ti.cast(fired, event)

    @ti.func
    def holding(held: ti.template(), left: ti.template(), v, v_th, amount, steps, spike: ti.template(), i):
        moves = left[i] <= 0
        u = ti.select(moves, v, held[i])
        fired = moves and above(u, v_th)
        held[i] = ti.select(fired, after(u, amount), u)
        spike[i] = ti.cast(fired, event)
        left[i] = ti.select(fired, steps, ti.max(left[i] - 1, 0))

    @ti.func
    def begins(n, span: ti.template()):
        """Whether there is work to be done in this call: the first leaves off if there is much of it."""
        now = True
        if span[3] == 1:
            now = (n - span[0]) // PER_EDGE <= span[1]
        span[4] = -1 if now else span[0]
        return now

    @ti.kernel
    def plain(v: vector, v_th: vector, amount: vector, spike: events, span: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n = v.shape[0]
            if begins(n, span):
                first = span[0] + share(n - span[0], span[2], span[3])
                last = span[0] + share(n - span[0], span[2] + 1, span[3])
                if v_th.shape[0] == 1 and amount.shape[0] == 1:
                    th, to = v_th[0], amount[0]
                    for i in range(first, last):
                        free(v, th, to, spike, i)
                else:
                    for i in range(first, last):
                        th = v_th[ti.select(v_th.shape[0] == 1, 0, i)]
                        to = amount[ti.select(amount.shape[0] == 1, 0, i)]
                        free(v, th, to, spike, i)

    @ti.kernel
    def hold(
        held: vector,
        left: INDEX,
        v: vector,
        v_th: vector,
        amount: vector,
        steps: INDEX,
        spike: events,
        span: INDEX,
    ):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n = v.shape[0]
            if begins(n, span):
                first = span[0] + share(n - span[0], span[2], span[3])
                last = span[0] + share(n - span[0], span[2] + 1, span[3])
                if v_th.shape[0] == 1 and amount.shape[0] == 1 and steps.shape[0] == 1:
                    th, to, rest = v_th[0], amount[0], steps[0]
                    for i in range(first, last):
                        holding(held, left, v[i], th, to, rest, spike, i)
                else:
                    for i in range(first, last):
                        th = v_th[ti.select(v_th.shape[0] == 1, 0, i)]
                        to = amount[ti.select(amount.shape[0] == 1, 0, i)]
                        rest = steps[ti.select(steps.shape[0] == 1, 0, i)]
                        holding(held, left, v[i], th, to, rest, spike, i)

    return plain, hold


def _kernels() -> dict[str, Kernel]:
    kernels = {}
    for (name, real), hard in itertools.product(REAL.items(), (True, False)):
        vector = Operand(name, 1)
        for kind, (event, _, operand) in kinds(name, words=False).items():
            plain, hold = _fire(real, event, hard)
            ends = f"{name}_{'hard' if hard else 'soft'}_{kind}"
            kernels[f"npt_fire_{ends}"] = Kernel(plain, (vector,) * 3, outputs=(operand,), parts=2)
            held = (vector, INDICES, vector, vector, vector, INDICES)
            kernels[f"npt_fire_hold_{ends}"] = Kernel(hold, held, in_place=2, outputs=(operand,), parts=2)
    return kernels


KERNELS = _kernels()
