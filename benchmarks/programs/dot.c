/* Vectors: int8 dot products by intrinsics, 64 elements per instruction at VLEN 256. */
#include <riscv_vector.h>
#include "exit.h"
static signed char a[65536], b[65536];
__attribute__((noinline)) static int dot(const signed char *x, const signed char *y, long n) {
    vint32m8_t sum = __riscv_vmv_v_x_i32m8(0, __riscv_vsetvlmax_e32m8());
    while (n > 0) {
        long vl = __riscv_vsetvl_e8m2(n);
        vint16m4_t product = __riscv_vwmul_vv_i16m4(__riscv_vle8_v_i8m2(x, vl), __riscv_vle8_v_i8m2(y, vl), vl);
        sum = __riscv_vwadd_wv_i32m8(sum, product, vl);
        x += vl;
        y += vl;
        n -= vl;
    }
    vint32m1_t zero = __riscv_vmv_v_x_i32m1(0, 1);
    return __riscv_vmv_x_s_i32m1_i32(__riscv_vredsum_vs_i32m8_i32m1(sum, zero, __riscv_vsetvlmax_e32m8()));
}
void _start(void) {
    for (int i = 0; i < 65536; i++) {
        a[i] = i * 7;
        b[i] = i * 13 + 5;
    }
    int sum = 0;
    for (int round = 0; round < 1000; round++) sum += dot(a, b, 65536);
    leave(sum);
}
