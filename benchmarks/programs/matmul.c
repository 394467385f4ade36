/* Doubles: a product of 128 x 128 matrices, 25 times. */
#include "exit.h"
static double a[128 * 128], b[128 * 128], c[128 * 128];
__attribute__((noinline)) static void multiply(void) {
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < 128; j++) {
            double sum = 0;
            for (int k = 0; k < 128; k++) sum += a[i * 128 + k] * b[k * 128 + j];
            c[i * 128 + j] += sum;
        }
}
void _start(void) {
    for (int i = 0; i < 128 * 128; i++) {
        a[i] = i * 0.5;
        b[i] = 1.0 / (i + 1);
    }
    for (int round = 0; round < 25; round++) multiply();
    leave((long)c[777]);
}
