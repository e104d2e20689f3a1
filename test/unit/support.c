/*-------------------------------------------------------------------------
 *
 * support.c
 *		What the unit tests of the kernels share.
 *
 *-------------------------------------------------------------------------
 */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CANARY 0xc5

static uint64_t random_state = 1;

bool
quick_mode(void)
{
	return getenv("NANOVEC_TEST_QUICK") != NULL;
}

void
random_seed(uint64_t seed)
{
	random_state = seed;
}

/* A Weyl sequence, mixed by two rounds of multiply and shift. */
uint64_t
random_bits(void)
{
	uint64_t	x = (random_state += 0x9e3779b97f4a7c15u);

	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
	x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
	return x ^ (x >> 32);
}

double
random_uniform(void)
{
	return (double) (random_bits() >> 11) * 0x1p-53;
}

double
random_gaussian(void)
{
	double		radius = sqrt(-2.0 * log(1.0 - random_uniform()));

	return radius * cos(2.0 * acos(-1.0) * random_uniform());
}

int
random_int(int from, int to)
{
	return from + (int) (random_bits() % (uint64_t) (to - from + 1));
}

Region
region_create(size_t at_least)
{
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		size = (at_least + page - 1) / page * page;
	uint8_t    *all = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	Region		r;

	if (all == MAP_FAILED || mprotect(all + page, size, PROT_READ | PROT_WRITE) != 0)
	{
		perror("guarded memory");
		exit(1);
	}
	r.start = all + page;
	r.end = r.start + size;
	region_fill(r);
	return r;
}

void
region_fill(Region r)
{
	memset(r.start, CANARY, (size_t) (r.end - r.start));
}

bool
canaries_intact(Region r, const uint8_t *from, const uint8_t *to)
{
	for (const uint8_t *p = r.start; p < from; p++)
	{
		if (*p != CANARY)
			return false;
	}
	for (const uint8_t *p = to; p < r.end; p++)
	{
		if (*p != CANARY)
			return false;
	}
	return true;
}

double
reference_half_value(uint16_t h)
{
	int			exponent = (h >> 10) & 31;
	int			mantissa = h & 1023;
	double		magnitude;

	if (exponent == 31)
		magnitude = mantissa == 0 ? (double) INFINITY : (double) NAN;
	else if (exponent == 0)
		magnitude = ldexp(mantissa, -24);
	else
		magnitude = ldexp(1024 + mantissa, exponent - 25);
	return copysign(magnitude, h & 0x8000 ? -1.0 : 1.0);
}

/*
 * The bits of non-negative halves are ordered like their values, so the two
 * neighbours of x are found by bisection.  Infinity stands for the 65536 that
 * would follow the largest half.
 */
uint16_t
reference_half(double x)
{
	uint16_t	sign = signbit(x) ? 0x8000 : 0;
	double		magnitude = fabs(x);
	int			below = 0;
	int			above = 0x7c00;
	double		gap_below;
	double		gap_above;

	if (isnan(x))
		return sign | 0x7e00;
	if (magnitude >= 65536.0)
		return sign | 0x7c00;
	while (above - below > 1)
	{
		int			middle = (below + above) / 2;

		if (reference_half_value((uint16_t) middle) <= magnitude)
			below = middle;
		else
			above = middle;
	}
	gap_below = magnitude - reference_half_value((uint16_t) below);
	gap_above = (above == 0x7c00 ? 65536.0 : reference_half_value((uint16_t) above)) - magnitude;
	if (gap_below < gap_above || (gap_below == gap_above && below % 2 == 0))
		return (uint16_t) (sign | below);
	return (uint16_t) (sign | above);
}
