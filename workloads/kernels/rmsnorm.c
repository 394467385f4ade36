/* out[ROWS][FEATURES] = x / sqrt(mean(x * x) + eps) * gamma, float32, row by row on the scratchpad; the next row is
 * brought in while one is worked on. */
#include "xqdma.h"
#include "xqv.h"
#include "start.h"

#ifndef ROWS
#define ROWS 4
#define FEATURES 256
#endif
#define BYTES (4 * FEATURES)

float x[ROWS][FEATURES] __attribute__((aligned(64)));
float gamma_[FEATURES] __attribute__((aligned(64)));
float out[ROWS][FEATURES] __attribute__((aligned(64)));
float one_over_features __attribute__((aligned(64)));
unsigned int eps_bits; /* of the float32 */

/* the scratchpad keeps the order of accesses by lines of 64 bytes: nothing may share one */
#define ROW(n) (SCRATCHPAD + (n) * ((BYTES + 63UL) / 64 * 64))
#define GAMMA_AT ROW(2)
#define FACTOR_AT ROW(3)
#define SUM_AT(n) (FACTOR_AT + 64 + 64 * (n))

static void length(long bytes)
{
    rv_write_qdrows(1);
    rv_write_qdrowb(bytes);
}

#define NORM(n, sent, row)                                      \
    {                                                           \
        rv_qt_bar_wait(n);                                      \
        rv_qv_setvl(FEATURES);                                  \
        rv_qv_sumsq(SUM_AT(n), ROW(n));                         \
        rv_qv_setvl(1);                                         \
        rv_qv_rsqrt(SUM_AT(n), SUM_AT(n), FACTOR_AT);           \
        rv_qv_setvl(FEATURES);                                  \
        rv_qv_muls(ROW(n), ROW(n), SUM_AT(n));                  \
        rv_qv_mul(ROW(n), ROW(n), GAMMA_AT);                    \
        length(BYTES);                                          \
        rv_qt_dma_st(sent, (unsigned long)out[row], ROW(n));    \
        rv_qt_bar_wait(sent);                                   \
        if ((row) + 2 < ROWS)                                   \
            rv_qt_dma_ld(n, (unsigned long)x[(row) + 2], ROW(n)); \
    }

int kernel(void)
{
    rv_write_qeps(eps_bits);
    length(BYTES);
    rv_qt_dma_ld(0, (unsigned long)x[0], ROW(0));
    if (ROWS > 1)
        rv_qt_dma_ld(1, (unsigned long)x[1], ROW(1));
    rv_qt_dma_ld(4, (unsigned long)gamma_, GAMMA_AT);
    length(4);
    rv_qt_dma_ld(4, (unsigned long)&one_over_features, FACTOR_AT);
    rv_qt_bar_wait(4);
    for (int row = 0; row < ROWS; row += 2) {
        NORM(0, 2, row)
        if (row + 1 < ROWS)
            NORM(1, 3, row + 1)
    }
    return 0;
}
