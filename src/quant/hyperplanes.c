/*-------------------------------------------------------------------------
 *
 * hyperplanes.c
 *		Which side of random hyperplanes through 0 a vector lies on.
 *
 *-------------------------------------------------------------------------
 */
#include "quant/hyperplanes.h"

#include <math.h>

#include "nv_random.h"
#include "simd/simd.h"

/* Half of the bytes' bits, of each byte. */
#define NIBBLES UINT64_C(0x0f0f0f0f0f0f0f0f)

/*
 * The sum of 16 random numbers from 0 to 15, which is nearly normal, has mean
 * NV_PLANE_ZERO and fits a byte.
 */
static inline uint8_t
nearly_normal(uint64_t random)
{
	uint64_t	sums = (random & NIBBLES) + (random >> 4 & NIBBLES);

	return (uint8_t) (sums * UINT64_C(0x0101010101010101) >> 56);
}

/* Make a normal. */
void
nv_make_plane(uint64_t seed, uint32_t number, int dims, uint8_t *codes, NvPlane *plane)
{
	/* seeds that follow one another have no hyperplanes in common */
	uint64_t	state = nv_mix(nv_mix(seed) + number);

	plane->codes = codes;
	plane->sum = 0;
	for (int i = 0; i < dims; i++)
	{
		codes[i] = nearly_normal(nv_random(&state));
		plane->sum += codes[i];
	}
}

/* Round to 16 bits. */
void
nv_make_point(const float *x, int dims, uint8_t *bytes, NvPoint *point)
{
	float		greatest = 0;
	double		factor;

	point->high = bytes;
	point->low = bytes + dims;
	point->sum = 0;
	for (int i = 0; i < dims; i++)
		greatest = fmaxf(greatest, fabsf(x[i]));
	factor = greatest > 0 ? (NV_POINT_ZERO - 1) / (double) greatest : 0;
	for (int i = 0; i < dims; i++)
	{
		uint32_t	code = (uint32_t) (rint(x[i] * factor) + NV_POINT_ZERO);

		bytes[i] = (uint8_t) (code >> 8);
		bytes[dims + i] = (uint8_t) code;
		point->sum += code;
	}
}

/* Compute the inner product from those of the codes. */
int
nv_is_above(const NvPoint *point, const NvPlane *plane, int dims)
{
	int64_t		product = (int64_t) nv_kern.dot_u8(point->high, plane->codes, dims) * 256 +
		nv_kern.dot_u8(point->low, plane->codes, dims);

	product -= (int64_t) NV_PLANE_ZERO * point->sum + (int64_t) NV_POINT_ZERO * plane->sum;
	return product + (int64_t) NV_PLANE_ZERO * NV_POINT_ZERO * dims > 0;
}
