/* Start and end of a kernel without a library: _start sets the stack, calls kernel() and exits with its result. */
#ifndef START_H
#define START_H

#define SCRATCHPAD 0x10000000000UL /* where archsim puts the scratchpad */

int kernel(void);

static char stack_[4096] __attribute__((aligned(16), used));

__asm__(
    ".globl _start\n"
    "_start:\n"
    ".option push\n"
    ".option norelax\n"
    "  la gp, __global_pointer$\n"
    ".option pop\n"
    "  la sp, stack_end_\n"
    "  call kernel\n"
    "  li a7, 93\n"
    "  ecall\n");
__asm__(".set stack_end_, stack_ + 4096\n");

#endif
