/* Bit counting, byte order, rotations, carry-less products, bit sets. */
#include <stdint.h>
#include <stdio.h>

static uint64_t clmul(uint64_t a, uint64_t b) {
    uint64_t r = 0;
    for (int i = 0; i < 64; i++) if (b >> i & 1) r ^= a << i;
    return r;
}

int main(void) {
    uint64_t x = 0x0123456789abcdefull, mix = 0;
    for (int i = 0; i < 200; i++) {
        x = (x << 7 | x >> 57) * 6364136223846793005ull + 1;
        uint32_t w = (uint32_t)(x >> 13);
        mix = mix * 31 + __builtin_popcountll(x) + __builtin_clzll(x | 1) * 3 + __builtin_ctzll(x | 1ull << 63) * 5;
        mix ^= __builtin_bswap64(x) + __builtin_bswap32(w) + (w << (i & 31) | w >> (-i & 31)) + clmul(x, w);
        mix += (x & ~mix) + (x | ~mix) + (int64_t)(int8_t)x + (int64_t)(int16_t)(x >> 3) + (uint16_t)x;
        mix += ((int64_t)x < (int64_t)mix ? x : mix) ^ (x > mix ? x : mix);
        mix |= 1ull << (i & 63);
        mix &= ~(1ull << (x & 63));
        mix += (mix >> (i & 63) & 1) + ((uint64_t)w << 2) + x * 9;
    }
    printf("%016llx\n", (unsigned long long)mix);
    return (int)(mix & 127);
}
