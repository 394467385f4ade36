#include "start.h"
static int data[500];
static void quick(int *a, int low, int high) {
  if (low >= high) return;
  int pivot = a[(low + high) / 2], i = low, j = high;
  while (i <= j) {
    while (a[i] < pivot) i++;
    while (a[j] > pivot) j--;
    if (i <= j) { int t = a[i]; a[i++] = a[j]; a[j--] = t; }
  }
  quick(a, low, j);
  quick(a, i, high);
}
int main(void) {
  u32 seed = 12345;
  for (int i = 0; i < 500; i++) { seed = seed * 1664525 + 1013904223; data[i] = (int)seed >> 8; }
  quick(data, 0, 499);
  for (int i = 1; i < 500; i++) if (data[i - 1] > data[i]) return 1;
  number(data[0]); number(data[250]); number(data[499]);
  return 0;
}
