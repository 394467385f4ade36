#include "start.h"
int main(void) {
  i64 sum = 0, a = 0x123456789abcdefL, b = -0x7edcba987654321L;
  for (int i = 0; i < 200; i++) {
    i64 h, hu, hs, w;
    asm volatile("mulh %0, %1, %2" : "=r"(h) : "r"(a), "r"(b));
    asm volatile("mulhu %0, %1, %2" : "=r"(hu) : "r"(a), "r"(b));
    asm volatile("mulhsu %0, %1, %2" : "=r"(hs) : "r"(a), "r"(b));
    asm volatile("mulw %0, %1, %2" : "=r"(w) : "r"(a), "r"(b));
    sum = sum * 31 + h + 3 * hu + 5 * hs + 7 * w;
    a = a * 6364136223846793005L + 1442695040888963407L; b ^= a >> 13;
  }
  number(sum);
  return 0;
}
