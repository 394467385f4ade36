/* A program of the same algorithms, data sizes and mix as EEMBC describes for CoreMark; the source is our own, so that
 * its figures are CoreMark-like, not CoreMark's.
 *
 * 2000 bytes of data are three parts of 666 bytes: a linked list, two square int16 matrices, and a text of numbers.
 * An iteration goes over the list twice. Each time it looks for 102 entries, reversing the list after each search and
 * moving what it found to the front; sorts it by value or not at all, takes the CRC of what follows an entry, and sorts
 * it by index. The value of half of the entries has to be worked out, once per iteration, by a run of the state
 * machine, by a run of the matrix operations, or not at all, as three bits of it say.
 */
#include "runtime.h"

#define PART 666
#define SEARCHES 102
#define ENTRIES (PART / 20 - 2)

/* -- cyclic redundancy check, a bit at a time: x^16 + x^15 + x^2 + 1, reflected */

static u16 crc_byte(u8 value, u16 crc) {
  for (int bit = 0; bit < 8; bit++) {
    u8 differs = (u8)((value ^ crc) & 1);
    value >>= 1;
    crc >>= 1;
    if (differs) crc ^= 0xa001;
  }
  return crc;
}

static u16 crc_half(u16 value, u16 crc) { return crc_byte((u8)(value >> 8), crc_byte((u8)value, crc)); }

static u16 crc_word(u32 value, u16 crc) { return crc_half((u16)(value >> 16), crc_half((u16)value, crc)); }

/* -- state machine: what kind of number is it? */

enum { BEGIN, SIGN, INTEGER, FRACTION, POINT, EXPONENT, POWER, BAD, STATES };

static char numbers[PART + 2];

static const char *const integers[4] = {"7043", "2219", "-581", "+306"};
static const char *const fractions[4] = {"48.27100", ".7708900", "-931.500", "+0.18300"};
static const char *const powers[4] = {"2.700e+5", "-.641e-3", "-46e+717", "+0.3e-21"};
static const char *const errors[4] = {"R0.8e-1Q", "-R.R++Rk", "6R2.7e5y", "58.0e-R^"};

