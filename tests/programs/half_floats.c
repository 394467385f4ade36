/* _Float16: conversions, arithmetic, comparisons, and sums that round. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint16_t bits(_Float16 x) { uint16_t b; memcpy(&b, &x, 2); return b; }
static _Float16 from(uint16_t b) { _Float16 x; memcpy(&x, &b, 2); return x; }

int main(void) {
    volatile _Float16 a = (_Float16)1.5f, b = (_Float16)-2.75f, c = (_Float16)0.0009765625f;
    printf("%04x %04x %04x %04x %04x\n", bits(a + b), bits(a * b), bits(a / b), bits(a - c), bits(-a));
    uint16_t h = 0;
    unsigned sum = 0;
    for (unsigned i = 0; i < 65536; i += 13) {
        _Float16 x = from((uint16_t)i);
        float wide = x;
        uint32_t w;
        memcpy(&w, &wide, 4);
        if (wide == wide) sum = sum * 31 + w + bits((_Float16)(wide * 1.0009765625f)) + (unsigned)(x < a) + (unsigned)(x == a);
        h ^= bits((_Float16)(float)x == (_Float16)(float)x ? x * a + b : a);
    }
    _Float16 total = 0;
    for (int i = 1; i < 200; i++) total += (_Float16)(1.0f / i);
    printf("%08x %04x %04x %g %d %d\n", sum, h, bits(total), (double)total, (int)(_Float16)(-7.9f), (int)((_Float16)65504.0f));
    printf("%g %g\n", (double)(_Float16)1e6f, (double)(_Float16)1e-8f);
    return bits(total) & 63;
}
