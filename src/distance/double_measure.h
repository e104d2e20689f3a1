/*-------------------------------------------------------------------------
 *
 * double_measure.h
 *		The measures of distance.h in double precision.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DOUBLE_MEASURE_H
#define NV_DOUBLE_MEASURE_H

#include <float.h>
#include <math.h>

#include "distance/distance.h"

/* Measure x[n] and y[n].  A cosine is NaN when all elements of one of them are 0. */
extern double nv_measure_float4(const float *x, const float *y, int n, NvMeasure measure);
extern double nv_measure_float8(const double *x, const double *y, int n, NvMeasure measure);

/*
 * The cosine that the sums of a cosine make; NaN when xx or yy is 0.  One root
 * of the product gives exactly 1 for equal vectors, which two roots would not;
 * they are for products that overflow or vanish.
 */
static inline double
nv_cosine_of_sums(double xy, double xx, double yy)
{
	double		product = xx * yy;

	if (likely(product >= DBL_MIN && product <= DBL_MAX))
		return xy / sqrt(product);
	return xy / sqrt(xx) / sqrt(yy);
}

#endif							/* NV_DOUBLE_MEASURE_H */
