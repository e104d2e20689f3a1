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

/* Round a float to its upper half. */
NvHalfFloat
nv_to_half_float(float x)
{
	uint32_t	bits;

	if (!(fabsf(x) < 3e38f))
		x = x > 0 ? 3e38f : -3e38f;
	memcpy(&bits, &x, sizeof(bits));
	return (NvHalfFloat) ((bits + 0x8000) >> 16);
}

/* Compute <p, o - p>.  A difference of inner products would lose most of it far from 0. */
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

/* What add and factor are made of. */
typedef struct CodeParts
{
	float		n2;
	float		l1;
	float		pr;				/* <p, r>; 0 but for the inner product */
} CodeParts;

/* Compute what a code and its numbers are made of. */
static CodeParts
parts_of(const float *p, const float *o, int dims, int bits, bool inner_product)
{
	CodeParts	parts = {
		.n2 = nv_kern.l2sq_f32(o, p, dims),
		.l1 = nv_kern.l1_f32(o, p, bits),
		.pr = inner_product ? along_parent(p, o, dims) : 0
	};

	return parts;
}

/* The factor of an estimate is n2 / l1 times this. */
static float
factor_times(bool inner_product)
{
	return inner_product ? 1 : 2;
}

/* The addend of an estimate. */
static float
add_of(const CodeParts *parts, bool inner_product)
{
	return inner_product ? -parts->pr : parts->n2;
}

/* Set the lower or the higher half of each of four bytes, by the bits of a word, low ones first. */
static inline void
set_nibbles(uint8_t *bytes, uint16_t word, int shift)
{
	uint32_t	spread = (word | (uint32_t) word << 8) & 0x00ff00ff;
	uint32_t	four;

	spread = (spread & 0x000f000f) | (spread & 0x00f000f0) << 4;
	/* word is a b c d, spread 0a0b0c0d with d in the first byte */
	memcpy(&four, bytes, sizeof(four));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	four = __builtin_bswap32(four);
#endif
	four = (four & UINT32_C(0xf0f0f0f0) >> shift) | spread << shift;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	four = __builtin_bswap32(four);
#endif
	memcpy(bytes, &four, sizeof(four));
}

/* Write a code into its block, and compute its numbers. */
void
nv_code_write(const float *p, const float *o, int dims, int bits, bool inner_product,
			  uint8_t *block, int place, NvHalfFloat *add, NvHalfFloat *factor)
{
	int			shift = place < NV_FASTSCAN_BLOCK / 2 ? 0 : NV_FASTSCAN_GROUP;
	uint8_t    *bytes = block + place % (NV_FASTSCAN_BLOCK / 2) * 4;
	CodeParts	parts = parts_of(p, o, dims, bits, inner_product);
	float		fr = parts.l1 > 0 ? parts.n2 / parts.l1 : 0;
	uint16_t	signs[NV_CODE_MAX_BITS / 16];

	nv_kern.signs_f32(o, p, bits, signs);
	for (int w = 0; w < bits / 16; w++, bytes += 64)
		set_nibbles(bytes, signs[w], shift);

	*factor = nv_to_half_float(factor_times(inner_product) * fr);
	*add = nv_to_half_float(add_of(&parts, inner_product));
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

/* The greatest magnitude among elements. */
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

	return x >= nv_half_float(nv_to_half_float((float) least)) &&
		x <= nv_half_float(nv_to_half_float((float) most));
}

/*
 * Whether the signs of a code are those of r, but for those of coordinates not
 * larger than slack.
 */
static bool
signs_agree(const float *p, const float *o, int bits, double slack, const uint8_t *block,
			int place)
{
	int			shift = place < NV_FASTSCAN_BLOCK / 2 ? 0 : NV_FASTSCAN_GROUP;
	const uint8_t *code = block + place % (NV_FASTSCAN_BLOCK / 2) * 4;

	for (int i = 0; i < bits; i++)
	{
		uint8_t		group = code[i / 16 * 64 + i % 16 / NV_FASTSCAN_GROUP];
		bool		sign = group >> (shift + i % NV_FASTSCAN_GROUP) & 1;
		double		r = (double) o[i] - p[i];

		if (fabs(r) > slack && sign != (r > 0))
			return false;
	}
	return true;
}

