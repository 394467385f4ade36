#include "start.h"
int main(void) {
  number(call(9999, 1, 2, 3));
  number(call(64, 77, (long)"x", 1));
  return 0;
}
