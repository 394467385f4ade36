/* Matrix product and inverse in float and double; checksums by bits. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
enum { N = 24 };
static double a[N][N], b[N][N], c[N][N], inverse[N][N];
static float s[N][N], t[N][N], u[N][N];

int main(void) {
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
        a[i][j] = sin(i * 3 + j) + (i == j) * 4;
        b[i][j] = cos(i - j * 2);
        s[i][j] = (float)a[i][j];
        t[i][j] = (float)b[i][j];
    }
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
        double sum = 0;
        float narrow = 0;
        for (int k = 0; k < N; k++) { sum += a[i][k] * b[k][j]; narrow += s[i][k] * t[k][j]; }
        c[i][j] = sum;
        u[i][j] = narrow;
    }
    static double w[N][2 * N];
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) { w[i][j] = a[i][j]; w[i][N + j] = i == j; }
    for (int i = 0; i < N; i++) {
        int best = i;
        for (int r = i; r < N; r++) if (fabs(w[r][i]) > fabs(w[best][i])) best = r;
        for (int j = 0; j < 2 * N; j++) { double x = w[i][j]; w[i][j] = w[best][j]; w[best][j] = x; }
        double pivot = 1 / w[i][i];
        for (int j = 0; j < 2 * N; j++) w[i][j] *= pivot;
        for (int r = 0; r < N; r++) if (r != i) { double f = w[r][i]; for (int j = 0; j < 2 * N; j++) w[r][j] -= f * w[i][j]; }
    }
    double worst = 0;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
        double sum = 0;
        for (int k = 0; k < N; k++) sum += a[i][k] * w[k][N + j];
        worst = fmax(worst, fabs(sum - (i == j)));
    }
    uint64_t mix = 0, bits;
    uint32_t word;
    for (int i = 0; i < N; i++) for (int j = 0; j < N; j++) {
        memcpy(&bits, &c[i][j], 8);
        memcpy(&word, &u[i][j], 4);
        mix = mix * 6364136223846793005ull + bits + word;
    }
    printf("%016llx %a %d\n", (unsigned long long)mix, c[3][5], worst < 1e-12);
    return worst >= 1e-12;
}