/* The limits between which the numbers of a code must lie. */
typedef struct CodeRange
{
	bool		overflow;		/* they may be anything */
	double		least_add;
	double		most_add;
	double		least_factor;
	double		most_factor;
} CodeRange;

/* Compute between which limits the numbers of a code lie, whoever computed them. */
static CodeRange
range_of(const float *p, const float *o, int dims, int bits, bool inner_product, double slack)
{
	CodeParts	parts = parts_of(p, o, dims, bits, inner_product);
	double		p_norm = sqrt(nv_kern.ip_f32(p, p, dims));
	double		norms = p_norm + sqrt(nv_kern.ip_f32(o, o, dims));
	/* by Cauchy and Schwarz, sums of magnitudes are at most this times a norm */
	double		root = sqrt(dims);
	double		n2_slack = sum_slack(dims, parts.n2) + slack * (2 * root * sqrt(parts.n2) + dims * slack);
	double		l1_slack = sum_slack(bits, parts.l1) + slack * bits;
	double		add_slack = n2_slack;
	double		add = add_of(&parts, inner_product);
	double		times = factor_times(inner_product);
	double		least_l1 = parts.l1 - l1_slack;
	CodeRange	range = {0};

	if (inner_product)
		add_slack = sum_slack(dims, p_norm * norms) + 2 * slack * root * norms;
	/* where sums overflow, so do those of others, but not always the same ones */
	range.overflow = !isfinite(norms) || !isfinite(parts.n2) || !isfinite(parts.l1) ||
		!isfinite(parts.pr);
	range.least_add = add - add_slack;
	range.most_add = add + add_slack;
	range.most_factor = FLT_MAX;
	if (least_l1 > 0)
	{
		range.least_factor = times * fmax(parts.n2 - n2_slack, 0) / (parts.l1 + l1_slack);
		range.most_factor = times * (parts.n2 + n2_slack) / least_l1;
	}
	return range;
}

/* How much another CPU may have rounded differently. */
static double
slack_of(const float *p, const float *o, int dims)
{
	return STEP_SLACK * fmax(largest(p, dims), largest(o, dims));
}

/* Where sums overflow: one that is too large in whatever order has the add of infinity. */
static bool
overflow_agrees(const float *p, const float *o, int dims, bool inner_product, NvHalfFloat add)
{
	double		n2 = 0;

	if (inner_product)
		return true;
	for (int i = 0; i < dims; i++)
		n2 += ((double) o[i] - p[i]) * ((double) o[i] - p[i]);
	return !(n2 >= 2.0 * FLT_MAX) || add == nv_to_half_float(INFINITY);
}

/* Compare an addend with what it should be. */
bool
nv_product_agrees(const float *p, const float *r, int dims, NvHalfFloat add)
{
	double		product = -nv_kern.ip_f32(p, r, dims);
	double		p_norm = sqrt(nv_kern.ip_f32(p, p, dims));
	double		r_norm = sqrt(nv_kern.ip_f32(r, r, dims));
	double		slack = sum_slack(dims, p_norm * r_norm) +
		STEP_SLACK * largest(r, dims) * sqrt(dims) * p_norm;

	return !isfinite(product) || !isfinite(slack) ||
		is_rounded(product - slack, product + slack, add);
}

/* Compare a code and its numbers with what they should be. */
bool
nv_code_agrees(const float *p, const float *o, int dims, int bits, bool inner_product,
			   const uint8_t *block, int place, NvHalfFloat add, NvHalfFloat factor)
{
	double		slack = slack_of(p, o, dims);
	CodeRange	range = range_of(p, o, dims, bits, inner_product, slack);

	if (!signs_agree(p, o, bits, slack, block, place))
		return false;
	if (range.overflow)
		return overflow_agrees(p, o, dims, inner_product, add);
	return is_rounded(range.least_factor, range.most_factor, factor) &&
		is_rounded(range.least_add, range.most_add, add);
}

