/*-------------------------------------------------------------------------
 *
 * am_bound.c
 *		Bounds of distances, where stored vectors lose precision.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include <float.h>
#include <math.h>

#include "am/am_rounding.h"

/* Take what may be wrong off the distance, and the steps of the metric to SQL's. */
double
nv_space_lower_bound(const NvSpace *space, const NvQuery *query, float distance, float error)
{
	double		rounding = 2 * NV_KERNEL_RELERR(space->length);
	double		bound;

	/* what a function of the user's returned was rounded down */
	if (nv_space_is_exact(space) || nv_space_is_custom(space))
		return distance;
	/* SQL measures sparse vectors in double precision */
	if (space->form == NV_FORM_SPARSE)
		rounding = 1e-6;

	switch (space->metric)
	{
		case NV_SPACE_IP:
			bound = distance - (double) query->norm * error - nv_lost_squares(space->length);
			if (space->form == NV_FORM_SPARSE)
				bound -= rounding * fabs(distance);
			break;
		case NV_SPACE_L1:
			bound = distance * (1 - rounding) - error;
			break;
		case NV_SPACE_COSINE:
			if (space->form == NV_FORM_SPARSE)
			{
				bound = distance - rounding;
				break;
			}
			/* FALLTHROUGH */
		default:
			bound = sqrt(Max(distance, 0)) * (1 - rounding) - error -
				NV_ROUNDING_PART * (query->norm + space->mean_norm) -
				sqrt(nv_lost_squares(space->length));
			bound = Max(bound, 0);
			if (space->metric == NV_SPACE_COSINE)
				bound = bound * bound / 2 - rounding;
	}
	return isfinite(bound) ? bound : -DBL_MAX;
}

/* Solve nv_space_lower_bound() for the distance. */
void
nv_space_cutoff(const NvSpace *space, const NvQuery *query, double horizon, NvCutoff *cutoff)
{
	/* more than what computing with floats loses here */
	const double margin = 1e-6;
	double		rounding = 2 * NV_KERNEL_RELERR(space->length);
	double		slope = (1 + margin) / (1 - rounding);

	Assert(rounding < 1 && !nv_space_is_custom(space));
	*cutoff = (NvCutoff) {.base = INFINITY};
	if (nv_space_is_exact(space))
		cutoff->base = (float) horizon;
	else if (space->form == NV_FORM_SPARSE || space->metric == NV_SPACE_L1)
		return;
	else if (space->metric == NV_SPACE_IP)
	{
		cutoff->base = (float) (horizon + margin * fabs(horizon)) + nv_lost_squares(space->length);
		cutoff->slope = (float) (query->norm * (1 + margin));
	}
	else
	{
		if (space->metric == NV_SPACE_COSINE)
			horizon = sqrt(2 * Max(horizon + rounding, 0));
		cutoff->base = (float) ((Max(horizon, 0) + NV_ROUNDING_PART *
								(query->norm + space->mean_norm) +
								sqrt(nv_lost_squares(space->length))) * slope);
		cutoff->slope = (float) slope;
		cutoff->squared = true;
	}
}
