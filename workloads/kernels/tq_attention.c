/* Fused decode attention of one KV head over a cache of 3-bit codes (TurboQuant, arXiv 2504.19874: keys and values are
 * rotated, coded by the nearest entry of a codebook, and keep their norm). The cache is what archsim's EncodeVectors
 * writes for the head: codes and float16 norms, token by token. HEADS query heads share it. Per block of 16 tokens:
 * scores from codes and norms, online softmax, probabilities times value norms, times codes of values.
 * Queries are rotated by random signs and a Walsh-Hadamard transform, the result is rotated back.
 * The arrays are filled and read by the host, by their symbols. */
#include "xqdma.h"
#include "xqv.h"
#include "xqt.h"
#include "start.h"

#ifndef HEADS
#define HEADS 4
#define TOKENS 40
#endif
#ifndef DIM
#define DIM 128 /* or 64, or 256 */
#endif
/* assemblers count a comparison that holds as -1 */
#if DIM == 64
#define LOG_DIM 6
#elif DIM == 128
#define LOG_DIM 7
#else
#define LOG_DIM 8
#endif
#define BLOCKS ((TOKENS + 15) / 16)

#define CODE_BYTES (DIM * 3 / 8)

float q[HEADS][DIM] __attribute__((aligned(64)));
unsigned char signs[64] __attribute__((aligned(64)));      /* one bit per dimension */
float levels[16] __attribute__((aligned(64)));             /* 8 of 16 entries count */
float start[2][16] __attribute__((aligned(64)));           /* minus infinity, then zeros */
unsigned char key_codes[TOKENS][CODE_BYTES] __attribute__((aligned(64)));
unsigned char value_codes[TOKENS][CODE_BYTES] __attribute__((aligned(64)));
unsigned short key_norms[TOKENS] __attribute__((aligned(64)));   /* float16 */
unsigned short value_norms[TOKENS] __attribute__((aligned(64)));
float out[HEADS][DIM] __attribute__((aligned(64)));
unsigned int exp_scale_bits; /* float32: log2(e) / sqrt(DIM) */

#define Q_AT SCRATCHPAD
#define O_AT (Q_AT + 16 * 4 * DIM)
#define HALVES_AT (O_AT + 16 * 4 * DIM)
#define P_AT (HALVES_AT + 16 * 2 * DIM)
#define SIGNS_AT (P_AT + 16 * 64)
#define LEVELS_AT (SIGNS_AT + 64)
#define START_AT (LEVELS_AT + 64)
#define SUMS_AT (START_AT + 128)  /* running sums, factors, sums of a block */
#define NORMS_AT (SUMS_AT + 3 * 64)
/* a block: codes of keys, codes of values, norms of both */
#define CACHE_AT(n) (NORMS_AT + 64 + (n) * (2 * 16 * CODE_BYTES + 128))
#define VALUES (16 * CODE_BYTES)
#define KEY_NORMS (2 * 16 * CODE_BYTES)
#define VALUE_NORMS (KEY_NORMS + 64)

/* formats: codes of 3 bits, float16 activations; a scale per row, or two numbers of 16 bits per 32 elements */
#define CODES (11 | 3 << 4 | 15 << 14)
#define STATISTICS (11 | 3 << 4 | 4 << 14)

static void sizes(long rows, long columns, long depth)
{
    rv_write_qtm(rows);
    rv_write_qtn(columns);
    rv_write_qtk(depth);
}

static void shape(long rows, long row_bytes)
{
    rv_write_qdrows(rows);
    rv_write_qdrowb(row_bytes);
    rv_write_qddst(row_bytes);
    rv_write_qdsst(row_bytes);
}

static int tokens_of(int index)
{
    return TOKENS - 16 * index < 16 ? TOKENS - 16 * index : 16;
}

#define FETCH(n, index)                                                                              \
    if ((index) < BLOCKS) {                                                                          \
        shape(1, CODE_BYTES * tokens_of(index));                                                     \
        rv_qt_dma_ld(n, (unsigned long)key_codes[16 * (index)], CACHE_AT(n));                        \
        rv_qt_dma_ld(n, (unsigned long)value_codes[16 * (index)], CACHE_AT(n) + VALUES);             \
        shape(1, 2 * tokens_of(index));                                                              \
        rv_qt_dma_ld(n, (unsigned long)&key_norms[16 * (index)], CACHE_AT(n) + KEY_NORMS);           \
        rv_qt_dma_ld(n, (unsigned long)&value_norms[16 * (index)], CACHE_AT(n) + VALUE_NORMS);       \
    }

/* 64 dimensions of the scores; where there are more than two such steps, queries are brought again and again */
#define SCORE(step, query, tile)                                                                     \
    if (64 * (step) < DIM) {                                                                         \
        if (DIM > 128)                                                                               \
            rv_qt_ld(query, HALVES_AT + 128 * (step), 2 * DIM);                                      \
        rv_qt_ldw(tile, block + 24 * (step), CODE_BYTES);                                            \
        rv_qt_mma_cbs(0, query, tile, 0, 0);                                                         \
    }

/* 4 x 16 dimensions of the values, side by side so that no step waits for the one before; codes lie token by token, the
 * product runs along tokens */
#define BEGIN(n, tile, part)                                                                         \
    rv_qt_lda(n, at + 64 * (part), 4 * DIM);                                                         \
    rv_qt_trw(tile, 6, part);
#define END(n, tile)                                                                                 \
    rv_qt_rescale(n, n, 6);                                                                          \
    rv_qt_mma_cb(n, 4, tile, 0);
