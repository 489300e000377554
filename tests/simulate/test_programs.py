"""Which programs of runs have loops divided among threads: seen in what was compiled."""

import os

import jax
import numpy as np
import pytest

import neuropytree as npt
from neuropytree.simulate import _programs

from ..helpers import DRIVE, assert_same_bits, coba

# how XLA's text marks a loop that it has divided
DIVIDED = "outer_dimension_partitions"
TWO = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="with one processor no loop is divided")


@pytest.fixture
def texts(monkeypatch):
    """What `simulate` compiles: a list of texts that grows."""
    found = []

    def seen(programs):
        def wrap(program):
            def call(*operands):
                found.append(program.lower(*operands).compile().compiled.as_text())
                return program(*operands)

            return call

        return {serial: wrap(program) for serial, program in programs.items()}

    monkeypatch.setattr(_programs, "_whole", seen(_programs._whole))
    monkeypatch.setattr(_programs, "_piece", seen(_programs._piece))
    return found


def run(model, inputs, n_steps=20, **options):
    state = model.init(dt=0.1, key=jax.random.key(0))
    return npt.simulate(model, state, inputs, dt=0.1, duration=n_steps * 0.1, **options)


def cells(n):
    return npt.neurons.HH(n), 5.0


@TWO
@pytest.mark.parametrize("chunk", [None, 7], ids=["whole", "in pieces"])
def test_small_steps_have_no_loop_that_is_divided_and_large_ones_have(texts, chunk):
    run(*cells(100), chunk=chunk)
    run(coba(320, 80, p=0.02), DRIVE, chunk=chunk, key=jax.random.key(1))
    assert not any(DIVIDED in text for text in texts)
    texts.clear()
    run(*cells(40_000), chunk=chunk)
    assert texts and all(DIVIDED in text for text in texts)


@TWO
@pytest.mark.parametrize("n", [2_000, 40_000])
def test_both_programs_give_the_same_bits(monkeypatch, n):
    once = run(*cells(n), record=["v"], every=10)
    monkeypatch.setattr(_programs, "is_small", lambda *_: n > 20_000)
    assert_same_bits(once.state, run(*cells(n), record=["v"], every=10).state)


def test_a_run_within_a_transformation_leaves_the_choice_to_the_outer_program(monkeypatch):
    """JAX takes compiler options for the outermost program only."""
    monkeypatch.setattr(_programs, "_whole", {False: _programs._whole[False]})
    cell = npt.neurons.HH(10)
    state = cell.init(dt=0.1)
    final = jax.jit(lambda i: npt.simulate(cell, state, i, dt=0.1, duration=1.0).state.v)
    assert np.isfinite(final(5.0)).all() and np.isfinite(jax.grad(lambda i: final(i).sum())(5.0))
