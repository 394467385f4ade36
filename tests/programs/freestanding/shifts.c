#include "start.h"
int main(void) {
  i64 sum = 0; u64 v = 0xfedcba9876543210UL;
  for (int i = 0; i < 130; i++) {
    i64 a, b, c, d, e, f;
    asm volatile("sll %0, %1, %2" : "=r"(a) : "r"(v), "r"((i64)i));
    asm volatile("srl %0, %1, %2" : "=r"(b) : "r"(v), "r"((i64)i));
    asm volatile("sra %0, %1, %2" : "=r"(c) : "r"(v), "r"((i64)i));
    asm volatile("sllw %0, %1, %2" : "=r"(d) : "r"(v), "r"((i64)i));
    asm volatile("srlw %0, %1, %2" : "=r"(e) : "r"(v), "r"((i64)i));
    asm volatile("sraw %0, %1, %2" : "=r"(f) : "r"(v), "r"((i64)i));
    sum = sum * 1000003 + (a ^ b) + (c ^ d) + (e ^ f) + ((i64)v < i) + (v < (u64)i);
    v = v * 0x9E3779B97F4A7C15UL + 1;
  }
  number(sum);
  return 0;
}
