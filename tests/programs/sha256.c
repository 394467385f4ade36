/* SHA-256 (FIPS 180-4) with its test vectors. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t k[64];
static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void constants(void) {
    /* fractional parts of cube roots of the first 64 primes, by integer search */
    int count = 0;
    for (uint32_t p = 2; count < 64; p++) {
        int prime = 1;
        for (uint32_t d = 2; d * d <= p; d++) if (p % d == 0) prime = 0;
        if (!prime) continue;
        unsigned __int128 low = 0, high = (unsigned __int128)8 << 32;
        while (high - low > 1) {
            unsigned __int128 middle = (low + high) / 2;
            if (middle * middle * middle <= (unsigned __int128)p << 96) low = middle; else high = middle;
        }
        k[count++] = (uint32_t)low;
    }
}
static void hash(const uint8_t *data, size_t size, uint32_t h[8]) {
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(h, start, 32);
    for (size_t block = 0; block < (size + 9 + 63) / 64; block++) {
        uint8_t b[64] = {0};
        uint32_t w[64], v[8];
        for (int i = 0; i < 64; i++) {
            size_t at = block * 64 + i;
            b[i] = at < size ? data[at] : at == size ? 0x80 : 0;
        }
        if (block == (size + 9 + 63) / 64 - 1) for (int i = 0; i < 8; i++) b[63 - i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
        for (int i = 0; i < 16; i++) w[i] = (uint32_t)b[4 * i] << 24 | b[4 * i + 1] << 16 | b[4 * i + 2] << 8 | b[4 * i + 3];
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        memcpy(v, h, 32);
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
            uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
            for (int j = 7; j > 0; j--) v[j] = v[j - 1];
            v[4] += t1;
            v[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) h[i] += v[i];
    }
}

int main(void) {
    uint32_t h[8];
    static uint8_t many[10000];
    constants();
    hash((const uint8_t *)"abc", 3, h);
    int good = h[0] == 0xba7816bf && h[7] == 0xf20015ad;
    for (int i = 0; i < 8; i++) printf("%08x", h[i]);
    hash((const uint8_t *)"", 0, h);
    good &= h[0] == 0xe3b0c442;
    memset(many, 'a', sizeof many);
    hash(many, sizeof many, h);
    printf("\n%08x %08x %d\n", h[0], h[7], good);
    return !good;
}
