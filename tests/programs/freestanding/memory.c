#include "start.h"
static u8 bytes[64];
int main(void) {
  i64 sum = 0;
  for (int i = 0; i < 64; i++) bytes[i] = i * 37 + 200;
  for (int i = 0; i < 56; i++) {
    sum = sum * 31 + *(signed char *)(bytes + i) + *(u8 *)(bytes + i);
    if (!(i & 1)) sum = sum * 31 + *(short *)(bytes + i) + *(unsigned short *)(bytes + i);
    if (!(i & 3)) sum = sum * 31 + *(int *)(bytes + i) + *(u32 *)(bytes + i);
    if (!(i & 7)) { sum = sum * 31 + *(i64 *)(bytes + i); *(u32 *)(bytes + i) = (u32)sum; }
  }
  number(sum);
  return 3;
}
