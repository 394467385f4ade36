/* Freestanding start-up and output for test programs: RISC-V Linux system calls, no library. */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

static long call(long number, long a, long b, long c) {
  register long a0 asm("a0") = a;
  register long a1 asm("a1") = b;
  register long a2 asm("a2") = c;
  register long a7 asm("a7") = number;
  asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static void put(const char *text) {
  long size = 0;
  while (text[size]) size++;
  call(64, 1, (long)text, size);
}

static void number(i64 value) {
  char buffer[24];
  int at = 23;
  u64 rest = value < 0 ? 0 - (u64)value : (u64)value;
  buffer[at] = 0;
  do {
    buffer[--at] = '0' + rest % 10;
    rest /= 10;
  } while (rest);
  if (value < 0) buffer[--at] = '-';
  put(buffer + at);
  put("\n");
}

int main(void);

void *memset(void *to, int value, u64 size) {
  u8 *p = to;
  while (size--) *p++ = value;
  return to;
}

void *memcpy(void *to, const void *from, u64 size) {
  u8 *p = to;
  const u8 *q = from;
  while (size--) *p++ = *q++;
  return to;
}

void begin(void) { call(93, main(), 0, 0); }

asm(".globl _start\n_start:\n.option push\n.option norelax\nla gp, __global_pointer$\n.option pop\nandi sp, sp, -16\ncall begin\n");
