/* setjmp and longjmp out of nested calls, with registers and volatile locals kept. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf top;
static int depth_reached;
static double deep(int depth, double x) {
    if (depth == 0) longjmp(top, depth_reached + 1);
    depth_reached++;
    return deep(depth - 1, x * 1.5) + x;
}
static void at_end(void) { printf("at exit\n"); }

int main(void) {
    volatile int tries = 0;
    volatile double sum = 0.25;
    atexit(at_end);
    int code = setjmp(top);
    printf("code %d tries %d sum %g depth %d\n", code, tries, sum, depth_reached);
    if (tries < 3) {
        tries++;
        sum += 1.5;
        deep(tries * 10, 1.0);
    }
    exit(code & 127);
}
