/* A small JSON parser: values, nesting, escapes, and errors with their place. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text, *at;
static int depth, failed;
static double numbers;
static int strings, objects, arrays, literals;

static void blank(void) { while (isspace((unsigned char)*at)) at++; }
static void fail(const char *what) { if (!failed) printf("error at %d: %s\n", (int)(at - text), what); failed = 1; }
static void string(void) {
    at++;
    while (*at && *at != '"') {
        if (*at == '\\') {
            at++;
            if (*at == 'u') for (int i = 0; i < 4; i++) if (!isxdigit((unsigned char)*++at)) { fail("escape"); return; }
        }
        at++;
    }
    if (*at != '"') fail("string"); else at++;
    strings++;
}
static void value(void) {
    blank();
    if (failed || ++depth > 50) { fail("depth"); return; }
    if (*at == '{' || *at == '[') {
        char close = *at == '{' ? '}' : ']';
        int object = *at == '{';
        object ? objects++ : arrays++;
        at++;
        blank();
        while (!failed && *at != close) {
            if (object) {
                if (*at != '"') { fail("key"); break; }
                string();
                blank();
                if (*at++ != ':') { at--; fail("colon"); break; }
            }
            value();
            blank();
            if (*at == ',') { at++; blank(); } else if (*at != close) fail("comma");
        }
        if (!failed) at++;
    } else if (*at == '"') string();
    else if (*at == '-' || isdigit((unsigned char)*at)) { char *end; numbers += strtod(at, &end); at = end; }
    else if (!strncmp(at, "true", 4) || !strncmp(at, "null", 4)) { at += 4; literals++; }
    else if (!strncmp(at, "false", 5)) { at += 5; literals++; }
    else fail("value");
    depth--;
}

int main(void) {
    const char *inputs[] = {
        "{\"name\": \"archsim\", \"sizes\": [1, 2.5, -3e2, 4], \"nested\": {\"a\": [[], {}, [true, false, null]]}, \"u\": \"\\u00e9\\n\"}",
        "[1, 2, 3",
        "{\"a\" 1}",
        "[1, 2, ]",
        "{\"bad\": tru}",
        "\"\\u12g4\"",
        "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
    };
    for (unsigned i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        text = at = inputs[i];
        depth = failed = strings = objects = arrays = literals = 0;
        numbers = 0;
        value();
        blank();
        if (*at && !failed) fail("trailing text");
        printf("%u: %s strings %d objects %d arrays %d literals %d sum %g\n", i, failed ? "bad" : "good", strings, objects, arrays, literals, numbers);
    }
    return 0;
}
