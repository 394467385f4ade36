#include "start.h"
static i64 a[24][24], b[24][24], c[24][24];
int main(void) {
  for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) { a[i][j] = i * 31 - j * 7; b[i][j] = (i ^ j) * 1000003L; }
  for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) for (int k = 0; k < 24; k++) c[i][j] += a[i][k] * b[k][j];
  i64 sum = 0;
  for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) sum = sum * 31 + c[i][j];
  number(sum);
  return (int)(sum & 63);
}
