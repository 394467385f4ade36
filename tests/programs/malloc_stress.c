/* malloc, realloc, calloc and free in random order; large blocks come from mmap. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    enum { SLOTS = 64 };
    unsigned char *block[SLOTS] = {0};
    size_t size[SLOTS] = {0};
    unsigned seed = 99, bad = 0;
    unsigned long total = 0;
    for (int round = 0; round < 3000; round++) {
        seed = seed * 1664525u + 1013904223u;
        int slot = (seed >> 16) % SLOTS;
        size_t want = (seed >> 8) % (round % 50 == 0 ? 400000 : 900) + 1;
        for (size_t i = 0; i < size[slot]; i += 97) bad += block[slot][i] != (unsigned char)(slot + i);
        if (seed & 0x80) {
            free(block[slot]);
            block[slot] = NULL;
            size[slot] = 0;
            continue;
        }
        block[slot] = (seed & 0x40) && !block[slot] ? calloc(want, 1) : realloc(block[slot], want);
        if (!block[slot]) return 2;
        for (size_t i = 0; i < want; i += 97) block[slot][i] = (unsigned char)(slot + i);
        size[slot] = want;
        total += want;
    }
    void *aligned = NULL;
    bad += posix_memalign(&aligned, 4096, 10000) != 0 || ((unsigned long)aligned & 4095);
    memset(aligned, 1, 10000);
    free(aligned);
    printf("%lu %u\n", total, bad);
    return bad != 0;
}
