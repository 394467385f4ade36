/* Loops that compilers turn into vector code: every element width, reductions, conditions, strides. */
#include <stdint.h>
#include <stdio.h>
enum { N = 1000 };
static int8_t a8[N], b8[N];
static uint8_t u8[N];
static int16_t a16[N], b16[N];
static int32_t a32[N], b32[N];
static int64_t a64[N], b64[N];
static float f[N], g[N];
static double d[N], e[N];
__attribute__((noinline)) void integers(void) {
    for (int i = 0; i < N; i++) a8[i] = (int8_t)(a8[i] * 3 + b8[i]);
    for (int i = 0; i < N; i++) a16[i] = (int16_t)((a16[i] >> 2) ^ b16[i]);
    for (int i = 0; i < N; i++) a32[i] = a32[i] > b32[i] ? a32[i] - b32[i] : b32[i];
    for (int i = 0; i < N; i++) a64[i] += (int64_t)b32[i] * a16[i];
    for (int i = 0; i < N; i++) u8[i] = (uint8_t)((a8[i] + u8[i]) / 2);
    for (int i = 0; i < N / 3; i++) b32[i] = a32[3 * i] + a32[3 * i + 1] * a32[3 * i + 2];
}
__attribute__((noinline)) int64_t sums(void) {
    int64_t total = 0;
    int32_t dot = 0, least = 0;
    for (int i = 0; i < N; i++) dot += a8[i] * b8[i];
    for (int i = 0; i < N; i++) least = a32[i] < least ? a32[i] : least;
    for (int i = 0; i < N; i++) if (u8[i] & 1) total += a64[i] + u8[i];
    return total * 31 + dot * 7 + least;
}
__attribute__((noinline)) void floats(void) {
    for (int i = 0; i < N; i++) f[i] = f[i] * g[i] + 1.5f;
    for (int i = 0; i < N; i++) d[i] = d[i] / (e[i] * e[i] + 1) - f[i];
    for (int i = 0; i < N; i++) g[i] = f[i] > 2 ? (float)d[i] : -g[i];
    /* no conversion to integers: qemu 7.2 falls over at a vfcvt.rtz (translate.c, decode_save_opc) */
    for (int i = 0; i < N; i++) e[i] = (double)a64[i] * 0.5;
}

int main(void) {
    for (int i = 0; i < N; i++) {
        a8[i] = (int8_t)(i * 7); b8[i] = (int8_t)(i * 13 + 5); u8[i] = (uint8_t)(i * 3);
        a16[i] = (int16_t)(i * 91); b16[i] = (int16_t)(i * 57 - 9000);
        a32[i] = i * 12345 - 600000; b32[i] = 400000 - i * 777;
        a64[i] = (int64_t)i * i * i; b64[i] = -i;
        f[i] = i * 0.25f - 100; g[i] = 3.0f - i * 0.01f; d[i] = i * 0.125; e[i] = i - 500.0;
    }
    double total = 0;
    for (int round = 0; round < 3; round++) { integers(); floats(); }
    for (int i = 0; i < N; i++) total += f[i] * 0.001 + d[i] + g[i] + e[i] * 1e-9 + b64[i];
    printf("%lld %a %d %d %d\n", (long long)sums(), total, a8[999], a16[500], b32[333]);
    return u8[77] & 63;
}
