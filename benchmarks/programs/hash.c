/* Integer: a hash over an array of 16 KiB. */
#include "exit.h"
static unsigned table[4096];
void _start(void) {
    unsigned h = 1;
    for (int round = 0; round < 4100; round++)
        for (int i = 0; i < 4096; i++) {
            h = (h ^ table[i]) * 16777619u;
            h ^= h >> 13;
            table[i] = h;
        }
    leave(h);
}
