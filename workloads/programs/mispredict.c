/* A branch that depends on data, in two passes of the same instructions: over random bits, and over zeros and ones in
 * turn. Iterations are the branches; the first line is of the random bits, the second of the regular ones. Half of the
 * random ones are mispredicted, so that twice the difference of cycles per branch is the cost of a misprediction.
 *
 * Arguments: branches.
 */
#include "runtime.h"

#define MOST 65536

static u8 bits[MOST];

/* Both sides are as long, and neither can be turned into arithmetic. */
__attribute__((noinline)) static word count(const u8 *at, const u8 *end) {
  word zeros = 0, ones = 0;
  while (at < end) {
    if (*at++)
      __asm__ volatile("addi %0, %0, 1" : "+r"(ones));
    else
      __asm__ volatile("addi %0, %0, 1" : "+r"(zeros));
  }
  return ones + (zeros << 16);
}

int main(int arguments_given, char **arguments) {
  word branches = argument(arguments_given, arguments, 1, 16384);
  if (branches > MOST) return 1;
  for (int regular = 0; regular < 2; regular++) {
    for (word i = 0; i < branches; i++) bits[i] = regular ? i & 1 : random_word() >> 16 & 1;
    count(bits, bits + branches);
    if (!regular) /* other bits than those that a long history has seen */
      for (word i = 0; i < branches; i++) bits[i] = random_word() >> 16 & 1;
    start_timer();
    word sum = count(bits, bits + branches);
    report(branches, sum);
  }
  return 0;
}
