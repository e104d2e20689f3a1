/*-------------------------------------------------------------------------
 *
 * scalar_code.c
 *		Eight or sixteen bits per coordinate: element i is offset + scale * code[i].
 *
 *-------------------------------------------------------------------------
 */
#include "quant/scalar_code.h"

#include <math.h>

/* The scale and offset by which x[n] takes codes from 0 to most; returns what to multiply with. */
static float
find_scale(const float *x, int n, float most, float *scale, float *offset)
{
	float		least = INFINITY;
	float		greatest = -INFINITY;

	for (int i = 0; i < n; i++)
	{
		least = x[i] < least ? x[i] : least;
		greatest = x[i] > greatest ? x[i] : greatest;
	}
	*offset = least;
	/* halves first: the difference of two finite numbers may overflow */
	*scale = 2 * (greatest / (2 * most) - least / (2 * most));
	return *scale > 0 ? 1 / *scale : 0;
}

/* Round elements to 256 steps between the least and the greatest. */
void
nv_scalar_encode(const float *x, int n, uint8_t *codes, float *scale, float *offset)
{
	float		inverse = find_scale(x, n, 255, scale, offset);

	for (int i = 0; i < n; i++)
	{
		float		code = (x[i] - *offset) * inverse + 0.5f;

		codes[i] = (uint8_t) (code > 255 ? 255 : (int) code);
	}
}

/* Round elements to 65,536 steps between the least and the greatest. */
void
nv_scalar_encode16(const float *x, int n, nv_u16 *codes, float *scale, float *offset)
{
	float		inverse = find_scale(x, n, 65535, scale, offset);

	for (int i = 0; i < n; i++)
	{
		float		code = (x[i] - *offset) * inverse + 0.5f;

		codes[i] = (uint16_t) (code > 65535 ? 65535 : (int) code);
	}
}
