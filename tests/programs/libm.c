/* The mathematical library on doubles and floats, printed exactly. */
#include <math.h>
#include <stdio.h>

int main(void) {
    const double x[] = {0.0, -0.0, 0.5, 1.0, 2.5, -3.75, 1e-8, 123.456, -700.5, 1e300, 0x1p-1060};
    for (unsigned i = 0; i < sizeof x / sizeof *x; i++) {
        double a = x[i], p = fabs(a);
        printf("%a: %a %a %a %a %a\n", a, sin(a), cos(a), tan(a), exp(a / 10), log(p));
        printf("  %a %a %a %a %a\n", sqrt(p), cbrt(a), pow(p, 0.3), atan2(a, 2.0), sinh(a / 100));
        printf("  %a %a %a %ld %a %a\n", floor(a), ceil(a), rint(a), fabs(a) < 1e9 ? lround(a) : 0L, fmod(a, 0.7), hypot(a / 2, 3));
        float f = (float)a;
        printf("  %a %a %a %a\n", sinf(f), expf(f / 10), sqrtf(fabsf(f)), powf(fabsf(f), 0.25f));
    }
    printf("%a %a %a %d\n", erf(0.3), tgamma(4.5), lgamma(10.5), ilogb(1000.0));
    printf("%d %d %d %a\n", isnan(sqrt(-1.0)), isinf(exp(1000.0)), signbit(-0.0) != 0, fma(0.1, 10.0, -1.0));
    return 0;
}
