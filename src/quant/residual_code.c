/*-------------------------------------------------------------------------
 *
 * residual_code.c
 *		One bit per coordinate for the step from a vector to its neighbour.
 *
 *-------------------------------------------------------------------------
 */
#include "quant/residual_code.h"

#include <float.h>
#include <math.h>

/* Round to the nearest upper half, ties away from 0; infinity stays. */
NvHalfFloat
nv_to_half_float(float x)
{
	uint32_t	bits;

	if (!(fabsf(x) < 3e38f))
		x = x > 0 ? 3e38f : -3e38f;
	memcpy(&bits, &x, sizeof(bits));
	return (NvHalfFloat) ((bits + 0x8000) >> 16);
}

void
nv_code_write(const float *p, const float *o, int dims, int bits, NvCodeKind kind,
			  uint8_t *block, int place, NvHalfFloat *add, NvHalfFloat *factor)
{
	int			shift = place < NV_FASTSCAN_BLOCK / 2 ? 0 : NV_FASTSCAN_GROUP;
	uint8_t    *byte = block + place % (NV_FASTSCAN_BLOCK / 2) * 4;
	uint8_t		keep = (uint8_t) (0xf0 >> shift);
	float		n2 = nv_kern.l2sq_f32(o, p, dims);
	float		l1 = nv_kern.l1_f32(o, p, bits);
	float		fr = l1 > 0 ? n2 / l1 : 0;
	float		pr;
	uint16_t	signs[NV_CODE_MAX_BITS / 16];
	float		px = nv_kern.signs_f32(o, p, bits, signs);

	for (int w = 0; w < bits / 16; w++, byte += 64)
	{
		for (int g = 0; g < 4; g++)
		{
			unsigned	nibble = signs[w] >> g * NV_FASTSCAN_GROUP & 15;

			byte[g] = (uint8_t) ((byte[g] & keep) | nibble << shift);
		}
	}

	*factor = nv_to_half_float(kind == NV_CODE_IP || kind == NV_CODE_IP_STEP ? fr : 2 * fr);
	px *= nv_half_float(*factor);
	switch (kind)
	{
		case NV_CODE_STEP:
			*add = nv_to_half_float(n2);
			break;
		case NV_CODE_ORIGIN:
			*add = nv_to_half_float(n2 + px);
			break;
		case NV_CODE_IP_STEP:
		case NV_CODE_IP:
			/* <p, r> = <p, o> - <p, p> */
			pr = nv_kern.ip_f32(p, o, dims) - nv_kern.ip_f32(p, p, dims);
			*add = nv_to_half_float(kind == NV_CODE_IP ? px - pr : -pr);
			break;
	}
}

/*
 * An entry is the sum of 4 coordinates with signs, less the smallest such sum
 * of its group (all signs against), in units of scale.
 */
void
nv_code_table(const float *q, int bits, NvCodeTable *table)
{
	int			groups = bits / NV_FASTSCAN_GROUP;
	float		widest = 0;
	float		inverse;

	table->bias = 0;
	for (int g = 0; g < groups; g++)
	{
		const float *z = q + g * NV_FASTSCAN_GROUP;
		float		reach = fabsf(z[0]) + fabsf(z[1]) + fabsf(z[2]) + fabsf(z[3]);

		table->bias -= reach;
		widest = fmaxf(widest, 2 * reach);
	}
	table->scale = widest / 255;
	inverse = table->scale > 0 && table->scale < INFINITY ? 1 / table->scale : 0;
	nv_kern.fastscan_table(q, groups, inverse, table->entries);
}

void
nv_step_table(const float *t, int bits, float greatest, NvCodeTable *table)
{
	/* a step of no length, or one that is not finite, says nothing of directions */
	bool		useful = greatest > FLT_MIN * NV_STEP_MOST && greatest < INFINITY;

	table->scale = useful ? greatest / NV_STEP_MOST : 0;
	table->bias = -table->scale * NV_STEP_ZERO / NV_FASTSCAN_GROUP * bits;
	nv_kern.step_table(t, (size_t) bits / NV_FASTSCAN_GROUP,
					   useful ? NV_STEP_MOST / greatest : 0, table->entries);
}
