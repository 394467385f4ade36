/* Inference of a tiny transformer with weights from a generator: greedy tokens. */
#include <math.h>
#include <stdio.h>
#include <string.h>
enum { D = 32, HEADS = 4, HD = D / HEADS, FF = 64, LAYERS = 2, VOCAB = 48, CONTEXT = 24 };
static float wq[LAYERS][D][D], wk[LAYERS][D][D], wv[LAYERS][D][D], wo[LAYERS][D][D], w1[LAYERS][FF][D], w2[LAYERS][D][FF];
static float embedding[VOCAB][D], keys[LAYERS][CONTEXT][D], values[LAYERS][CONTEXT][D];
static unsigned seed = 2024;
static float random_weight(void) { seed = seed * 1664525u + 1013904223u; return ((int)(seed >> 9) - (1 << 22)) / (float)(1 << 24); }
static void fill(float *w, int n) { for (int i = 0; i < n; i++) w[i] = random_weight(); }
static void matvec(float *out, const float *w, const float *x, int rows, int columns) {
    for (int i = 0; i < rows; i++) {
        float sum = 0;
        for (int j = 0; j < columns; j++) sum += w[i * columns + j] * x[j];
        out[i] = sum;
    }
}
static void normalize(float *out, const float *x) {
    float sum = 0;
    for (int i = 0; i < D; i++) sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / D + 1e-5f);
    for (int i = 0; i < D; i++) out[i] = x[i] * scale;
}
static int step(int token, int position) {
    float x[D], h[D], q[D], a[D], ff[FF];
    memcpy(x, embedding[token], sizeof x);
    for (int i = 0; i < D; i++) x[i] += 0.1f * sinf(position / powf(10000, (i & ~1) / (float)D) + (i & 1) * 1.5707963f);
    for (int l = 0; l < LAYERS; l++) {
        normalize(h, x);
        matvec(q, &wq[l][0][0], h, D, D);
        matvec(keys[l][position], &wk[l][0][0], h, D, D);
        matvec(values[l][position], &wv[l][0][0], h, D, D);
        for (int head = 0; head < HEADS; head++) {
            float score[CONTEXT], most = -1e30f, total = 0;
            for (int t = 0; t <= position; t++) {
                score[t] = 0;
                for (int i = 0; i < HD; i++) score[t] += q[head * HD + i] * keys[l][t][head * HD + i];
                score[t] /= sqrtf(HD);
                most = fmaxf(most, score[t]);
            }
            for (int t = 0; t <= position; t++) total += score[t] = expf(score[t] - most);
            for (int i = 0; i < HD; i++) {
                float sum = 0;
                for (int t = 0; t <= position; t++) sum += score[t] / total * values[l][t][head * HD + i];
                a[head * HD + i] = sum;
            }
        }
        matvec(h, &wo[l][0][0], a, D, D);
        for (int i = 0; i < D; i++) x[i] += h[i];
        normalize(h, x);
        matvec(ff, &w1[l][0][0], h, FF, D);
        for (int i = 0; i < FF; i++) ff[i] = ff[i] / (1 + expf(-ff[i]));
        matvec(h, &w2[l][0][0], ff, D, FF);
        for (int i = 0; i < D; i++) x[i] += h[i];
    }
    normalize(h, x);
    int best = 0;
    float top = -1e30f;
    for (int v = 0; v < VOCAB; v++) {
        float logit = 0;
        for (int i = 0; i < D; i++) logit += embedding[v][i] * h[i];
        if (v != token && logit > top) { top = logit; best = v; }
    }
    printf("%d(%.5f) ", best, top);
    return best;
}

int main(void) {
    fill(&embedding[0][0], VOCAB * D);
    fill(&wq[0][0][0], LAYERS * D * D);
    fill(&wk[0][0][0], LAYERS * D * D);
    fill(&wv[0][0][0], LAYERS * D * D);
    fill(&wo[0][0][0], LAYERS * D * D);
    fill(&w1[0][0][0], LAYERS * FF * D);
    fill(&w2[0][0][0], LAYERS * D * FF);
    int token = 1;
    for (int position = 0; position < CONTEXT; position++) token = step(token, position);
    printf("\n");
    return token;
}