/* ---- estimating ---- */

/* Make the table of a step. */
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

/* So many bits of the distance from the base are dropped. */
#define SHORT_DROPPED 5

/* Beside n2 of near neighbors, a byte can tell numbers larger by so many powers of 2. */
#define SHORT_ABOVE 24
#define SHORT_MOST (255 << SHORT_DROPPED)

/* The upper half of a float has 7 bits of mantissa, so each power of 2 is so far from the next. */
#define HALF_FLOAT_OCTAVE 128

/* Check a base, which is a positive, finite number. */
bool
nv_short_base_valid(NvHalfFloat base)
{
	/* neither 0 nor infinite, from one end to the other */
	return base >= HALF_FLOAT_OCTAVE && base + SHORT_MOST < 0x7f00;
}

/* Choose the base for squared steps of this size. */
NvHalfFloat
nv_short_base(float n2)
{
	int			base = nv_to_half_float(n2) + SHORT_ABOVE * HALF_FLOAT_OCTAVE - SHORT_MOST;

	if (base < HALF_FLOAT_OCTAVE)
		base = HALF_FLOAT_OCTAVE;
	if (base + SHORT_MOST >= 0x7f00)
		base = 0x7eff - SHORT_MOST;
	return (NvHalfFloat) base;
}

/* Compute what the bytes mean. */
void
nv_short_factors_init(NvShortFactors *s, NvHalfFloat base, int bits, int length)
{
	/* 2 |r| / l1, of coordinates as normal numbers are */
	float		per_norm = 2 * sqrtf((float) length * (float) M_PI / 2) / (float) bits;

	s->base = base;
	for (int i = 0; i < 256; i++)
	{
		s->add[i] = (NvHalfFloat) (base + (i << SHORT_DROPPED));
		s->factor[i] = nv_to_half_float(per_norm * sqrtf(nv_half_float(s->add[i])));
	}
}

/* Find the byte that is nearest to an addend. */
static uint8_t
short_add_of(const NvShortFactors *s, NvHalfFloat add)
{
	int			above = (add - s->base + (1 << (SHORT_DROPPED - 1))) >> SHORT_DROPPED;

	return (uint8_t) (add < s->base || above < 0 ? 0 : above > 255 ? 255 : above);
}

/* Find the nearest bytes. */
void
nv_short_factors_pack(const NvShortFactors *s, NvHalfFloat add, NvHalfFloat factor,
					  uint8_t *short_add, int8_t *short_factor)
{
	int			difference;

	*short_add = short_add_of(s, add);
	difference = factor - s->factor[*short_add];
	*short_factor = (int8_t) (difference < INT8_MIN ? INT8_MIN :
							  difference > INT8_MAX ? INT8_MAX : difference);
}

/* Compare a code and its bytes with what they should be. */
bool
nv_short_code_agrees(const NvShortFactors *s, const float *p, const float *o, int dims, int bits,
					 const uint8_t *block, int place, uint8_t short_add,
					 const int8_t *short_factor)
{
	double		slack = slack_of(p, o, dims);
	CodeRange	range = range_of(p, o, dims, bits, false, slack);
	int			factor;

	if (!signs_agree(p, o, bits, slack, block, place))
		return false;
	if (range.overflow)
		return true;
	/* of what is less than 0, the sign would be read as a large number */
	if (short_add < short_add_of(s, nv_to_half_float((float) fmax(range.least_add, 0))) ||
		short_add > short_add_of(s, nv_to_half_float((float) range.most_add)))
		return false;
	if (short_factor == NULL || *short_factor == INT8_MIN || *short_factor == INT8_MAX)
		return true;
	factor = s->factor[short_add] + *short_factor;
	return factor >= nv_to_half_float((float) range.least_factor) &&
		factor <= nv_to_half_float((float) range.most_factor);
}
