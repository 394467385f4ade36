/* qsort and bsearch through function pointers, on integers, strings and structures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item { int key; char name[12]; double weight; };
static int by_int(const void *a, const void *b) { int x = *(const int *)a, y = *(const int *)b; return (x > y) - (x < y); }
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static int by_weight(const void *a, const void *b) {
    double x = ((const struct item *)a)->weight, y = ((const struct item *)b)->weight;
    return (x > y) - (x < y);
}

int main(void) {
    enum { N = 2000 };
    int *values = malloc(N * sizeof *values);
    unsigned seed = 12345;
    for (int i = 0; i < N; i++) values[i] = (int)((seed = seed * 1103515245u + 12345u) >> 8) % 10007;
    qsort(values, N, sizeof *values, by_int);
    int ordered = 1, found = 0;
    for (int i = 1; i < N; i++) ordered &= values[i - 1] <= values[i];
    for (int key = 0; key < 10007; key++) found += bsearch(&key, values, N, sizeof *values, by_int) != NULL;
    printf("%d %d %d %d\n", ordered, found, values[0], values[N - 1]);
    const char *words[] = {"pear", "apple", "fig", "cherry", "banana", "date"};
    qsort(words, 6, sizeof *words, by_text);
    for (int i = 0; i < 6; i++) printf("%s ", words[i]);
    struct item items[50];
    for (int i = 0; i < 50; i++) {
        items[i].key = i;
        snprintf(items[i].name, sizeof items[i].name, "n%d", i);
        items[i].weight = (i * 37 % 50) / 7.0;
    }
    qsort(items, 50, sizeof *items, by_weight);
    for (int i = 0; i < 50; i += 7) printf("%d/%s/%.2f ", items[i].key, items[i].name, items[i].weight);
    printf("\n");
    free(values);
    return !ordered;
}
