#include "start.h"
static char text[] = "the quick brown fox jumps over the lazy dog";
int main(void) {
  int counts[26]; memset(counts, 0, sizeof counts);
  for (char *p = text; *p; p++) if (*p != 32) counts[*p - 97]++;
  for (int i = 0; i < 26; i++) number(counts[i]);
  for (char *p = text; *p; p++) if (*p >= 97) *p -= 32;
  put(text); put("\n");
  return counts[14];
}
