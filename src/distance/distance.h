/*-------------------------------------------------------------------------
 *
 * distance.h
 *		Distances as SQL functions show them.
 *
 * A distance is a raw measure of two values, by a kernel of their element type,
 * and then a finishing step.  (What an index measures with, by the metric of its
 * operator class, is NvSpaceMetric in ../am/am_vector.h.)
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DISTANCE_H
#define NV_DISTANCE_H

#include "types/dense.h"
#include "types/sparse.h"

typedef enum NvMeasure
{
	NV_MEASURE_L2SQ,			/* squared Euclidean distance */
	NV_MEASURE_IP,				/* inner product */
	NV_MEASURE_COSINE,			/* cosine of the angle between; NaN for a zero vector */
	NV_MEASURE_L1				/* taxicab distance */
} NvMeasure;

#define NV_NUM_MEASURES (NV_MEASURE_L1 + 1)

typedef enum NvDistanceKind
{
	NV_DISTANCE_L2,				/* <-> */
	NV_DISTANCE_L2_SQUARED,
	NV_DISTANCE_IP,
	NV_DISTANCE_NEGATIVE_IP,	/* <#> */
	NV_DISTANCE_COSINE,			/* <=> */
	NV_DISTANCE_SPHERICAL,		/* angle / pi, of unit vectors */
	NV_DISTANCE_L1				/* <+> */
} NvDistanceKind;

/*
 * Distance of two values of one type and the same dimensions, as SQL shows
 * it.  Computed in float by the type's kernel, or in double precision when
 * float overflows or loses all digits.
 */
extern double nv_dense_distance(const NvDense *a, const NvDense *b, NvDistanceKind kind);

/* A measure of two sparse values of the same dimensions, in double precision. */
extern double nv_sparse_measure(const NvSparse *a, const NvSparse *b, NvMeasure measure);

/* The finishing step alone, for the measure that such a distance is made from. */
extern double nv_finish_distance(double measure, NvDistanceKind kind);

/* Which measure such a distance is made from. */
extern NvMeasure nv_distance_measure(NvDistanceKind kind);

#endif							/* NV_DISTANCE_H */
