/* Quicksort (median of three, insertion sort below 16) of random integers: branches that data decides, and few misses.
 *
 * Arguments: integers to sort, times. An iteration is one integer sorted once.
 */
#include "runtime.h"

#define MOST 65536

static i32 values[MOST];

static void insertion_sort(i32 *low, i32 *high) {
  for (i32 *at = low + 1; at <= high; at++) {
    i32 moved = *at, *to = at;
    for (; to > low && to[-1] > moved; to--) *to = to[-1];
    *to = moved;
  }
}

static void quicksort(i32 *low, i32 *high) {
  while (high - low >= 16) {
    i32 a = *low, b = low[(high - low) / 2], c = *high;
    i32 pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    i32 *left = low, *right = high;
    while (left <= right) {
      while (*left < pivot) left++;
      while (*right > pivot) right--;
      if (left <= right) {
        i32 kept = *left;
        *left++ = *right;
        *right-- = kept;
      }
    }
    if (right - low < high - left) {
      quicksort(low, right);
      low = left;
    } else {
      quicksort(left, high);
      high = right;
    }
  }
  insertion_sort(low, high);
}

static void fill(word size) {
  for (word i = 0; i < size; i++) values[i] = (i32)random_word();
}

int main(int count, char **arguments) {
  word size = argument(count, arguments, 1, 4096);
  word times = argument(count, arguments, 2, 4);
  u64 cycles = 0, instructions = 0, checksum = 0;
  if (size > MOST || size < 2) return 1;
  for (word i = 0; i <= times; i++) {
    fill(size);
    start_timer();
    quicksort(values, values + size - 1);
    if (i) { /* the first warms up */
      cycles += read_cycle() - cycles_before;
      instructions += read_instret() - instructions_before;
    }
    for (word j = 1; j < size; j++)
      if (values[j - 1] > values[j]) return 2;
    checksum += (u32)values[size / 2];
  }
  report_counts(cycles, instructions, size * times, checksum);
  return 0;
}
