/* cli/duration.c: a length of time as runc's callers write it: numbers with units, "1m30s". */
#include "cli/opt.h"

#include "common/str.h"

#include <string.h>

/* Longest first where one is the beginning of another. */
static const struct {
	const char *name;
	uint64_t ns;
} units[] = {{"ns", 1},
	     {"us", 1000},
	     {"\u00b5s", 1000}, /* the micro sign, and the letter mu */
	     {"\u03bcs", 1000},
	     {"ms", 1000000},
	     {"s", 1000000000},
	     {"m", 60 * 1000000000ull},
	     {"h", 3600 * 1000000000ull}};

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits before and behind a point: *ret_whole, and the part as *ret_part / *ret_of. */
static bool number(const char **p, uint64_t *ret_whole, uint64_t *ret_part, uint64_t *ret_of)
{
	const char *s = *p;
	bool any = digit(*s);
	uint64_t whole = 0, part = 0, of = 1;

	for (; digit(*s); s++)
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return false;
	if (*s == '.')
		for (s++; digit(*s); s++) {
			any = true;
			if (of >= 1000000)
				continue; /* less than a nanosecond of what anyone asks */
			part = part * 10 + (uint64_t)(*s - '0');
			of *= 10;
		}
	*p = s;
	*ret_whole = whole;
	*ret_part = part;
	*ret_of = of;
	return any;
}

static uint64_t unit(const char **p)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (str_starts(*p, units[i].name)) {
			*p += strlen(units[i].name);
			return units[i].ns;
		}
	return 0;
}

bool opt_duration(const char *word, uint64_t *ret_ns)
{
	uint64_t sum = 0, whole, part, of;

	if (!*word)
		return false;
	if (str_eq(word, "0")) {
		*ret_ns = 0;
		return true;
	}
	for (const char *p = word; *p;) {
		if (!number(&p, &whole, &part, &of))
			return false;
		uint64_t ns = unit(&p);
		if (!ns || __builtin_mul_overflow(whole, ns, &whole) ||
		    __builtin_add_overflow(sum, whole, &sum) ||
		    __builtin_add_overflow(sum, part * ns / of, &sum))
			return false;
	}
	if (sum > INT64_MAX)
		return false;
	*ret_ns = sum;
	return true;
}
