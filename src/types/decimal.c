/*-------------------------------------------------------------------------
 *
 * decimal.c
 *		Ordinary decimal numbers as floats, faster than strtof().
 *
 * A number is w * 10^e.  When w is below 2^53 and |e| at most 22, both w and
 * 10^|e| are exact in double precision, and their product or quotient x' is
 * the exact x rounded once (Clinger, "How to Read Floating Point Numbers
 * Accurately", PLDI 1990).  Rounding x' again, to a float, gives what rounding
 * x itself gives unless x' is the very middle between two floats: rounding
 * keeps order, so x' is on the same side of every middle as x, or on it.  All
 * such x are between 1e-22 and 1e38, where floats have all their digits.
 *
 * Of more digits than 2^53 has, only the first are kept, and x is between
 * w * 10^e and (w + 1) * 10^e.  Where both give the same float, so does x.
 *
 * This file knows nothing of PostgreSQL, so that test/unit can do without.
 *
 *-------------------------------------------------------------------------
 */
#include "types/decimal.h"

#include <stdint.h>
#include <string.h>

/* While w is no more than this, w + 1 is within 2^53 after another digit, too. */
#define MOST_BEFORE_DIGIT ((((uint64_t) 1 << 53) - 10) / 10)

#define MOST_EXPONENT 22

/* Digits of an exponent that are read.  One with more is of use only beside as many zeros. */
#define MOST_WRITTEN 9999

static const double power_of_ten[MOST_EXPONENT + 1] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

/* Whether a character is a decimal digit, in any locale. */
static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number as it was read: w * 10^exponent, or a little more where digits were cut off. */
typedef struct Decimal
{
	uint64_t	w;
	long		exponent;
	bool		cut;
} Decimal;

/* Read digits with at most one point among them.  Returns NULL if there are none. */
static inline const char *
read_digits(const char *p, Decimal *d)
{
	const char *start = p;
	long		n;

	for (; is_digit(*p); p++)
	{
		if (d->w <= MOST_BEFORE_DIGIT)
			d->w = 10 * d->w + (uint64_t) (*p - '0');
		else
		{
			d->cut = true;
			d->exponent++;
		}
	}
	n = p - start;
	if (*p == '.')
	{
		start = ++p;
		for (; is_digit(*p) && d->w <= MOST_BEFORE_DIGIT; p++)
			d->w = 10 * d->w + (uint64_t) (*p - '0');
		d->exponent -= p - start;
		for (; is_digit(*p); p++)
			d->cut = true;
		n += p - start;
	}
	return n > 0 ? p : NULL;
}

/* Read an exponent, if one follows.  Returns NULL if it is too large. */
static inline const char *
read_exponent(const char *p, Decimal *d)
{
	const char *digit = p + 1;
	bool		negative;
	long		exponent = 0;

	if (*p != 'e' && *p != 'E')
		return p;
	negative = *digit == '-';
	if (*digit == '-' || *digit == '+')
		digit++;
	if (!is_digit(*digit))
		return p;
	for (; is_digit(*digit); digit++)
	{
		exponent = 10 * exponent + (*digit - '0');
		if (exponent > MOST_WRITTEN)
			return NULL;
	}
	d->exponent += negative ? -exponent : exponent;
	return digit;
}

/* Compute w * 10^exponent.  Returns false where rounding twice may differ from rounding once. */
static inline bool
scale(uint64_t w, long exponent, float *value)
{
	double		x = (double) (int64_t) w;
	uint64_t	bits;

	if (exponent < 0)
		x /= power_of_ten[-exponent];
	else
		x *= power_of_ten[exponent];
	*value = (float) x;
	/* these bits of a double are those that a float has no room for */
	memcpy(&bits, &x, sizeof(bits));
	return (bits & 0x1fffffff) != 0x10000000;
}

/* Read a number in the easy way, or refuse it. */
bool
nv_read_decimal(const char *text, char **end, float *value)
{
	bool		negative = *text == '-';
	const char *p = text + (negative || *text == '+');
	Decimal		d = {0};
	float		x,
				above;

	p = read_digits(p, &d);
	if (p == NULL || *p == 'x' || *p == 'X')
		return false;
	p = read_exponent(p, &d);
	if (p == NULL)
		return false;
	if (d.w == 0)
		x = 0;
	else if (d.exponent < -MOST_EXPONENT || d.exponent > MOST_EXPONENT ||
			 !scale(d.w, d.exponent, &x) ||
			 (d.cut && !(scale(d.w + 1, d.exponent, &above) && above == x)))
		return false;
	*value = negative ? -x : x;
	*end = (char *) p;
	return true;
}
