/*-------------------------------------------------------------------------
 *
 * decimal.h
 *		Ordinary decimal numbers as floats, faster than strtof().
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DECIMAL_H
#define NV_DECIMAL_H

#include <stdbool.h>

/*
 * Read a number at text as strtof() would in the C locale: the same value to
 * the bit, and *end behind the same character.  False, and nothing set, for
 * what only strtof() can tell: numbers near the middle between two floats, or
 * with large exponents; hexadecimal ones, infinity, NaN; spaces before; text
 * that is no number.  What it returns is finite, and 0 only if that was said.
 */
extern bool nv_read_decimal(const char *text, char **end, float *value);

#endif							/* NV_DECIMAL_H */
