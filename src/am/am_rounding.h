/*-------------------------------------------------------------------------
 *
 * am_rounding.h
 *		What arithmetic with floats may lose of a vector or of a distance.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ROUNDING_H
#define NV_AM_ROUNDING_H

#include "nv_compat.h"

#include <float.h>

/*
 * What rounding may have moved a vector by when it was shifted and rotated,
 * as a part of its norm: some 40 additions of float numbers.
 */
#define NV_ROUNDING_PART 8e-6f

/*
 * More than a sum of n squares or products loses where they are less than the
 * least normal float; the index and SQL both may.
 */
static inline float
nv_lost_squares(int n)
{
	return 4 * n * FLT_MIN;
}

#endif							/* NV_AM_ROUNDING_H */
