"""Jumps of the voltage."""

import equinox as eqx


class Delta(eqx.Module):
    r"""An input port by itself: what arrives is added to the voltage, $v \leftarrow v + x$; weights are in mV.

    With a delay of one step or more, what is due at the end of a step is added after the cells have moved and *before*
    the threshold is read: it can make the cell spike in that step. Without delay (`None`, or less than half a step) it
    comes from spikes of the same step, so it is added *after* the reset, and counts at the threshold of the next step.
    In either case it is lost on a cell that is refractory, and never changes its voltage later.

    Source: Rotter & Diesmann 1999, doi:10.1007/s004220050570; the order is that of NEST's `iaf_psc_delta`.

    !!! example

        ```python
        import neuropytree as npt
        population = npt.Population(npt.neurons.LIF(100), {"jump": npt.synapses.Delta()})
        ```
    """
