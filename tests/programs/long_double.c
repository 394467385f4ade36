/* Quadruple precision in software, and 128-bit integers. */
#include <stdio.h>

int main(void) {
    long double sum = 0, term = 1;
    for (int i = 1; i < 30; i++) { sum += term; term /= i; }
    printf("%.30Lf\n", sum);
    volatile long double x = 1e300L;
    printf("%.20Le %d %.10Lf\n", x * x * 1e-550L, (int)(sum * 1000), (long double)1 / 3);
    unsigned __int128 f = 1;
    for (unsigned i = 2; i <= 33; i++) f *= i;
    unsigned __int128 g = f / 1000000007u;
    printf("%016llx%016llx %016llx %llu\n", (unsigned long long)(f >> 64), (unsigned long long)f, (unsigned long long)g, (unsigned long long)(f % 998244353u));
    return 0;
}
