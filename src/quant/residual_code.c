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

/* What add and factor are made of. */
typedef struct CodeParts
{
	float		n2;
	float		l1;
	float		pr;				/* <p, r>; 0 but for the inner product */
} CodeParts;

static CodeParts
parts_of(const float *p, const float *o, int dims, int bits, bool inner_product)
{
	CodeParts	parts = {
		.n2 = nv_kern.l2sq_f32(o, p, dims),
		.l1 = nv_kern.l1_f32(o, p, bits),
		/* <p, r> = <p, o> - <p, p> */
		.pr = inner_product ? nv_kern.ip_f32(p, o, dims) - nv_kern.ip_f32(p, p, dims) : 0
	};

	return parts;
}

/* factor is n2 / l1 times this. */
static float
factor_times(bool inner_product)
{
	return inner_product ? 1 : 2;
}

/* add is factor * <p, x> and this. */
static float
add_base(const CodeParts *parts, bool inner_product)
{
	return inner_product ? -parts->pr : parts->n2;
}

void
nv_code_write(const float *p, const float *o, int dims, int bits, bool inner_product,
			  uint8_t *block, int place, NvHalfFloat *add, NvHalfFloat *factor)
{
	int			shift = place < NV_FASTSCAN_BLOCK / 2 ? 0 : NV_FASTSCAN_GROUP;
	uint8_t    *byte = block + place % (NV_FASTSCAN_BLOCK / 2) * 4;
	uint8_t		keep = (uint8_t) (0xf0 >> shift);
	CodeParts	parts = parts_of(p, o, dims, bits, inner_product);
	float		fr = parts.l1 > 0 ? parts.n2 / parts.l1 : 0;
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

	*factor = to_half_float(factor_times(inner_product) * fr);
	*add = to_half_float(add_base(&parts, inner_product) + nv_half_float(*factor) * px);
}

/* ---- checking ---- */

/*
 * How far a coordinate of r may be from the same computed by other
 * instructions, in units of the largest coordinate of p and o: each is an
 * offset and a product, which are rounded twice, or once.
 */
#define STEP_SLACK (4 * FLT_EPSILON)

/*
 * The same of a sum of n products: those who add in another order differ in
 * each addition, and products less than the least normal float may be lost.
 */
static double
sum_slack(int n, double sum_of_magnitudes)
{
	return n * (FLT_EPSILON * sum_of_magnitudes + FLT_MIN);
}

static double
largest(const float *x, int n)
{
	double		most = 0;

	for (int i = 0; i < n; i++)
		most = fmax(most, fabs(x[i]));
	return most;
}

/* Whether rounding a number between these two gives a half.  Rounding keeps order. */
static bool
is_rounded(double least, double most, NvHalfFloat half)
{
	float		x = nv_half_float(half);

	return x >= nv_half_float(to_half_float((float) least)) &&
		x <= nv_half_float(to_half_float((float) most));
}

/*
 * Whether the signs of a code are those of r, but for those of coordinates not
 * larger than slack.  Adds up <p, x> of the signs as they are.
 */
static bool
signs_agree(const float *p, const float *o, int bits, double slack, const uint8_t *block,
			int place, double *px)
{
	int			shift = place < NV_FASTSCAN_BLOCK / 2 ? 0 : NV_FASTSCAN_GROUP;
	const uint8_t *code = block + place % (NV_FASTSCAN_BLOCK / 2) * 4;

	*px = 0;
	for (int i = 0; i < bits; i++)
	{
		uint8_t		group = code[i / 16 * 64 + i % 16 / NV_FASTSCAN_GROUP];
		bool		sign = group >> (shift + i % NV_FASTSCAN_GROUP) & 1;
		double		r = (double) o[i] - p[i];

		if (fabs(r) > slack && sign != (r > 0))
			return false;
		*px += sign ? p[i] : -p[i];
	}
	return true;
}

bool
nv_code_agrees(const float *p, const float *o, int dims, int bits, bool inner_product,
			   const uint8_t *block, int place, NvHalfFloat add, NvHalfFloat factor)
{
	CodeParts	parts = parts_of(p, o, dims, bits, inner_product);
	double		slack = STEP_SLACK * fmax(largest(p, dims), largest(o, dims));
	double		p_norm = sqrt(nv_kern.ip_f32(p, p, dims));
	double		norms = p_norm + sqrt(nv_kern.ip_f32(o, o, dims));
	/* by Cauchy and Schwarz, sums of magnitudes are at most this times a norm */
	double		root = sqrt(dims);
	double		n2_slack = sum_slack(dims, parts.n2) + slack * (2 * root * sqrt(parts.n2) + dims * slack);
	double		l1_slack = sum_slack(bits, parts.l1) + slack * bits;
	double		add_slack = n2_slack;
	double		times = factor_times(inner_product);
	double		half = nv_half_float(factor);
	double		least_l1 = parts.l1 - l1_slack;
	double		middle;
	double		px;

	if (!signs_agree(p, o, bits, slack, block, place, &px))
		return false;
	/* where sums overflow, so do those of others, but not always the same ones */
	if (!isfinite(norms) || !isfinite(parts.n2) || !isfinite(parts.l1) || !isfinite(parts.pr))
		return true;
	if (!is_rounded(least_l1 > 0 ? times * fmax(parts.n2 - n2_slack, 0) / (parts.l1 + l1_slack) : 0,
					least_l1 > 0 ? times * (parts.n2 + n2_slack) / least_l1 : FLT_MAX, factor))
		return false;
	if (inner_product)
		add_slack = sum_slack(dims, p_norm * norms) + 2 * slack * root * norms;
	add_slack += fabs(half) * (sum_slack(bits, root * p_norm) + slack * bits);
	middle = add_base(&parts, inner_product) + half * px;
	return is_rounded(middle - add_slack, middle + add_slack, add);
}

/* ---- estimating ---- */

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
