/*-------------------------------------------------------------------------
 *
 * distance.h
 *		The metric table: which kernel measures what, and what follows.
 *
 * A distance is a raw measure of two values, by a kernel of their element
 * type, and a finishing step that belongs to the metric.
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

typedef enum NvMetric
{
	NV_METRIC_L2,				/* <-> */
	NV_METRIC_L2_SQUARED,
	NV_METRIC_IP,
	NV_METRIC_NEGATIVE_IP,		/* <#> */
	NV_METRIC_COSINE,			/* <=> */
	NV_METRIC_SPHERICAL,		/* angle / pi, of unit vectors */
	NV_METRIC_L1				/* <+> */
} NvMetric;

/*
 * Distance of two values of one type and the same dimensions, as SQL shows
 * it.  Computed in float by the type's kernel, or in double precision when
 * float overflows or loses all digits.
 */
extern double nv_dense_distance(const NvDense *a, const NvDense *b, NvMetric metric);

/* A measure of two sparse values of the same dimensions, in double precision. */
extern double nv_sparse_measure(const NvSparse *a, const NvSparse *b, NvMeasure measure);

/* The finishing step alone, for a measure that the metric is made from. */
extern double nv_finish_distance(double measure, NvMetric metric);

/* Which measure the metric is made from. */
extern NvMeasure nv_metric_measure(NvMetric metric);

#endif							/* NV_DISTANCE_H */
