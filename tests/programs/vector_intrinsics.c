/* RVV intrinsics: dot product, masks, reductions, segments, gathers, compress, fault-only-first, fixed point. */
#include <riscv_vector.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int dot(const int8_t *a, const int8_t *b, size_t n) {
    vint32m1_t sum = __riscv_vmv_v_x_i32m1(0, 1);
    for (size_t vl; n; n -= vl, a += vl, b += vl) {
        vl = __riscv_vsetvl_e8m2(n);
        vint16m4_t product = __riscv_vwmul_vv_i16m4(__riscv_vle8_v_i8m2(a, vl), __riscv_vle8_v_i8m2(b, vl), vl);
        sum = __riscv_vwredsum_vs_i16m4_i32m1(product, sum, vl);
    }
    return __riscv_vmv_x_s_i32m1_i32(sum);
}
static void saxpy(size_t n, float a, const float *x, float *y) {
    for (size_t vl; n; n -= vl, x += vl, y += vl) {
        vl = __riscv_vsetvl_e32m8(n);
        __riscv_vse32_v_f32m8(y, __riscv_vfmacc_vf_f32m8(__riscv_vle32_v_f32m8(y, vl), a, __riscv_vle32_v_f32m8(x, vl), vl), vl);
    }
}
static size_t length(const char *text) {
    size_t at = 0, vl;
    for (;;) {
        vl = __riscv_vsetvlmax_e8m4();
        vuint8m4_t bytes = __riscv_vle8ff_v_u8m4((const uint8_t *)text + at, &vl, vl);
        long first = __riscv_vfirst_m_b2(__riscv_vmseq_vx_u8m4_b2(bytes, 0, vl), vl);
        if (first >= 0) return at + first;
        at += vl;
    }
}
static size_t keep_positive(const int32_t *in, int32_t *out, size_t n) {
    size_t kept = 0;
    for (size_t vl; n; n -= vl, in += vl) {
        vl = __riscv_vsetvl_e32m2(n);
        vint32m2_t values = __riscv_vle32_v_i32m2(in, vl);
        vbool16_t mask = __riscv_vmsgt_vx_i32m2_b16(values, 0, vl);
        size_t count = __riscv_vcpop_m_b16(mask, vl);
        __riscv_vse32_v_i32m2(out + kept, __riscv_vcompress_vm_i32m2(values, mask, vl), count);
        kept += count;
    }
    return kept;
}

int main(void) {
    static int8_t a[1000], b[1000];
    static float x[300], y[300];
    static int32_t values[200], kept[200];
    static uint8_t pixels[3 * 100], red[100], green[100], blue[100];
    for (int i = 0; i < 1000; i++) { a[i] = (int8_t)(i * 7); b[i] = (int8_t)(i * 31 - 4); }
    for (int i = 0; i < 300; i++) { x[i] = i * 0.5f; y[i] = 100 - i; }
    for (int i = 0; i < 200; i++) values[i] = i * 37 % 101 - 50;
    for (int i = 0; i < 300; i++) pixels[i] = (uint8_t)(i * 5);
    saxpy(300, 1.25f, x, y);
    float sum = 0;
    for (int i = 0; i < 300; i++) sum += y[i];
    const char *text = "how long is this piece of text, counted by vectors of bytes until the first that is zero?";
    size_t count = keep_positive(values, kept, 200);
    printf("%d %f %zu %zu %zu %d %d\n", dot(a, b, 1000), sum, length(text), strlen(text), count, kept[0], kept[count - 1]);
    for (size_t at = 0, vl; at < 100; at += vl) {
        vl = __riscv_vsetvl_e8m2(100 - at);
        vuint8m2_t r, g, c;
        __riscv_vlseg3e8_v_u8m2(&r, &g, &c, pixels + 3 * at, vl);
        __riscv_vse8_v_u8m2(red + at, __riscv_vsaddu_vv_u8m2(r, g, vl), vl);
        __riscv_vse8_v_u8m2(green + at, __riscv_vaaddu_vv_u8m2(g, c, vl), vl);
        __riscv_vse8_v_u8m2(blue + at, __riscv_vrgather_vv_u8m2(c, __riscv_vrsub_vx_u8m2(__riscv_vid_v_u8m2(vl), vl - 1, vl), vl), vl);
    }
    unsigned mix = 0;
    for (int i = 0; i < 100; i++) mix = mix * 31 + red[i] + green[i] * 3 + blue[i] * 7;
    size_t vl = __riscv_vsetvl_e64m4(13);
    vint64m4_t wide = __riscv_vmul_vx_i64m4(__riscv_vreinterpret_v_u64m4_i64m4(__riscv_vid_v_u64m4(vl)), 7, vl);
    long total = __riscv_vmv_x_s_i64m1_i64(__riscv_vredsum_vs_i64m4_i64m1(wide, __riscv_vmv_v_x_i64m1(0, 1), vl));
    printf("%08x %ld\n", mix, total);
    return (int)(mix & 63);
}
