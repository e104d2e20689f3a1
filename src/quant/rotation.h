/*-------------------------------------------------------------------------
 *
 * rotation.h
 *		A fixed orthonormal map that spreads a vector over all coordinates.
 *
 * Codes of one bit, or of one scale for a whole vector, lose least when every
 * coordinate looks like every other.  The map is three rounds of random sign
 * flips and a Walsh-Hadamard transform (Ailon and Chazelle, "The fast
 * Johnson-Lindenstrauss transform", 2009).  Where the length is no power of
 * two the transform works on the largest one that fits, at the head and at
 * the tail by turns, so that all coordinates mix.
 *
 * Plain arrays, no allocation, no errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_ROTATION_H
#define NV_ROTATION_H

#include <stdint.h>

#define NV_ROTATION_ROUNDS 3

/* Lengths that vectors are padded to with zeros are multiples of this. */
#define NV_ROTATION_STEP 4

/* One that is good for all: a multiple of 16. */
extern int	nv_rotation_padded(int dims);

/*
 * Fill factors[NV_ROTATION_ROUNDS * padded]: what each coordinate is
 * multiplied with before each round, a sign and the norm of the transform.
 * A seed always gives the same rotation; it is part of the index format.
 */
extern void nv_rotation_factors(uint64_t seed, int padded, float *factors);

/* Rotate x[padded] in place. */
extern void nv_rotate(const float *factors, int padded, float *x);

#endif							/* NV_ROTATION_H */