#define STORE(n, part) rv_qt_sta(n, at + 64 * (part), 4 * DIM);
#define FOUR(first)                                                                                  \
    BEGIN(0, 2, first)                                                                               \
    BEGIN(1, 3, first + 1)                                                                           \
    BEGIN(2, 5, first + 2)                                                                           \
    BEGIN(3, 7, first + 3)                                                                           \
    END(0, 2)                                                                                        \
    END(1, 3)                                                                                        \
    END(2, 5)                                                                                        \
    END(3, 7)                                                                                        \
    STORE(0, first)                                                                                  \
    STORE(1, first + 1)                                                                              \
    STORE(2, first + 2)                                                                              \
    STORE(3, first + 3)

static void attend(unsigned long block, int tokens)
{
    rv_write_qfmt(CODES);
    sizes(HEADS, tokens, 64);
    rv_qt_lds(0, block + KEY_NORMS, 2);
    rv_qt_zeroa(0);
    SCORE(0, 0, 2)
    SCORE(1, 1, 3)
    SCORE(2, 0, 5)
    SCORE(3, 1, 7)
    rv_write_qtk(DIM < 128 ? DIM : 128);
    rv_qt_ldw(6, block + VALUES, CODE_BYTES);
    /* sc4: maxima so far, sc6: factor that rescales, t4: probabilities, sc7: their sums */
    rv_qt_rmax(5, 0, 4);
    rv_qt_expd(6, 4, 5);
    rv_qt_rmax(4, 0, 4);
    rv_qt_expm(4, 0, 5);
    rv_write_qtk(tokens);
    rv_qt_rsum(7, 4, 1);
    rv_write_qfmt(STATISTICS);
    rv_write_qtk(32);
    rv_qt_sts(6, SUMS_AT + 64, 4);
    rv_qt_sts(7, SUMS_AT + 128, 4);
    rv_write_qfmt(CODES);
    rv_qv_setvl(HEADS);
    rv_qv_mul(SUMS_AT, SUMS_AT, SUMS_AT + 64);
    rv_qv_add(SUMS_AT, SUMS_AT, SUMS_AT + 128);
    /* probabilities times norms */
    rv_qt_mvta(1, 4);
    rv_qt_sta(1, P_AT, 64);
    rv_qv_setvl(tokens);
    rv_qv_h2f(NORMS_AT, block + VALUE_NORMS);
    for (int head = 0; head < HEADS; head++)
        rv_qv_mul(P_AT + 64 * head, P_AT + 64 * head, NORMS_AT);
    rv_qt_lda(1, P_AT, 64);
    rv_qt_mvat(4, 1);
    sizes(HEADS, 16, tokens);
    unsigned long at = O_AT;
    FOUR(0)
    if (DIM > 64) {
        FOUR(4)
    }
    if (DIM > 128) {
        sizes(HEADS, tokens, 128);
        rv_qt_ldw(6, block + VALUES + 48, CODE_BYTES);
        sizes(HEADS, 16, tokens);
        at += 512;
        FOUR(0)
        FOUR(4)
    }
}

int kernel(void)
{
    shape(HEADS, 4 * DIM);
    rv_qt_dma_ld(4, (unsigned long)q, Q_AT);
    shape(1, sizeof signs);
    rv_qt_dma_ld(4, (unsigned long)signs, SIGNS_AT);
    shape(1, sizeof levels);
    rv_qt_dma_ld(4, (unsigned long)levels, LEVELS_AT);
    shape(1, sizeof start);
    rv_qt_dma_ld(4, (unsigned long)start, START_AT);
    FETCH(0, 0)
    FETCH(1, 1)
    rv_qt_bar_wait(4);
    rv_write_qexpscale(exp_scale_bits);
    rv_qv_setvl(16 * 4 * DIM);
    rv_qv_zero(O_AT);
    rv_qv_setvl(64);
    rv_qv_zero(SUMS_AT);
    rv_qt_ldcb(0, LEVELS_AT);
    rv_qv_setvl(DIM);
    for (int head = 0; head < HEADS; head++) {
        rv_qv_flip(Q_AT + 4 * DIM * head, Q_AT + 4 * DIM * head, SIGNS_AT);
        rv_qv_had(Q_AT + 4 * DIM * head, Q_AT + 4 * DIM * head, LOG_DIM);
    }
    rv_qv_setvl(HEADS * DIM);
    rv_qv_f2h(HALVES_AT, Q_AT);
    rv_write_qfmt(STATISTICS);
    sizes(HEADS, HEADS, 64);
    rv_qt_ld(0, HALVES_AT, 2 * DIM);
    if (DIM > 64)
        rv_qt_ld(1, HALVES_AT + 128, 2 * DIM);
    rv_write_qtk(32);
    rv_qt_lds(4, START_AT, 4);
    rv_qt_lds(1, START_AT + 64, 4);
    for (int index = 0; index < BLOCKS; index += 2) {
        rv_qt_bar_wait(0);
        attend(CACHE_AT(0), tokens_of(index));
        FETCH(0, index + 2)
        if (index + 1 == BLOCKS)
            break;
        rv_qt_bar_wait(1);
        attend(CACHE_AT(1), tokens_of(index + 1));
        FETCH(1, index + 3)
    }
    rv_qv_setvl(DIM);
    for (int head = 0; head < HEADS; head++) {
        rv_qv_divs(O_AT + 4 * DIM * head, O_AT + 4 * DIM * head, SUMS_AT + 4 * head);
        rv_qv_had(O_AT + 4 * DIM * head, O_AT + 4 * DIM * head, LOG_DIM);
        rv_qv_flip(O_AT + 4 * DIM * head, O_AT + 4 * DIM * head, SIGNS_AT);
    }
    shape(HEADS, 4 * DIM);
    rv_qt_dma_st(2, (unsigned long)out, O_AT);
    rv_qt_bar_wait(2);
    return 0;
}
