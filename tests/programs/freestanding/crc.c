#include "start.h"
int main(void) {
  u32 table[256];
  for (u32 i = 0; i < 256; i++) { u32 v = i; for (int k = 0; k < 8; k++) v = v & 1 ? 0xEDB88320u ^ (v >> 1) : v >> 1; table[i] = v; }
  u32 crc = ~0u;
  for (u32 i = 0; i < 5000; i++) crc = table[(crc ^ (i * 7)) & 255] ^ (crc >> 8);
  number(~crc);
  return 0;
}
