/* Matrix product of n x n elements, row by column, each result one sum in order: the time of an iteration, one
 * multiply and add, is bound by the latency of the addition (or fused multiply-add).
 *
 * Arguments: n. The first line is of int32, the second of double where the compiler has a floating-point unit.
 */
#include "runtime.h"

#define MOST 128

#define PRODUCT(type)                                                                                   \
  static type type##_a[MOST * MOST], type##_b[MOST * MOST], type##_c[MOST * MOST];                      \
  __attribute__((noinline)) static void type##_multiply(word n) {                                       \
    for (word i = 0; i < n; i++)                                                                        \
      for (word j = 0; j < n; j++) {                                                                    \
        type sum = 0;                                                                                   \
        for (word k = 0; k < n; k++) sum += type##_a[i * n + k] * type##_b[k * n + j];                  \
        type##_c[i * n + j] = sum;                                                                      \
      }                                                                                                 \
  }                                                                                                     \
  static void type##_run(word n) {                                                                      \
    u64 checksum = 0;                                                                                   \
    for (word i = 0; i < n * n; i++) {                                                                  \
      type##_a[i] = (type)(random_word() >> 24);                                                        \
      type##_b[i] = (type)(random_word() >> 24);                                                        \
    }                                                                                                   \
    type##_multiply(n);                                                                                 \
    start_timer();                                                                                      \
    type##_multiply(n);                                                                                 \
    u64 cycles = read_cycle() - cycles_before, instructions = read_instret() - instructions_before;     \
    for (word i = 0; i < n * n; i++) checksum = 3 * checksum + (u64)(i64)type##_c[i];                   \
    report_counts(cycles, instructions, (u64)n * n * n, checksum & 0xffffff);                           \
  }

PRODUCT(i32)
#ifdef __riscv_flen
PRODUCT(double)
#endif

int main(int count, char **arguments) {
  word n = argument(count, arguments, 1, 48);
  if (n > MOST || n < 1) return 1;
  i32_run(n);
#ifdef __riscv_flen
  double_run(n);
#endif
  return 0;
}
