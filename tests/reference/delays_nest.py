"""When a spike arrives on NEST: `python delays_nest.py` writes its part of `delays.json` (see `delays.py`).

A delay is rounded to floor(d * (steps per ms) + 1/2), in doubles, and refused if that is 0. The stamp of a spike is the
end of its step, and the multimeter's stamp is the instant of the state that it shows: the difference is the delay.
"""

from __future__ import annotations

import nest
import numpy as np
from delays import DELAYS, DT, save


def arrival(delay: float, model: str, variable: str) -> tuple[float, float | None]:
    """The stamps of a spike, and of the first state of the target in which it has arrived."""
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = DT
    membrane = {"E_L": 0.0, "V_m": 0.0, "V_reset": 0.0, "V_th": 15.0}
    generator = nest.Create("spike_generator", params={"spike_times": [1.0]})
    sender = nest.Create("iaf_psc_delta", params=membrane)
    target = nest.Create(model, params=membrane | {"V_th": 1e9})
    nest.Connect(generator, sender, syn_spec={"weight": 100.0, "delay": 1.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(sender, recorder)
    try:
        nest.Connect(sender, target, syn_spec={"weight": 1.0, "delay": delay})
    except nest.NESTErrors.BadDelay:
        target = None
    else:
        meter = nest.Create("multimeter", params={"record_from": [variable], "interval": DT})
        nest.Connect(meter, target)
    nest.Simulate(12.0)
    emitted = float(recorder.events["times"][0])
    if target is None:
        return emitted, None
    at = np.flatnonzero(np.array(meter.events[variable]) != 0)[0]
    return emitted, round(float(meter.events["times"][at]), 6)


def main() -> None:
    first, emitted = {}, set()
    for name, model, variable in (
        ("current", "iaf_psc_exp", "I_syn_ex"),
        ("voltage", "iaf_psc_delta", "V_m"),
    ):
        both = [arrival(delay, model, variable) for delay in DELAYS]
        emitted |= {stamp for stamp, _ in both}
        first[name] = [time for _, time in both]
    (stamp,) = emitted
    steps = {name: [t if t is None else round((t - stamp) / DT) for t in times] for name, times in first.items()}
    save(
        "nest",
        {
            "version": nest.__version__,
            "emitted": round(stamp, 6),
            "first": first,
            "steps": steps,
            "convention": "a spike of step k has the stamp t_(k+1); the multimeter shows the state at its stamp",
        },
    )
    print(stamp, *zip(DELAYS, *steps.values(), strict=True), sep="\n")


if __name__ == "__main__":
    main()
