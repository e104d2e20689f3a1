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
static NvHalfFloat
to_half_float(float x)
{
	uint32_t	bits;

	if (!(fabsf(x) < 3e38f))
		x = x > 0 ? 3e38f : -3e38f;
	memcpy(&bits, &x, sizeof(bits));
	return (NvHalfFloat) ((bits + 0x8000) >> 16);
}

/* <p, o - p>.  A difference of inner products would lose most of it far from the origin. */
static float
along_parent(const float *p, const float *o, int dims)
{
	float		r[256];
	float		greatest;
	float		sum = 0;

	for (int start = 0; start < dims; start += 256)
	{
		int			n = dims - start < 256 ? dims - start : 256;

		nv_kern.step_f32(o + start, p + start, n, r, &greatest);
		sum += nv_kern.ip_f32(p + start, r, n);
	}
	return sum;
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

	*factor = to_half_float(kind == NV_CODE_OF_IP || kind == NV_CODE_OF_IP_STEP ? fr : 2 * fr);
	px *= nv_half_float(*factor);
	switch (kind)
	{
		case NV_CODE_OF_STEP:
			*add = to_half_float(n2);
			break;
		case NV_CODE_OF_ORIGIN:
			*add = to_half_float(n2 + px);
			break;
		case NV_CODE_OF_IP_STEP:
		case NV_CODE_OF_IP:
			*add = to_half_float((kind == NV_CODE_OF_IP ? px : 0) - along_parent(p, o, dims));
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

/* Of the distance from the base, the bits that are dropped. */
#define SHORT_DROPPED 5

/* Near neighbors' n2 has so many powers of 2 above it. */
#define SHORT_ABOVE 24
#define SHORT_MOST (255 << SHORT_DROPPED)

/* A float has 7 bits of mantissa in its upper half: so much is a power of 2. */
#define HALF_FLOAT_OCTAVE 128

bool
nv_short_base_valid(NvHalfFloat base)
{
	/* neither 0 nor infinite, from one end to the other */
	return base >= HALF_FLOAT_OCTAVE && base + SHORT_MOST < 0x7f00;
}

NvHalfFloat
nv_short_base(float n2)
{
	int			base = to_half_float(n2) + SHORT_ABOVE * HALF_FLOAT_OCTAVE - SHORT_MOST;

	if (base < HALF_FLOAT_OCTAVE)
		base = HALF_FLOAT_OCTAVE;
	if (base + SHORT_MOST >= 0x7f00)
		base = 0x7eff - SHORT_MOST;
	return (NvHalfFloat) base;
}

void
nv_short_factors_init(NvShortFactors *s, NvHalfFloat base, int bits, int length)
{
	/* 2 |r| / l1, of coordinates as normal numbers are */
	float		per_norm = 2 * sqrtf((float) length * (float) M_PI / 2) / (float) bits;

	s->base = base;
	for (int i = 0; i < 256; i++)
	{
		s->add[i] = (NvHalfFloat) (base + (i << SHORT_DROPPED));
		s->factor[i] = to_half_float(per_norm * sqrtf(nv_half_float(s->add[i])));
	}
}

void
nv_short_factors_pack(const NvShortFactors *s, NvHalfFloat add, NvHalfFloat factor,
					  uint8_t *short_add, int8_t *short_factor)
{
	int			above = (add - s->base + (1 << (SHORT_DROPPED - 1))) >> SHORT_DROPPED;
	int			difference;

	*short_add = (uint8_t) (add < s->base || above < 0 ? 0 : above > 255 ? 255 : above);
	difference = factor - s->factor[*short_add];
	/* a factor is never negative, also where the neighbor is no step away */
	*short_factor = (int8_t) (difference < INT8_MIN ? INT8_MIN :
							  difference > INT8_MAX ? INT8_MAX : difference);
}
