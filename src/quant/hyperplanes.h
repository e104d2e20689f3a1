/*-------------------------------------------------------------------------
 *
 * hyperplanes.h
 *		Which side of random hyperplanes through 0 a vector lies on.
 *
 * Of two vectors, the part of all hyperplanes that separate them is the angle between
 * them, divided by pi (Charikar, "Similarity estimation techniques from rounding
 * algorithms", 2002); so the Hamming distance of two such signatures estimates it.
 *
 * A signature must be the same on every machine.  So the normals of the hyperplanes are
 * integers, vectors are rounded to integers of 16 bits first, relative to their greatest
 * element, and inner products are computed exactly.
 *
 * Plain arrays, no allocation, no errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_HYPERPLANES_H
#define NV_HYPERPLANES_H

#include <stdint.h>

/* The normal of a hyperplane has elements codes[i] - NV_PLANE_ZERO. */
#define NV_PLANE_ZERO 120

/* A vector has elements 256 * high[i] + low[i] - NV_POINT_ZERO, times a factor. */
#define NV_POINT_ZERO 32768

typedef struct NvPlane
{
	const uint8_t *codes;
	uint32_t	sum;			/* of the codes */
} NvPlane;

typedef struct NvPoint
{
	const uint8_t *high;
	const uint8_t *low;
	uint32_t	sum;			/* of 256 * high + low */
} NvPoint;

/*
 * Make the normal of a hyperplane, codes[dims], which is determined by a seed and a
 * number.  Its elements are nearly normally distributed, so that no direction has more
 * of them than another.  The plane points to codes.
 */
extern void nv_make_plane(uint64_t seed, uint32_t number, int dims, uint8_t *codes,
						  NvPlane *plane);

/* Round x[dims], finite, to integers, bytes[2 * dims].  The point points to bytes. */
extern void nv_make_point(const float *x, int dims, uint8_t *bytes, NvPoint *point);

/* Whether the inner product of a point with the normal of a hyperplane is greater than 0. */
extern int	nv_is_above(const NvPoint *point, const NvPlane *plane, int dims);

#endif							/* NV_HYPERPLANES_H */
