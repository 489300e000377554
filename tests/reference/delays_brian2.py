"""When a spike arrives on Brian2: `python delays_brian2.py` writes its part of `delays.json` (see `delays.py`).

A delay is rounded to int(d / dt + 1/2), in seconds and doubles, in which .15 ms / .1 ms is less than 1.5; a delay of 0
is allowed. `on_pre` runs in the slot `synapses`, after the cells of that step have moved and thresholds have been read.
A spike has the time at which its step begins. A state monitor shows the state at its time in the slot `start`, which is
the default, and the state at the end of the step that begins at its time in the slot `end`.
"""

from __future__ import annotations

import brian2 as b2
import numpy as np
from delays import DELAYS, DT, save


def arrivals(heterogeneous: bool) -> tuple[float, dict[str, dict[str, list[float]]]]:
    """The time of the spike, and by the slot of the monitor and the variable, the first time that isn't zero."""
    b2.defaultclock.dt = DT * b2.ms
    sender = b2.NeuronGroup(1, "dv/dt = 1/ms : 1", threshold="v >= 1.95", reset="v = -1e9", method="euler")
    target = b2.NeuronGroup(len(DELAYS), "dcurrent/dt = -current/(2*ms) : 1\nvoltage : 1", method="exact")
    add = "current_post += 1\nvoltage_post += 1"
    synapses = []
    if heterogeneous:
        synapses.append(b2.Synapses(sender, target, on_pre=add))
        synapses[0].connect(i=0, j=np.arange(len(DELAYS)))
        synapses[0].delay = np.array(DELAYS) * b2.ms
    else:
        for j, delay in enumerate(DELAYS):
            synapses.append(b2.Synapses(sender, target, on_pre=add, delay=delay * b2.ms))
            synapses[-1].connect(i=0, j=j)
    spikes = b2.SpikeMonitor(sender)
    monitors = {w: b2.StateMonitor(target, ["current", "voltage"], record=True, when=w) for w in ("start", "end")}
    b2.Network(sender, target, *synapses, spikes, *monitors.values()).run(12 * b2.ms)
    first = {
        when: {
            name: [round(float(monitor.t[np.flatnonzero(x)[0]] / b2.ms), 6) for x in np.asarray(getattr(monitor, name))]
            for name in ("current", "voltage")
        }
        for when, monitor in monitors.items()
    }
    return round(float(spikes.t[0] / b2.ms), 6), first


def main() -> None:
    found = []
    for target in ("numpy", "cython"):
        b2.prefs.codegen.target = target
        found += [arrivals(heterogeneous) for heterogeneous in (False, True)]
    if any(one != found[0] for one in found):
        raise SystemExit("delays differ with the code generator, or between scalar delays and those per synapse")
    begin, first = found[0]
    steps = {name: [round((t - begin) / DT) for t in times] for name, times in first["end"].items()}
    save(
        "brian2",
        {
            "version": b2.__version__,
            "emitted": begin,
            "first": first,
            "steps": steps,
            "convention": "a spike of step k has the time t_k; a monitor in the slot `end` shows at t_k the state at "
            "t_(k+1), one in the slot `start` the state at t_k; the same for scalar delays and those per synapse",
        },
    )
    print(begin, *zip(DELAYS, *steps.values(), strict=True), sep="\n")


if __name__ == "__main__":
    main()
