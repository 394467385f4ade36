/* Start, output and counters of the benchmark programs, without a library.
 *
 * A Linux process writes and exits by system calls. With BARE, the program runs on the bare machine: it stops and
 * writes through the host-target interface, the words tohost and fromhost.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
typedef unsigned long word;

int main(int count, char **arguments);

#ifdef BARE

volatile u64 tohost __attribute__((aligned(64)));
volatile u64 fromhost __attribute__((aligned(64)));
static volatile u64 request[8] __attribute__((aligned(64)));
static char stack[4096] __attribute__((aligned(16), used));

static void leave(int code) {
  tohost = ((u64)(u32)code << 1) | 1;
  for (;;) {
  }
}

static void print(const char *text, word size) {
  request[0] = 64;
  request[1] = 1;
  request[2] = (word)text;
  request[3] = size;
  fromhost = 0;
  tohost = (word)request;
  while (!fromhost) {
  }
}

__attribute__((used)) static void begin(void) { leave(main(0, 0)); }

__asm__(
    ".globl _start\n"
    "_start:\n"
    ".option push\n"
    ".option norelax\n"
    "  la gp, __global_pointer$\n"
    ".option pop\n"
    "  la sp, stack + 4096\n"
    "  call begin\n");

#else

static long call(long number, long a, long b, long c) {
  register long a0 __asm__("a0") = a;
  register long a1 __asm__("a1") = b;
  register long a2 __asm__("a2") = c;
  register long a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static void print(const char *text, word size) { call(64, 1, (long)text, (long)size); }

/* The stack holds the number of arguments, and then pointers to them. */
__attribute__((used)) static void begin(word *stack) { call(93, main((int)stack[0], (char **)(stack + 1)), 0, 0); }

__asm__(
    ".globl _start\n"
    "_start:\n"
    ".option push\n"
    ".option norelax\n"
    "  la gp, __global_pointer$\n"
    ".option pop\n"
    "  mv a0, sp\n"
    "  andi sp, sp, -16\n"
    "  call begin\n");

#endif

/* Compilers call these by themselves; they must not be made of calls of themselves. Aligned parts go word by word. */
#define LOOPS __attribute__((used, noinline, optimize("no-tree-loop-distribute-patterns")))
typedef word __attribute__((may_alias)) any_word;

LOOPS void *memset(void *to, int value, word size) {
  u8 *p = to;
  while (size--) *p++ = (u8)value;
  return to;
}

LOOPS void *memcpy(void *to, const void *from, word size) {
  u8 *p = to;
  const u8 *q = from;
  if ((((word)p | (word)q) & (sizeof(word) - 1)) == 0)
    for (; size >= sizeof(word); size -= sizeof(word), p += sizeof(word), q += sizeof(word))
      *(any_word *)p = *(const any_word *)q;
  while (size--) *p++ = *q++;
  return to;
}

#if __riscv_xlen == 32
#define COUNTER(name)                                                                                        \
  static u64 read_##name(void) {                                                                             \
    u32 low, high, again;                                                                                    \
    do {                                                                                                     \
      __asm__ volatile("rd" #name "h %0\n rd" #name " %1\n rd" #name "h %2" : "=r"(high), "=r"(low), "=r"(again)); \
    } while (high != again);                                                                                 \
    return (u64)high << 32 | low;                                                                            \
  }
#else
#define COUNTER(name)                               \
  static u64 read_##name(void) {                    \
    u64 value;                                      \
    __asm__ volatile("rd" #name " %0" : "=r"(value) : : "memory"); \
    return value;                                   \
  }
#endif
COUNTER(cycle)
COUNTER(instret)

static char line[256];
static word filled;

static void text(const char *more) {
  while (*more) line[filled++] = *more++;
}

static void field(const char *name, u64 value) {
  char digits[20];
  int many = 0;
  if (filled) text(" ");
  text(name);
  text("=");
  do {
    digits[many++] = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  while (many) line[filled++] = digits[--many];
}

static u64 cycles_before, instructions_before;

static void start_timer(void) {
  instructions_before = read_instret();
  cycles_before = read_cycle();
}

/* Print one line: cycles and instructions, what was done in them, and a value that shows it was done right. */
static void report_counts(u64 cycles, u64 instructions, u64 iterations, u64 checksum) {
  filled = 0;
  field("cycles", cycles);
  field("instructions", instructions);
  field("iterations", iterations);
  field("checksum", checksum);
  text("\n");
  print(line, filled);
}

/* The same, of what ran since start_timer. */
__attribute__((unused)) static void report(u64 iterations, u64 checksum) {
  u64 cycles = read_cycle() - cycles_before;
  u64 instructions = read_instret() - instructions_before;
  report_counts(cycles, instructions, iterations, checksum);
}

/* A decimal argument, or what stands for it where it is missing. */
__attribute__((unused)) static word argument(int count, char **arguments, int which, word otherwise) {
  word value = 0;
  if (which >= count) return otherwise;
  for (const char *p = arguments[which]; *p >= '0' && *p <= '9'; p++) value = 10 * value + (word)(*p - '0');
  return value;
}

/* Pseudo-random words: xorshift, 32 bits. */
static u32 random_state = 2463534242u;

__attribute__((unused)) static u32 random_word(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 17;
  random_state ^= random_state << 5;
  return random_state;
}

#endif
