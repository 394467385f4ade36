#include "start.h"
static u8 flags[20000];
int main(void) {
  int count = 0;
  for (int i = 2; i < 20000; i++) {
    if (flags[i]) continue;
    count++;
    for (int j = i * 2; j < 20000; j += i) flags[j] = 1;
  }
  number(count);
  return count & 127;
}
