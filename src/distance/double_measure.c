/*-------------------------------------------------------------------------
 *
 * double_measure.c
 *		The measures of distance.h in double precision.
 *
 *-------------------------------------------------------------------------
 */
#include "distance/double_measure.h"

#include <math.h>

/* Independent sums, so that one addition need not wait for the last. */
#define LANES 4

/* Set sum to the sum of a term over all elements, of which a and b are those of x and y. */
#define SUM_OF(sum, term) \
	do \
	{ \
		double		lanes_[LANES] = {0}; \
		int			i = 0; \
\
		for (; i + LANES <= n; i += LANES) \
		{ \
			for (int lane = 0; lane < LANES; lane++) \
			{ \
				double		a = x[i + lane]; \
				double		b = y[i + lane]; \
\
				lanes_[lane] += (term); \
			} \
		} \
		for (; i < n; i++) \
		{ \
			double		a = x[i]; \
			double		b = y[i]; \
\
			lanes_[0] += (term); \
		} \
		(sum) = (lanes_[0] + lanes_[1]) + (lanes_[2] + lanes_[3]); \
	} while (0)

#define DEFINE_MEASURE(name, element) \
double \
name(const element *x, const element *y, int n, NvMeasure measure) \
{ \
	double		sum = 0; \
	double		xx, \
				yy; \
\
	switch (measure) \
	{ \
		case NV_MEASURE_L2SQ: \
			SUM_OF(sum, (a - b) * (a - b)); \
			break; \
		case NV_MEASURE_L1: \
			SUM_OF(sum, fabs(a - b)); \
			break; \
		case NV_MEASURE_IP: \
			SUM_OF(sum, a * b); \
			break; \
		case NV_MEASURE_COSINE: \
			SUM_OF(sum, a * b); \
			SUM_OF(xx, ((void) b, a * a)); \
			SUM_OF(yy, ((void) a, b * b)); \
			sum = nv_cosine_of_sums(sum, xx, yy); \
			break; \
	} \
	return sum; \
}

DEFINE_MEASURE(nv_measure_float4, float)
DEFINE_MEASURE(nv_measure_float8, double)
