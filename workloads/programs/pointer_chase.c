/* Loads whose address is the value of the one before: cycles per iteration are the latency from load to use.
 *
 * Arguments: bytes to walk over, bytes from one element to the next, loads to time. All elements form one cycle in
 * random order (Sattolo's algorithm), so that no pattern of addresses helps.
 */
#include "runtime.h"

#ifndef BYTES
#define BYTES (64u << 20)
#endif
#ifndef DEFAULT_SIZE
#define DEFAULT_SIZE (16u << 10)
#endif

#define UNROLLED 64 /* loads per round: its branch is in the figure, too */

static char memory[BYTES] __attribute__((aligned(4096)));

static void *walk(void *at, word loads) {
  void **p = at;
  for (word i = 0; i < loads; i += UNROLLED) {
#define STEP p = (void **)*(void *volatile *)p;
#define FOUR STEP STEP STEP STEP
#define SIXTEEN FOUR FOUR FOUR FOUR
    SIXTEEN SIXTEEN SIXTEEN SIXTEEN
  }
  return p;
}

int main(int count, char **arguments) {
  word size = argument(count, arguments, 1, DEFAULT_SIZE);
  word stride = argument(count, arguments, 2, 64);
  word elements = size / stride;
  if (size > BYTES || stride < sizeof(word) || elements < 2) return 1;
  word loads = argument(count, arguments, 3, elements < 1024 ? 16384 : 4 * elements);
  for (word i = 0; i < elements; i++) *(word *)(memory + i * stride) = i;
  for (word i = elements - 1; i > 0; i--) {
    word *one = (word *)(memory + i * stride);
    word *other = (word *)(memory + (word)((u64)random_word() * i >> 32) * stride);
    word kept = *one;
    *one = *other;
    *other = kept;
  }
  for (word i = 0; i < elements; i++) {
    word *one = (word *)(memory + i * stride);
    *one = (word)(memory + *one * stride);
  }
  void *at = walk(memory, elements < 65536 ? elements : 65536);
  start_timer();
  at = walk(at, loads);
  report((loads + UNROLLED - 1) / UNROLLED * UNROLLED, (word)((char *)at - memory));
  return 0;
}
