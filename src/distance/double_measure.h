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

/*
 * Squares of double precision numbers can overflow or vanish.  A sum of them
 * within these has kept every term that counts, and so has the product of
 * two such sums.  Sums over float4 are always within, or 0.
 */
#define NV_LEAST_SQUARE 1e-140
#define NV_GREATEST_SQUARE 1e140

/* Of x[n] and y[n]; a cosine is NaN when that of nv_cosine_of_sums() is. */
extern double nv_measure_float4(const float *x, const float *y, int n, NvMeasure measure);
extern double nv_measure_float8(const double *x, const double *y, int n, NvMeasure measure);

static inline bool
nv_square_is_safe(double sum)
{
	return sum >= NV_LEAST_SQUARE && sum <= NV_GREATEST_SQUARE;
}

/*
 * The cosine that the sums of a cosine make: NaN when xx or yy is 0, or not
 * safe.  One root of the product gives exactly 1 for equal vectors, which two
 * roots would not.
 */
static inline double
nv_cosine_of_sums(double xy, double xx, double yy)
{
	if (!(nv_square_is_safe(xx) && nv_square_is_safe(yy)))
		return NAN;
	return xy / sqrt(xx * yy);
}

#endif							/* NV_DOUBLE_MEASURE_H */
