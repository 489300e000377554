"""A pathway whose weights learn: Oja's rule finds the first principal component.

    python examples/oja.py

Two correlated inputs drive one linear unit. In each step the weights move by
eta y (x - y w), where x is what arrived and y what the unit answered. They end as the
first eigenvector of the inputs' covariance, of length 1.

Source: Oja 1982, doi:10.1007/BF00275687.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import neuropytree as npt


class OjaState(eqx.Module):
    weight: jax.Array
    x: jax.Array  # what arrived a step ago, which the unit answers now


class Oja(npt.AbstractPathway):
    connect: npt.connect.AbstractConnectivity
    eta: jax.Array
    source: str = eqx.field(static=True)
    target: str = eqx.field(static=True)
    delay: float | None = eqx.field(static=True, default=None)

    def init(self, *, dt=None, key=None):
        return OjaState(self.connect.weight, jnp.zeros(self.connect.in_size))

    def carry(self, state, message, acc, tick):
        return eqx.tree_at(lambda c: c.weight, self.connect, state.weight)(message, acc)

    def learn(self, state, pre, post, tick):
        y = post["out"]
        grows = self.connect.outer(state.x, y)
        decays = self.connect.outer(jnp.ones_like(state.x), y**2) * state.weight
        return OjaState(state.weight + self.eta * (grows - decays), pre)


COVARIANCE = np.array([[1.0, 0.6], [0.6, 0.7]])


def main(duration=20_000.0):
    root = jnp.asarray(np.linalg.cholesky(COVARIANCE))
    weights = npt.connect.AllToAll()(
        2, 1, weight=npt.init.Uniform(0.0, 0.1), key=jax.random.key(0)
    )
    net = npt.Network(
        populations={
            "x": npt.Layer(lambda x: x, in_size=2),
            "y": npt.Layer(lambda x: x, in_size=1),
        },
        projections={"x->y": Oja(weights, jnp.asarray(0.002), "x", "y.in")},
    )

    def patterns(tick):
        return {"x": root @ jax.random.normal(tick.fold("patterns").key, (2,))}

    run = dict(dt=1.0, duration=duration, key=jax.random.key(1))
    sol = npt.simulate(
        net, net.init(dt=1.0), patterns, record=["x->y.weight"], every=100, **run
    )
    learned = np.asarray(sol.state.pathways["x->y"].weight).ravel()
    first = np.linalg.eigh(COVARIANCE)[1][:, -1]
    first = first * np.sign(first @ learned)
    print(
        f"weights {learned.round(3)}, of length {np.linalg.norm(learned):.3f}; "
        f"eigenvector {first.round(3)}"
    )
    # the same network, which begins with what was learned
    frozen = net.freeze(sol.state)
    assert np.array_equal(
        np.asarray(frozen.pathways["x->y"].connect.weight).ravel(), learned
    )
    return learned, first


if __name__ == "__main__":
    main()
