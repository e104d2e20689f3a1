/*-------------------------------------------------------------------------
 *
 * support.h
 *		What the unit tests of the kernels share: random numbers, memory
 *		between guard pages, and plain reference conversions of halves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Fewer inputs, for slow machines (emulators, valgrind): NANOVEC_TEST_QUICK is set. */
extern bool quick_mode(void);

/* A deterministic stream of random numbers. */
extern void random_seed(uint64_t seed);
extern uint64_t random_bits(void);
extern double random_uniform(void); /* 0 <= x < 1 */
extern double random_gaussian(void);
extern int	random_int(int from, int to);	/* both included */

/*
 * Memory whose neighbours on both sides cannot be touched.  It is filled
 * with a byte that canaries_intact() looks for again.
 */
typedef struct Region
{
	uint8_t    *start;
	uint8_t    *end;
} Region;

extern Region region_create(size_t at_least);
extern void region_fill(Region r);

/* Is everything but the bytes from 'from' up to 'to' still as region_fill() left it? */
extern bool canaries_intact(Region r, const uint8_t *from, const uint8_t *to);

/* Correctly rounded conversions, the slow way: by definition and by search. */
extern double reference_half_value(uint16_t h);
extern uint16_t reference_half(double x);

#endif							/* SUPPORT_H */
