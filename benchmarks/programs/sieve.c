/* Bytes and branches: a sieve over 1 MiB, 20 times. */
#include "exit.h"
static unsigned char flags[1 << 20];
void _start(void) {
    long count = 0;
    for (int round = 0; round < 20; round++) {
        for (long i = 0; i < 1 << 20; i++) flags[i] = 1;
        count = 0;
        for (long i = 2; i < 1 << 20; i++)
            if (flags[i]) {
                count++;
                for (long j = i + i; j < 1 << 20; j += i) flags[j] = 0;
            }
    }
    leave(count);
}
