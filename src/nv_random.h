/*-------------------------------------------------------------------------
 *
 * nv_random.h
 *		Random numbers that are the same on every machine and version.
 *
 * splitmix64 (Steele, Lea and Flood, 2014).  Knows nothing of PostgreSQL, whose
 * own generators differ by version.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_RANDOM_H
#define NV_RANDOM_H

#include <stdint.h>

/* Mix the bits of a number, so that each bit of the result depends on all of them. */
static inline uint64_t
nv_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The next random number; any state to begin with is a seed. */
static inline uint64_t
nv_random(uint64_t *state)
{
	return nv_mix(*state += UINT64_C(0x9e3779b97f4a7c15));
}

#endif							/* NV_RANDOM_H */
