/* What a hosted program sees of its process: arguments, files, memory, time, signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void show(const char *name) {
  char line[100];
  struct stat facts;
  FILE *file = fopen(name, "r");
  if (!file) {
    printf("%s: %s\n", name, strerror(errno));
    return;
  }
  while (fgets(line, sizeof line, file)) printf("> %s", line);
  fseek(file, 2, SEEK_SET);
  printf("third character %c\n", fgetc(file));
  fstat(fileno(file), &facts);
  printf("%ld bytes, regular %d\n", (long)facts.st_size, S_ISREG(facts.st_mode));
  char *mapped = mmap(0, 4096, PROT_READ, MAP_PRIVATE, fileno(file), 0);
  printf("mapped %.4s\n", mapped);
  fclose(file);
}

int main(int argc, char **argv) {
  char line[100];
  for (int i = 1; i < argc; i++) printf("argument %d is %s\n", i, argv[i]);
  while (fgets(line, sizeof line, stdin)) printf("read %s", line);
  int values[100];
  for (int i = 0; i < 100; i++) values[i] = i * 7919 % 101;
  qsort(values, 100, sizeof(int), compare);
  printf("%d %d %d\n", values[0], values[50], values[99]);
  volatile double one = 1, three = 3;
  printf("%.17g %.10f %g\n", sin(1.25), exp(2.5), strtod("1.2345e-3", 0));
  feclearexcept(FE_ALL_EXCEPT);
  volatile double third = one / three;
  printf("flags %x", fetestexcept(FE_ALL_EXCEPT));
  third = one / 0.0;
  printf(" %x\n", fetestexcept(FE_ALL_EXCEPT));
  if (argc > 1) show(argv[1]);
  if (argc > 2) {
    FILE *file = fopen(argv[2], "w");
    if (file) {
      fprintf(file, "written %d\n", 7);
      fclose(file);
    }
    show(argv[2]);
  }
  show("no/such/file");
  char *area = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  area[5] = 7;
  area = mremap(area, 1 << 20, 3 << 20, MREMAP_MAYMOVE);
  printf("%d %d\n", area[5], area[2 << 20]);
  munmap(area, 3 << 20);
  char *heap = malloc(10);
  for (int i = 4; i < 24; i++) {
    heap = realloc(heap, 1 << i);
    heap[(1 << i) - 1] = i;
  }
  printf("%d %d\n", heap[(1 << 22) - 1], heap[31]);
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  nanosleep(&(struct timespec){0, 1000000}, 0);
  clock_gettime(CLOCK_MONOTONIC, &end);
  long passed = (end.tv_sec - start.tv_sec) * 1000000000L + end.tv_nsec - start.tv_nsec;
  printf("slept %d, epoch %d\n", passed >= 1000000, time(0) > 1600000000);
  printf("page %ld, tick %ld, terminal %d, id %d\n", sysconf(_SC_PAGESIZE), sysconf(_SC_CLK_TCK), isatty(1), getpid() > 0);
  errno = 0;
  long where = lseek(1, 0, SEEK_SET);
  printf("seek %ld %s\n", where, strerror(errno));
  fflush(stdout);
  struct iovec parts[2] = {{"ab", 2}, {"cd\n", 3}};
  writev(1, parts, 2);
  fprintf(stderr, "to standard error\n");
  if (argc > 3) abort();
  return argc;
}
