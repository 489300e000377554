"""Kernels that append events to a list."""

# No `from __future__ import annotations`: Taichi reads annotations as objects.

import taichi as ti

from ._common import GROUP, INDEX, INDICES, REAL, WORDS, Kernel, Operand, array, kinds, next_group, silent


def _booleans(event, size: int):
    events = array(event)

    @ti.kernel
    def kernel(steps: INDEX, indices: INDEX, count: INDEX, words: WORDS, x: events, now: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, room, found = x.shape[0], steps.shape[0], count[0]
            end = (n + GROUP - 1) // GROUP
            group = next_group(words, size, 0, end)
            while group < end:
                for i in range(GROUP * group, ti.min(GROUP * group + GROUP, n)):
                    if not silent(x[i]):
                        if 0 <= found and found < room:
                            steps[found] = now[0]
                            indices[found] = i
                        found += 1
                group = next_group(words, size, group + 1, end)
            count[0] = found

    return kernel


def _numbers(event, size: int):
    events = array(event)

    @ti.kernel
    def kernel(steps: INDEX, indices: INDEX, values: events, count: INDEX, words: WORDS, x: events, now: INDEX):
        ti.loop_config(serialize=True)
        for _ in range(1):
            n, room, found = x.shape[0], ti.min(steps.shape[0], values.shape[0]), count[0]
            end = (n + GROUP - 1) // GROUP
            group = next_group(words, size, 0, end)
            while group < end:
                for i in range(GROUP * group, ti.min(GROUP * group + GROUP, n)):
                    if not silent(x[i]):
                        if 0 <= found and found < room:
                            steps[found] = now[0]
                            indices[found] = i
                            values[found] = x[i]
                        found += 1
                group = next_group(words, size, group + 1, end)
            count[0] = found

    return kernel


def _kernels() -> dict[str, Kernel]:
    event, size, operand = kinds("f32")["bool"]
    lists = (INDICES, INDICES)
    kernels = {"npt_append_bool": Kernel(_booleans(event, size), (*lists, INDICES, operand, INDICES), in_place=3)}
    for name in REAL:
        event, size, operand = kinds(name)["float"]
        operands = (*lists, Operand(name, 1), INDICES, operand, INDICES)
        kernels[f"npt_append_{name}"] = Kernel(_numbers(event, size), operands, in_place=4)
    return kernels


KERNELS = _kernels()
