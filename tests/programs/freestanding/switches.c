#include "start.h"
static int step(int op, int a, int b) {
  switch (op) {
    case 0: return a + b; case 1: return a - b; case 2: return a * b; case 3: return b ? a / b : 0;
    case 4: return a ^ b; case 5: return a | b; case 6: return a & b; case 7: return a << (b & 31);
    case 8: return a >> (b & 31); case 9: return a < b; default: return (int)((unsigned)a < (unsigned)b);
  }
}
int main(void) {
  int value = 1; u32 seed = 7;
  for (int i = 0; i < 3000; i++) { seed = seed * 1103515245 + 12345; value += step((seed >> 16) % 11, value, (int)seed >> 3); }
  number(value);
  return value & 31;
}
