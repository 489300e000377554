"""Membranes as a user writes them, with what is easily forgotten."""

import equinox as eqx
import jax.numpy as jnp
import pytest

import neuropytree as npt
from neuropytree.neurons import AbstractMembrane, HardReset, PointNeuron, Threshold, Voltage

STEPPERS = [
    npt.integrate.ExponentialEuler(),
    npt.integrate.RK4(),
    npt.integrate.BackwardEuler(),
    npt.integrate.CaputoL1(0.9, num_memory=10),
]


class TwoVariables(eqx.Module):
    v: jnp.ndarray
    g: jnp.ndarray


class Forgetful(AbstractMembrane):
    """Two variables; the derivative is whatever is given."""

    slope: object = eqx.field(static=True)

    def init(self, shape, *, key):
        return TwoVariables(v=jnp.zeros(shape), g=jnp.zeros(shape))

    def vector_field(self, t, y, u):
        return self.slope(y)


@pytest.mark.parametrize(
    "slope, says",
    [
        (lambda y: None, r"returns None; expected TwoVariables with a derivative for each of \['g', 'v'\]"),
        (lambda y: Voltage(-y.v), r"returns Voltage with \['v'\]; expected TwoVariables with a derivative"),
        (lambda y: [-y.v, -y.g], "returns list; expected TwoVariables with"),
        (
            lambda y: TwoVariables(v=-y.v, g=jnp.zeros(2)),
            r"gives g a derivative of shape \(2,\); the variable has shape \(3,\)",
        ),
    ],
    ids=["nothing", "another state", "a list", "another shape"],
)
@pytest.mark.parametrize("stepper", STEPPERS, ids=lambda s: type(s).__name__)
def test_a_derivative_of_another_form_is_said(slope, says, stepper):
    cell = PointNeuron(3, membrane=Forgetful(slope), threshold=Threshold(10.0, None), stepper=stepper)
    with pytest.raises(TypeError, match=f"Forgetful.vector_field {says}"):
        npt.simulate(cell, cell.init(), dt=0.1, duration=1.0)


@pytest.mark.parametrize("stepper", [npt.integrate.ExponentialEuler(), npt.integrate.BackwardEuler()])
def test_coefficients_of_another_structure_are_said(stepper):
    """Those of a dictionary have an order of their own: they would be taken for each other's."""

    class Swapped(Forgetful):
        def linear(self, t, y, u):
            return {"v": npt.integrate.Linear(-1.0, 0.0), "g": npt.integrate.Linear(-2.0, 0.0)}

    cell = PointNeuron(3, membrane=Swapped(lambda y: y), threshold=Threshold(10.0, None), stepper=stepper)
    with pytest.raises(ValueError, match="Swapped.linear returns .* expected the structure of the variables"):
        npt.simulate(cell, cell.init(), dt=0.1, duration=1.0)


def test_errors_of_the_field_itself_stay_what_they_are():
    def slope(y):
        raise ValueError("of my own")

    cell = PointNeuron(3, membrane=Forgetful(slope), threshold=Threshold(10.0, None))
    with pytest.raises(ValueError, match="of my own"):
        npt.simulate(cell, cell.init(), dt=0.1, duration=1.0)


def test_a_state_without_a_voltage_is_said():
    class NoVoltage(Forgetful):
        slope: object = eqx.field(static=True, default=None)

        def init(self, shape, *, key):
            return {"x": jnp.zeros(shape)}

    cell = PointNeuron(2, membrane=NoVoltage(), threshold=Threshold(10.0, None), reset=HardReset(0.0))
    with pytest.raises(TypeError, match="NoVoltage.init returns .* one of them 'v'"):
        cell.init()