static void fill_numbers(u32 seed) {
  char *at = numbers, *end = numbers + PART - 1;
  for (;;) {
    u32 kind = ++seed & 7, which = seed >> 3 & 3;
    const char *from = kind < 3 ? integers[which] : kind < 5 ? fractions[which] : kind < 7 ? powers[which] : errors[which];
    word size = kind < 3 ? 4 : 8;
    if (at + size + 1 >= end) break;
    for (word i = 0; i < size; i++) *at++ = from[i];
    *at++ = ',';
  }
  while (at < numbers + PART + 2) *at++ = 0;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

/* Read one number up to a comma or what cannot be in it; count how often each state was left. */
static int scan(const char **from, u32 *left) {
  const char *at = *from;
  int state = BEGIN;
  while (*at && state != BAD) {
    char c = *at++;
    int before = state;
    if (c == ',') break;
    switch (state) {
      case BEGIN:
        state = is_digit(c) ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FRACTION : BAD;
        break;
      case SIGN:
        state = is_digit(c) ? INTEGER : c == '.' ? FRACTION : BAD;
        break;
      case INTEGER:
        if (c == '.')
          state = FRACTION;
        else if (!is_digit(c))
          state = BAD;
        break;
      case FRACTION:
        if (c == 'e' || c == 'E')
          state = POINT;
        else if (!is_digit(c))
          state = BAD;
        break;
      case POINT:
        state = c == '+' || c == '-' ? EXPONENT : BAD;
        break;
      case EXPONENT:
        state = is_digit(c) ? POWER : BAD;
        break;
      case POWER:
        if (!is_digit(c)) state = BAD;
        break;
    }
    if (state != before) left[before]++;
  }
  *from = at;
  return state;
}

static void scan_all(u32 *ended, u32 *left) {
  const char *at = numbers;
  while (*at) ended[scan(&at, left)]++;
}

static void disturb(u8 pattern, word step) {
  for (char *at = numbers; at < numbers + PART; at += step)
    if (*at != ',') *at ^= (char)pattern;
}

static u16 run_states(u8 first, u8 second, word step, u16 crc) {
  u32 ended[STATES] = {0}, left[STATES] = {0};
  scan_all(ended, left);
  disturb(first, step);
  scan_all(ended, left);
  disturb(second, step);
  for (int i = 0; i < STATES; i++) crc = crc_word(left[i], crc_word(ended[i], crc));
  return crc;
}

/* -- matrices: int16 factors, int32 results */

#define WIDEST 9 /* the largest n with 8 n^2 bytes in a part */

static i16 left_matrix[WIDEST * WIDEST], right_matrix[WIDEST * WIDEST];
static i32 product[WIDEST * WIDEST];
static word width;

static void fill_matrices(u32 seed) {
  u32 order = 1;
  width = 0;
  while ((width + 1) * (width + 1) * 8 < PART) width++;
  for (word i = 0; i < width * width; i++, order++) {
    seed = order * (seed ? seed : 1) % 65536;
    right_matrix[i] = (i16)(seed + order);
    left_matrix[i] = (i16)((seed + 2 * order) & 0xff);
  }
}

static void add_constant(word n, i16 *a, i16 value) {
  for (word i = 0; i < n; i++)
    for (word j = 0; j < n; j++) a[i * n + j] += value;
}

static void multiply_constant(word n, i32 *c, const i16 *a, i16 value) {
  for (word i = 0; i < n; i++)
    for (word j = 0; j < n; j++) c[i * n + j] = (i32)a[i * n + j] * value;
}

static void multiply_vector(word n, i32 *c, const i16 *a, const i16 *b) {
  for (word i = 0; i < n; i++) {
    c[i] = 0;
    for (word j = 0; j < n; j++) c[i] += (i32)a[i * n + j] * b[j];
  }
}

static void multiply_matrix(word n, i32 *c, const i16 *a, const i16 *b) {
  for (word i = 0; i < n; i++)
    for (word j = 0; j < n; j++) {
      c[i * n + j] = 0;
      for (word k = 0; k < n; k++) c[i * n + j] += (i32)a[i * n + k] * b[k * n + j];
    }
}

/* As before, but of each product four bits and seven others are multiplied and added. */
static void multiply_bits(word n, i32 *c, const i16 *a, const i16 *b) {
  for (word i = 0; i < n; i++)
    for (word j = 0; j < n; j++) {
      c[i * n + j] = 0;
      for (word k = 0; k < n; k++) {
        i32 once = (i32)a[i * n + k] * b[k * n + j];
        c[i * n + j] += (once >> 2 & 0xf) * (once >> 5 & 0x7f);
      }
    }
}

/* Points for each entry larger than the one before; ten and a new start where the sum passes a limit. */
static i16 digest(word n, const i32 *c, i16 limit) {
  i32 sum = 0, before = 0;
  i16 points = 0;
  for (word i = 0; i < n; i++)
    for (word j = 0; j < n; j++) {
      i32 now = c[i * n + j];
      sum += now;
      if (sum > limit) {
        points += 10;
        sum = 0;
      } else {
        points += now > before;
      }
      before = now;
    }
  return points;
}

static u16 run_matrices(word n, i32 *c, i16 *a, i16 *b, i16 value, u16 crc) {
  i16 limit = (i16)(0xf000 | value);
  u16 own = 0;
  add_constant(n, a, value);
  multiply_constant(n, c, a, value);
  own = crc_half((u16)digest(n, c, limit), own);
  multiply_vector(n, c, a, b);
  own = crc_half((u16)digest(n, c, limit), own);
  multiply_matrix(n, c, a, b);
  own = crc_half((u16)digest(n, c, limit), own);
  multiply_bits(n, c, a, b);
  own = crc_half((u16)digest(n, c, limit), own);
  add_constant(n, a, (i16)-value);
  return crc_half(own, crc);
}

/* -- linked list */

struct value {
  i16 data, index;
};
struct entry {
  struct entry *next;
  struct value *value;
};

static struct entry entries[ENTRIES + 2];
static struct value values[ENTRIES + 2];
static u16 running_crc;

/* A value that is worked out when it is first asked for: bit 7 says that it was. */
static i16 worked_out(i16 *data) {
  i16 now = *data, result;
  if (now & 0x80) return now & 0x7f;
  i16 wide = now >> 3 & 0xf;
  wide |= (i16)(wide << 4);
  switch (now & 7) {
    case 0:
      result = (i16)run_states(0, 0, wide < 0x22 ? 0x22 : (word)wide, running_crc);
      break;
    case 1:
      result = (i16)run_matrices(width, product, left_matrix, right_matrix, wide, running_crc);
      break;
    default:
      result = now;
  }
  running_crc = crc_half((u16)result, running_crc);
  result &= 0x7f;
  *data = (i16)((now & 0xff00) | 0x80 | result);
  return result;
}

static i32 by_value(struct value *a, struct value *b) { return worked_out(&a->data) - worked_out(&b->data); }

/* Also forgets what was worked out: the upper byte holds the value's beginning. */
static i32 by_index(struct value *a, struct value *b) {
  a->data = (i16)((a->data & 0xff00) | (a->data >> 8 & 0xff));
  b->data = (i16)((b->data & 0xff00) | (b->data >> 8 & 0xff));
  return a->index - b->index;
}

static struct entry *find(struct entry *at, const struct value *wanted) {
  if (wanted->index >= 0)
    while (at && at->value->index != wanted->index) at = at->next;
  else
    while (at && (at->value->data & 0xff) != wanted->data) at = at->next;
  return at;
}

static struct entry *reverse(struct entry *at) {
  struct entry *done = 0;
  while (at) {
    struct entry *rest = at->next;
    at->next = done;
    done = at;
    at = rest;
  }
  return done;
}

/* Merge runs of 1, 2, 4, ... entries until one run is left. */
static struct entry *sort(struct entry *list, i32 (*compare)(struct value *, struct value *)) {
  for (word run = 1;; run *= 2) {
    struct entry *left = list, **end = &list;
    word merges = 0;
    while (left) {
      struct entry *right = left;
      word lefts = 0, rights = run;
      while (right && lefts < run) {
        right = right->next;
        lefts++;
      }
      while (lefts || (rights && right)) {
        struct entry *least;
        if (lefts && (!rights || !right || compare(left->value, right->value) <= 0)) {
          least = left;
          left = left->next;
          lefts--;
        } else {
          least = right;
          right = right->next;
          rights--;
        }
        *end = least;
        end = &least->next;
      }
      left = right;
      merges++;
    }
    *end = 0;
    if (merges <= 1) return list;
  }
}

/* Take out the entry behind one: the two exchange their values. */
static struct entry *take_next(struct entry *at) {
  struct entry *out = at->next;
  struct value *own = at->value;
  at->value = out->value;
  out->value = own;
  at->next = out->next;
  out->next = 0;
  return out;
}

static void put_back(struct entry *out, struct entry *at) {
  struct value *own = out->value;
  out->value = at->value;
  at->value = own;
  out->next = at->next;
  at->next = out;
}

static struct entry *fill_list(u32 seed) {
  struct entry *list = &entries[0], *last = &entries[1];
  values[0] = (struct value){(i16)0x8080, 0};
  values[1] = (struct value){(i16)0xffff, 0x7fff};
  *list = (struct entry){last, &values[0]};
  *last = (struct entry){0, &values[1]};
  for (u32 i = 0; i < ENTRIES; i++) {
    u32 low = ((seed ^ i) & 0xf) << 3 | (i & 7);
    values[i + 2] = (struct value){(i16)(low << 8 | low), 0x7fff};
    entries[i + 2] = (struct entry){list->next, &values[i + 2]};
    list->next = &entries[i + 2];
  }
  u32 place = 1;
  for (struct entry *at = list->next; at->next; at = at->next, place++)
    at->value->index = (i16)(place < ENTRIES / 5 ? place : (0x3fff & ((place & 7) << 8 | (place ^ seed))));
  return sort(list, by_index);
}

static u16 list_crc(struct entry *at, u16 crc) {
  for (; at; at = at->next) crc = crc_half((u16)at->value->data, crc);
  return crc;
}

static u16 run_list(struct entry *list, i16 index) {
  struct value wanted = {0, index};
  u16 crc = 0, found = 0, missed = 0;
  for (i16 i = 0; i < SEARCHES; i++) {
    wanted.data = i & 0xff;
    struct entry *at = find(list, &wanted);
    list = reverse(list);
    if (!at) {
      missed++;
      crc += list->next->value->data >> 8 & 1;
    } else {
      found++;
      if (at->value->data & 1) crc += at->value->data >> 9 & 1;
      struct entry *moved = at->next;
      if (moved) {
        at->next = moved->next;
        moved->next = list->next;
        list->next = moved;
      }
    }
    if (wanted.index >= 0) wanted.index++;
  }
  crc += (u16)(4 * found - missed);
  if (index > 0) list = sort(list, by_value);
  struct entry *out = take_next(list->next);
  struct entry *from = find(list, &wanted);
  crc = list_crc(from ? from : list->next, crc);
  put_back(out, list->next);
  list = sort(list, by_index);
  return list_crc(list->next, crc);
}

static void iterate(struct entry *list, word times) {
  for (word i = 0; i < times; i++) {
    running_crc = crc_half(run_list(list, 1), running_crc);
    running_crc = crc_half(run_list(list, -1), running_crc);
  }
}

int main(int count, char **arguments) {
  word iterations = argument(count, arguments, 1, 10);
  fill_numbers(0);
  fill_matrices(0);
  struct entry *list = fill_list(0);
  iterate(list, 1); /* caches and predictors are warm, as in a run of seconds */
  running_crc = 0;
  start_timer();
  iterate(list, iterations);
  report(iterations, running_crc);
  return 0;
}
