COMMENT
Sodium and potassium currents of Traub & Miles, as in the COBAHH benchmark; v_sh is where the rates have their origin.
Gates move by NEURON's exact step for a gate at a held voltage (cnexp).
ENDCOMMENT

NEURON {
    SUFFIX tm
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    RANGE gnabar, gkbar
    GLOBAL v_sh
    THREADSAFE
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gnabar = 0.1 (S/cm2)
    gkbar = 0.03 (S/cm2)
    v_sh = -63 (mV)
}

STATE { m h n }

ASSIGNED {
    v (mV)
    ena (mV)
    ek (mV)
    ina (mA/cm2)
    ik (mA/cm2)
    minf
    hinf
    ninf
    mtau (ms)
    htau (ms)
    ntau (ms)
}

INITIAL {
    rates(v)
    m = minf
    h = hinf
    n = ninf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gnabar*m*m*m*h*(v - ena)
    ik = gkbar*n*n*n*n*(v - ek)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
    n' = (ninf - n)/ntau
}

FUNCTION linoid(x, k) {
    if (fabs(x/k) < 1e-4) {
        linoid = k*(1 - x/k/2)
    } else {
        linoid = x/(exp(x/k) - 1)
    }
}

PROCEDURE rates(v (mV)) {
    LOCAL u, a, b
    u = v - v_sh
    a = 0.32*linoid(13 - u, 4)
    b = 0.28*linoid(u - 40, 5)
    mtau = 1/(a + b)
    minf = a/(a + b)
    a = 0.128*exp((17 - u)/18)
    b = 4/(1 + exp((40 - u)/5))
    htau = 1/(a + b)
    hinf = a/(a + b)
    a = 0.032*linoid(15 - u, 5)
    b = 0.5*exp((10 - u)/40)
    ntau = 1/(a + b)
    ninf = a/(a + b)
}
