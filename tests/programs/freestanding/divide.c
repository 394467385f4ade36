#include "start.h"
int main(void) {
  volatile i64 values[] = {0, 1, -1, 7, -7, 0x7fffffffffffffffL, -0x7fffffffffffffffL - 1, 1000000007, -123456789};
  i64 sum = 0;
  for (int i = 0; i < 9; i++)
    for (int j = 0; j < 9; j++) {
      i64 a = values[i], b = values[j], q, r, uq, ur; int wq, wr;
      asm volatile("div %0, %1, %2" : "=r"(q) : "r"(a), "r"(b));
      asm volatile("rem %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
      asm volatile("divu %0, %1, %2" : "=r"(uq) : "r"(a), "r"(b));
      asm volatile("remu %0, %1, %2" : "=r"(ur) : "r"(a), "r"(b));
      asm volatile("divw %0, %1, %2" : "=r"(wq) : "r"(a), "r"(b));
      asm volatile("remuw %0, %1, %2" : "=r"(wr) : "r"(a), "r"(b));
      sum = sum * 1000003 + q + 3 * r + 5 * uq + 7 * ur + 11 * wq + 13 * wr;
    }
  number(sum);
  return 0;
}
