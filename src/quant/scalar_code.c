/*-------------------------------------------------------------------------
 *
 * scalar_code.c
 *		Eight bits per coordinate: element i is offset + scale * code[i].
 *
 *-------------------------------------------------------------------------
 */
#include "quant/scalar_code.h"

#include <math.h>

void
nv_scalar_encode(const float *x, int n, uint8_t *codes, float *scale, float *offset)
{
	float		least = INFINITY;
	float		most = -INFINITY;
	float		inverse;

	for (int i = 0; i < n; i++)
	{
		least = x[i] < least ? x[i] : least;
		most = x[i] > most ? x[i] : most;
	}
	*offset = least;
	/* halves first: the difference of two finite numbers may overflow */
	*scale = 2 * (most / 510 - least / 510);
	inverse = *scale > 0 ? 1 / *scale : 0;
	for (int i = 0; i < n; i++)
	{
		float		code = (x[i] - least) * inverse + 0.5f;

		codes[i] = (uint8_t) (code > 255 ? 255 : (int) code);
	}
}
