/* Doubles and floats to text and back: every bit must survive. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252ull;
static uint64_t next(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

int main(void) {
    int bad = 0;
    char text[64];
    for (int i = 0; i < 300; i++) {
        uint64_t bits = next();
        double value, back;
        memcpy(&value, &bits, 8);
        if (!isfinite(value)) continue;
        snprintf(text, sizeof text, "%.17g", value);
        back = strtod(text, NULL);
        bad += memcmp(&value, &back, 8) != 0;
        if (i < 12) printf("%s %a %.6f\n", text, value, value * 0x1p-900 * 0x1p-100);
        float narrow = (float)(value / 3.0), again;
        snprintf(text, sizeof text, "%.9g", narrow);
        again = strtof(text, NULL);
        bad += memcmp(&narrow, &again, 4) != 0;
    }
    const char *odd[] = {"1e400", "-1e400", "4.9e-324", "2.4703282292062327e-324", "1e-400", "0x1.8p3", "inf", "nan", "1.7976931348623159e308",
                         "9007199254740993", "0.1", "123456789012345678901234567890"};
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
        double value = strtod(odd[i], NULL);
        printf("%s -> %g %a\n", odd[i], value, value);
    }
    printf("%e %G %8.3f %-10.2e|%+.1f %#.0f\n", 12345.678, 1e-10, 3.14159, 2.5e5, -0.05, 3.0);
    return bad;
}
