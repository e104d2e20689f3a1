/*-------------------------------------------------------------------------
 *
 * double_measure.h
 *		The measures of distance.h in double precision.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DOUBLE_MEASURE_H
#define NV_DOUBLE_MEASURE_H

#include "distance/distance.h"

/* Of x[n] and y[n]; a cosine is NaN when one of them is all 0. */
extern double nv_measure_float4(const float *x, const float *y, int n, NvMeasure measure);
extern double nv_measure_float8(const double *x, const double *y, int n, NvMeasure measure);

#endif							/* NV_DOUBLE_MEASURE_H */
