/* Start-up of picolibc programs on Linux system calls: stack and thread pointer, a console, a heap. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static long call(long number, long a, long b, long c) {
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}
static int put(char c, FILE *file) {
    (void)file;
    call(64, 1, (long)&c, 1);
    return c;
}
static FILE console = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdout = &console;
FILE *const stderr = &console;
FILE *const stdin = &console;
static char heap[1 << 20] __attribute__((aligned(16)));
static size_t used;
void *sbrk(ptrdiff_t size) {
    if (size < 0 || used + size > sizeof heap) return (void *)-1;
    used += size;
    return heap + used - size;
}
void _exit(int code) {
    for (;;) call(93, code, 0, 0);
}
int main(int argc, char **argv);
static char thread[256] __attribute__((aligned(16)));
__attribute__((used)) void begin(void) {
    __asm__ volatile("mv tp, %0" : : "r"(thread + 64));
    static char *arguments[] = {"program", NULL};
    exit(main(1, arguments));
}
__asm__(".globl _start\n_start:\n.option push\n.option norelax\n  la gp, __global_pointer$\n.option pop\n  andi sp, sp, -16\n  call begin\n");
