/* out[M][N] = codes[M][K] x weights[N][K]^T: int8 activations with a scale per row, int4 weights with a float16 scale
 * per group of 128. Weights stream through the scratchpad in two buffers while the matrix unit works.
 * The arrays are filled and read by the host, by their symbols. */
#include "xqdma.h"
#include "xqv.h"
#include "xqt.h"
#include "start.h"

#ifndef M
#define M 16
#define N 64
#define K 512
#endif
#define GROUPS (K / 128)
#if K % 256 || N % 32
#error "K must be a multiple of 256 and N of 32"
#endif

struct block { /* 16 rows of weights */
    unsigned char codes[GROUPS][16][64];
    unsigned short scales[GROUPS][16];
};

signed char codes[M][K] __attribute__((aligned(64)));
float row_scales[(M + 15) / 16 * 16] __attribute__((aligned(64)));
struct block weights[N / 16] __attribute__((aligned(64)));
float out[M][N] __attribute__((aligned(64)));

#define BUFFER(n) (SCRATCHPAD + (n) * sizeof(struct block))
#define ROWS_AT BUFFER(2)
#define SCALES_AT (ROWS_AT + 16 * K)
#define OUT_AT(n) (SCALES_AT + 64 + (n) * 1024)

static void shape(long rows, long row_bytes, long dram_stride, long pad_stride)
{
    rv_write_qdrows(rows);
    rv_write_qdrowb(row_bytes);
    rv_write_qddst(dram_stride);
    rv_write_qdsst(pad_stride);
}

#define FETCH(n, index)                                              \
    if ((index) < N / 16) {                                          \
        shape(1, sizeof(struct block), 0, 0);                        \
        rv_qt_dma_ld(n, (unsigned long)&weights[index], BUFFER(n)); \
    }

/* Multiply a buffer's 16 rows of weights and send the block out; two sets of registers take turns. */
#define BLOCK(n, sent, index, first, rows)                                              \
    {                                                                                   \
        unsigned long packed = BUFFER(n), scale = packed + GROUPS * 1024, row = ROWS_AT; \
        rv_qt_bar_wait(n);                                                              \
        rv_qt_zeroa(n);                                                                 \
        for (int group = 0; group < GROUPS; group += 2) {                               \
            rv_qt_lds(0, scale, 2);                                                     \
            rv_qt_ldw(0, packed, 64);                                                   \
            rv_qt_ld(1, row, K);                                                        \
            rv_qt_mma_s(n, 1, 0, 0);                                                    \
            rv_qt_lds(1, scale + 32, 2);                                                \
            rv_qt_ldw(2, packed + 1024, 64);                                            \
            rv_qt_ld(3, row + 128, K);                                                  \
            rv_qt_mma_s(n, 3, 2, 1);                                                    \
            scale += 64;                                                                \
            packed += 2048;                                                             \
            row += 256;                                                                 \
        }                                                                               \
        FETCH(n, (index) + 2)                                                           \
        rv_qt_mulr(n, SCALES_AT);                                                       \
        rv_qt_bar_wait(sent);                                                           \
        rv_qt_sta(n, OUT_AT(n), 64);                                                    \
        shape(rows, 64, sizeof out[0], 64);                                             \
        rv_qt_dma_st(sent, (unsigned long)&out[first][16 * (index)], OUT_AT(n));        \
    }

int kernel(void)
{
    rv_write_qfmt(1 | 15 << 14); /* int4 weights, int8 activations, one scale per tile row of 128 */
    rv_write_qtn(16);
    rv_write_qtk(128);
    for (int first = 0; first < M; first += 16) {
        int rows = M - first < 16 ? M - first : 16;
        rv_write_qtm(rows);
        shape(rows, K, K, K);
        rv_qt_dma_ld(4, (unsigned long)codes[first], ROWS_AT);
        shape(1, 64, 0, 0);
        rv_qt_dma_ld(4, (unsigned long)&row_scales[first], SCALES_AT);
        FETCH(0, 0)
        FETCH(1, 1)
        rv_qt_bar_wait(4);
        for (int index = 0; index < N / 16; index += 2) {
            BLOCK(0, 2, index, first, rows)
            BLOCK(1, 3, index + 1, first, rows)
        }
    }
    rv_qt_bar_wait(2);
    rv_qt_bar_wait(3);
    return 0;
}
