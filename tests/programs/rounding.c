/* Rounding modes and exception flags of fenv.h. */
#include <fenv.h>
#include <math.h>
#include <stdio.h>
static volatile double one = 1, three = 3, huge = 1e308, tiny = 1e-308, zero = 0;
static volatile float narrow = 16777217.0f;

int main(void) {
    const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
    for (int i = 0; i < 4; i++) {
        fesetround(modes[i]);
        feclearexcept(FE_ALL_EXCEPT);
        double q = one / three, r = -one / three, s = sqrt(three + zero), f = fma(one / three, three, -one);
        float c = (float)(one / three), n = narrow / 3.0f;
        long k = lrint(2.5 + zero), m = lrint(-2.5 + zero);
        printf("%d: %a %a %a %a %a %a %ld %ld %x\n", i, q, r, s, f, c, n, k, m, fetestexcept(FE_ALL_EXCEPT));
        volatile double o = huge * 10, u = tiny / 1e10;
        printf("   %a %a %x\n", o, u, fetestexcept(FE_ALL_EXCEPT));
    }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double exact = one + three;
    printf("%x ", fetestexcept(FE_ALL_EXCEPT));
    exact = one / zero;
    printf("%x ", fetestexcept(FE_ALL_EXCEPT));
    feclearexcept(FE_DIVBYZERO);
    exact = zero / zero;
    printf("%x %d\n", fetestexcept(FE_ALL_EXCEPT), (int)isnan(exact));
    fenv_t environment;
    feholdexcept(&environment);
    volatile int i = (int)(three / 2);
    printf("%d %x\n", i, fetestexcept(FE_INEXACT));
    fesetenv(&environment);
    return fetestexcept(FE_INVALID) != 0;
}
