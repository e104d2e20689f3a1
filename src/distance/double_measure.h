/*-------------------------------------------------------------------------
 *
 * double_measure.h
 *		The measures of distance.h in double precision.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DOUBLE_MEASURE_H
#define NV_DOUBLE_MEASURE_H

#include <math.h>

#include "distance/distance.h"

/* Of x[n] and y[n]; a cosine is NaN when one of them is all 0. */
extern double nv_measure_float4(const float *x, const float *y, int n, NvMeasure measure);
extern double nv_measure_float8(const double *x, const double *y, int n, NvMeasure measure);

/*
 * The cosine that the sums of a cosine make; NaN when xx or yy is 0.  One root
 * of the product gives exactly 1 for equal vectors, which two roots would not.
 */
static inline double
nv_cosine_of_sums(double xy, double xx, double yy)
{
	return xy / sqrt(xx * yy);
}

#endif							/* NV_DOUBLE_MEASURE_H */
