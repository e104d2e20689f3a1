/*-------------------------------------------------------------------------
 *
 * rotation.c
 *		A fixed orthonormal map that spreads a vector over all coordinates.
 *
 *-------------------------------------------------------------------------
 */
#include "quant/rotation.h"

#include <math.h>

#include "nv_random.h"
#include "simd/simd.h"

#define LENGTH_STEP 16

/* Round up to what a rotation takes. */
int
nv_rotation_padded(int dims)
{
	return (dims + LENGTH_STEP - 1) / LENGTH_STEP * LENGTH_STEP;
}

/* The largest power of two that fits into a vector: so much is transformed in a round. */
static int
transform_length(int padded)
{
	int			length = 1;

	while (length * 2 <= padded)
		length *= 2;
	return length;
}

/* Where the transform of a round begins: at the head or at the tail. */
static int
transform_start(int padded, int round)
{
	return round % 2 == 0 ? 0 : padded - transform_length(padded);
}

/* Draw the signs and scale of each round from the seed. */
void
nv_rotation_factors(uint64_t seed, int padded, float *factors)
{
	int			length = transform_length(padded);
	float		norm = 1.0f / sqrtf((float) length);

	for (int round = 0; round < NV_ROTATION_ROUNDS; round++)
	{
		int			start = transform_start(padded, round);

		for (int i = 0; i < padded; i++)
		{
			float		magnitude = i >= start && i < start + length ? norm : 1.0f;

			factors[round * padded + i] = nv_random(&seed) >> 63 ? magnitude : -magnitude;
		}
	}
}

/* Rotate a vector in place. */
void
nv_rotate(const float *factors, int padded, float *x)
{
	int			length = transform_length(padded);

	for (int round = 0; round < NV_ROTATION_ROUNDS; round++)
	{
		for (int i = 0; i < padded; i++)
			x[i] *= factors[round * padded + i];
		nv_kern.hadamard(x + transform_start(padded, round), length);
	}
}
