/* A program of the statement mix that R. P. Weicker published for Dhrystone 2 (SIGPLAN Notices 23(8), 1988): about 100
 * statements per iteration, half of them assignments, a third control, the rest calls, over three levels of procedures;
 * operands are integers, characters, enumerations, records behind pointers, 30-character strings and arrays. The source
 * is our own, so that its figures are Dhrystone-like, not Dhrystone's.
 *
 * An order is taken, priced, booked and shipped; nothing of it is kept from one iteration to the next.
 */
#include "runtime.h"

typedef enum { OPEN, PRICED, BOOKED, SHIPPED, CLOSED } stage;

/* 48 bytes of data behind a pointer and the record's kind */
struct order {
  struct order *next;
  stage kind;
  stage state;
  i32 amount;
  char label[31];
};

static struct order *first, *second;
static struct order orders[2];
static i32 total, pieces, shelf_of_50[50], shelves[50][50];
static int urgent;
static char grade, rank;

/* As libraries do it: a word at a time where both are aligned and hold no zero byte. */
__attribute__((noinline)) static i32 compare_text(const char *a, const char *b) {
  const word ones = (word)0x0101010101010101ull, tops = (word)0x8080808080808080ull;
  if ((((word)a | (word)b) & (sizeof(word) - 1)) == 0)
    while (*(const any_word *)a == *(const any_word *)b) {
      word both = *(const any_word *)a;
      if ((both - ones) & ~both & tops) return 0;
      a += sizeof(word);
      b += sizeof(word);
    }
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return (i32)(u8)*a - (i32)(u8)*b;
}

/* -- third level */

static void sum_with_two(i32 a, i32 b, i32 *sum) {
  i32 part = a + 2;
  *sum = b + part;
}

static stage compare_grades(char one, char other) {
  char left = one, copy = left;
  if (copy != other) return OPEN;
  grade = left;
  return PRICED;
}

static int is_shipped(stage state) {
  stage now = state;
  return now == SHIPPED;
}

/* -- second level */

static void advance(stage from, stage *to) {
  *to = from;
  if (!is_shipped(from)) *to = CLOSED;
  switch (from) {
    case OPEN:
      *to = OPEN;
      break;
    case PRICED:
      *to = total > 100 ? OPEN : CLOSED;
      break;
    case BOOKED:
      *to = PRICED;
      break;
    case SHIPPED:
      break;
    case CLOSED:
      *to = SHIPPED;
      break;
  }
}

static void follow(struct order **to) {
  if (first) *to = first->next;
  sum_with_two(10, total, &first->amount);
}

static int later(const char *one, const char *other) {
  i32 at = 2;
  char found = 0;
  while (at <= 2)
    if (compare_grades(one[at], other[at + 1]) == OPEN) {
      found = 'A';
      at++;
    }
  if (found >= 'W' && found < 'Z') at = 7;
  if (found == 'R') return 1;
  if (compare_text(one, other) > 0) {
    at += 7;
    total = at;
    return 1;
  }
  return 0;
}

/* -- first level */

static void book(struct order *which) {
  struct order *behind = which->next;
  *which->next = *first;
  which->amount = 5;
  behind->amount = which->amount;
  behind->next = which->next;
  follow(&behind->next);
  if (behind->kind == OPEN) {
    behind->amount = 6;
    advance(which->state, &behind->state);
    behind->next = first->next;
    sum_with_two(behind->amount, 10, &behind->amount);
  } else {
    *which = *which->next;
  }
}

static void adjust(i32 *amount) {
  i32 rest = *amount + 10;
  stage state = CLOSED;
  do
    if (grade == 'A') {
      rest--;
      *amount = rest - total;
      state = OPEN;
    }
  while (state != OPEN);
}

static void set_rank(void) {
  int top = grade == 'A';
  urgent = top | urgent;
  rank = 'B';
}

static void set_grade(void) {
  grade = 'A';
  urgent = 0;
}

static void fill_shelves(i32 *shelf, i32 (*all)[50], i32 where, i32 value) {
  i32 at = where + 5;
  shelf[at] = value;
  shelf[at + 1] = shelf[at];
  shelf[at + 30] = at;
  for (i32 i = at; i <= at + 1; i++) all[at][i] = at;
  all[at][at - 1] += 1;
  all[at + 20][at] = shelf[at];
  total = 5;
}

/* -- the program */

static char known[31], given[31];

static u32 iterate(word times) {
  i32 one = 0, two = 0, three = 0;
  stage state = OPEN;
  __builtin_strcpy(known, "A TEXT OF THIRTY CHARACTERS, 1");
  for (word i = 1; i <= times; i++) {
    set_grade();
    set_rank();
    one = 2;
    two = 3;
    __builtin_strcpy(given, "A TEXT OF THIRTY CHARACTERS, 2");
    state = PRICED;
    urgent = !later(known, given);
    while (one < two) {
      three = 5 * one - two;
      sum_with_two(one, two, &three);
      one++;
    }
    fill_shelves(shelf_of_50, shelves, one, three);
    book(first);
    for (char at = 'A'; at <= rank; at++)
      if (state == compare_grades(at, 'C')) {
        advance(OPEN, &state);
        __builtin_strcpy(given, "A TEXT OF THIRTY CHARACTERS, 3");
        two = (i32)i;
        pieces = (i32)i;
      }
    two = two * one;
    one = two / three;
    two = 7 * (two - three) - one;
    adjust(&one);
  }
  return (u32)(total + 10 * (urgent + 2 * (grade + rank) + 3 * shelves[8][7]) + one + two * 3 + three * 5 +
               first->amount + second->amount + (i32)state + (i32)second->state + given[29]);
}

int main(int count, char **arguments) {
  word iterations = argument(count, arguments, 1, 500);
  first = &orders[0];
  second = &orders[1];
  first->next = second;
  first->kind = OPEN;
  first->state = BOOKED;
  first->amount = 40;
  __builtin_strcpy(first->label, "A LABEL OF THIRTY CHARACTERS..");
  iterate(50); /* caches and predictors are warm, as in a run of seconds */
  shelves[8][7] = 10;
  start_timer();
  u32 checksum = iterate(iterations);
  report(iterations, checksum);
  return 0;
}
