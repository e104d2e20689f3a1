/*-------------------------------------------------------------------------
 *
 * test_quant.c
 *		Rotation, scalar codes and residual codes.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quant/residual_code.h"
#include "quant/rotation.h"
#include "quant/scalar_code.h"
#include "support.h"
#include "tap.h"

#define MAX_DIM 2048

static void
random_vector(float *x, int n)
{
	for (int i = 0; i < n; i++)
		x[i] = (float) random_gaussian();
}

static double
dot(const float *x, const float *y, int n)
{
	double		sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double) x[i] * y[i];
	return sum;
}

/* Inner products stay, and a single coordinate is spread over all others. */
static void
check_rotation(int dims)
{
	int			padded = nv_rotation_padded(dims);
	float	   *factors = malloc(sizeof(float) * NV_ROTATION_ROUNDS * padded);
	float	   *x = calloc(padded, sizeof(float));
	float	   *y = calloc(padded, sizeof(float));
	double		before;
	double		after;
	double		largest = 0;

	tap_begin("rotation of %d dimensions", dims);
	if (padded < dims || padded >= dims + 16 || padded % 16 != 0)
		tap_fail("padded to %d", padded);
	nv_rotation_factors(42, padded, factors);
	random_vector(x, dims);
	random_vector(y, dims);
	before = dot(x, y, padded);
	nv_rotate(factors, padded, x);
	nv_rotate(factors, padded, y);
	after = dot(x, y, padded);
	if (fabs(before - after) > 1e-4 * dims)
		tap_fail("inner product %g became %g", before, after);

	memset(x, 0, sizeof(float) * padded);
	x[dims / 3] = 1;
	nv_rotate(factors, padded, x);
	for (int i = 0; i < padded; i++)
		largest = fmax(largest, fabsf(x[i]));
	if (largest > 12 / sqrt(padded))
		tap_fail("a unit vector keeps %g in one coordinate", largest);
	tap_end();
	free(factors);
	free(x);
	free(y);
}

static void
check_scalar(void)
{
	static const float edges[][3] = {{0, 0, 0}, {-1, 0, 1}, {3e38f, -3e38f, 0}, {1e-40f, 0, 1e-39f}};

	tap_begin("scalar codes");
	for (int n = 1; n < 300; n++)
	{
		float		x[300];
		float		back[300];
		uint8_t		codes[300];
		float		scale;
		float		offset;

		random_vector(x, n);
		if (n == 3)
			memcpy(x, edges[random_int(0, 3)], sizeof(edges[0]));
		nv_scalar_encode(x, n, codes, &scale, &offset);
		nv_kern.decode_u8(codes, n, scale, offset, back);
		for (int i = 0; i < n; i++)
		{
			if (!(fabs((double) x[i] - back[i]) <= 0.51 * scale + 1e-6 * fabs((double) x[i])))
				tap_fail("%g became %g, scale %g", x[i], back[i], scale);
		}
	}
	tap_end();
}

/*
 * The estimate of many children's distances, against the exact ones: no bias
 * to speak of, neither in all nor in proportion to <t, r>, and an error as the
 * theory has it (RaBitQ: about |t| |r| / sqrt(bits) times a constant below 1).
 * t is the step q - p; for inner products what is left of q beside its part
 * along p; offset: all coordinates of all vectors are moved by this.
 */
static void
check_estimates(int dims, int bits, bool inner_product, float offset)
{
	float	   *t = calloc((dims + 63) / 64 * 64, sizeof(float));
	float	   *p = malloc(sizeof(float) * dims);
	float	   *q = malloc(sizeof(float) * dims);
	float	   *o = malloc(sizeof(float) * dims);
	uint8_t    *block = calloc(1, NV_CODE_BLOCK_BYTES(bits));
	NvCodeTable table = {.entries = malloc(NV_CODE_TABLE_BYTES(bits))};
	double		bias = 0;
	double		square = 0;
	double		slope = 0;
	double		slope_weight = 0;
	int			n = 0;

	tap_begin("estimates of %s, %d of %d coordinates, offset %g",
			  inner_product ? "inner products" : "distances", bits, dims, (double) offset);
	for (int round = 0; round < (quick_mode() ? 10 : 100); round++)
	{
		double		exact[NV_FASTSCAN_BLOCK];
		double		width[NV_FASTSCAN_BLOCK];
		double		inner[NV_FASTSCAN_BLOCK];	/* <t, r> */
		NvHalfFloat add[NV_FASTSCAN_BLOCK];
		NvHalfFloat factor[NV_FASTSCAN_BLOCK];
		float		estimates[NV_FASTSCAN_BLOCK];
		double		own = 0;
		double		to_query = 0;
		float		weight = 1;
		float		greatest = 0;

		random_vector(p, dims);
		random_vector(q, dims);
		for (int i = 0; i < dims; i++)
		{
			p[i] += offset;
			q[i] += offset;
		}
		if (inner_product)
			weight = (float) (dot(q, p, dims) / dot(p, p, dims));
		for (int i = 0; i < dims; i++)
		{
			t[i] = q[i] - weight * p[i];
			greatest = fmaxf(greatest, fabsf(t[i]));
		}
		/* not in order, and each written twice: a place is overwritten */
		for (int k = 0; k < 2 * NV_FASTSCAN_BLOCK; k++)
		{
			int			place = k * 7 % NV_FASTSCAN_BLOCK;
			double		r2 = 0;

			exact[place] = inner[place] = 0;
			to_query = own = 0;
			for (int i = 0; i < dims; i++)
			{
				double		d;

				o[i] = p[i] + 0.3f * (float) random_gaussian();
				d = (double) o[i] - p[i];
				r2 += d * d;
				inner[place] += t[i] * d;
				to_query += (double) t[i] * t[i];
				own += inner_product ? -(double) q[i] * p[i] :
					((double) q[i] - p[i]) * ((double) q[i] - p[i]);
				exact[place] += inner_product ? -(double) q[i] * o[i] :
					((double) q[i] - o[i]) * ((double) q[i] - o[i]);
			}
			width[place] = (inner_product ? 1 : 2) * sqrt(to_query * r2 / bits);
			nv_code_write(p, o, dims, bits, inner_product, block, place, &add[place], &factor[place]);
		}
		nv_step_table(t, bits, greatest, &table);
		nv_code_estimate(&table, bits, block, add, factor, weight, (float) own, INFINITY, estimates);
		for (int k = 0; k < NV_FASTSCAN_BLOCK; k++)
		{
			double		error = (estimates[k] - exact[k]) / width[k];

			/* both distances contain it, negated */
			slope -= (estimates[k] - exact[k]) / (inner_product ? 1 : 2) * inner[k];
			slope_weight += inner[k] * inner[k];
			bias += error;
			square += error * error;
			n++;
		}
	}
	bias /= n;
	square = sqrt(square / n);
	if (fabs(bias) > 0.15)
		tap_fail("biased by %.3f of the expected error", bias);
	if (fabs(slope / slope_weight) > (quick_mode() ? 0.2 : 0.07))
		tap_fail("the estimate grows %.3f times as the distance does", 1 + slope / slope_weight);
	if (!(square < 1.2))
		tap_fail("error %.3f of what is expected", square);
	tap_end();
	free(t);
	free(p);
	free(q);
	free(o);
	free(block);
	free(table.entries);
}

/*
 * Codes that one set of instructions writes agree with the vectors for another,
 * however short steps are beside them; wrong signs and factors do not.
 */
static void
check_agreement(float scale, float offset, float step, bool inner_product)
{
	/* where steps or their squares are lost in rounding, anything may be right */
	bool		exact = step > 1e-3f * offset && step > 1e-5f && scale > 1e-15f;
	const int	dims = 384;
	const int	bits = 320;
	const NvKernels best = nv_kern;
	const NvKernels *plain = nv_simd_variant(0)->kernels;
	float	   *p = malloc(dims * sizeof(float));
	float	   *o = malloc(dims * sizeof(float));
	uint8_t    *block = malloc(NV_CODE_BLOCK_BYTES(bits));
	int			missed = 0;
	const int	place = 21;

	tap_begin("codes agree: %s, vectors of %g at %g, steps of %g",
			  inner_product ? "inner products" : "distances", (double) scale, (double) offset,
			  (double) step);
	for (int round = 0; round < 50; round++)
	{
		bool		plain_writes = round % 2 == 0;
		NvHalfFloat add;
		NvHalfFloat factor;
		uint8_t    *byte = block + place % 16 * 4 + round % 20 * 64;

		random_vector(p, dims);
		for (int i = 0; i < dims; i++)
		{
			p[i] = scale * (p[i] + offset);
			o[i] = p[i] + scale * step * (float) random_gaussian();
		}
		memset(block, 0, NV_CODE_BLOCK_BYTES(bits));
		nv_kern = plain_writes ? *plain : best;
		nv_code_write(p, o, dims, bits, inner_product, block, place, &add, &factor);
		nv_kern = plain_writes ? best : *plain;
		if (!nv_code_agrees(p, o, dims, bits, inner_product, block, place, add, factor))
			tap_fail("a code that is right does not");
		if (!exact)
			continue;
		if (nv_code_agrees(p, o, dims, bits, inner_product, block, place, add, factor + 4))
			missed++;
		if (!inner_product && nv_code_agrees(p, o, dims, bits, inner_product, block, place,
											 (NvHalfFloat) (add ^ 0x8000), factor))
			missed++;
		/* 16 signs of 320, half of which at least are those of steps that count */
		for (int g = 0; g < 4; g++)
			byte[g] ^= 0xf0;
		if (nv_code_agrees(p, o, dims, bits, inner_product, block, place, add, factor))
			missed++;
	}
	if (missed > 0)
		tap_fail("%d codes that are wrong were not seen", missed);
	tap_end();
	nv_kern = best;
	free(p);
	free(o);
	free(block);
}

/*
 * The check of products knows those that other instructions added up, and what
 * is damaged where they are not lost in rounding; and so of a sum that overflows.
 */
static void
check_products(float scale)
{
	const int	dims = 384;
	const NvKernels best = nv_kern;
	const NvKernels *plain = nv_simd_variant(0)->kernels;
	float		p[384];
	float		r[384];

	tap_begin("products agree: vectors of %g", (double) scale);
	for (int round = 0; round < 50; round++)
	{
		NvHalfFloat add;

		random_vector(p, dims);
		for (int i = 0; i < dims; i++)
			r[i] = scale * (p[i] + 0.1f * (float) random_gaussian());
		for (int i = 0; i < dims; i++)
			p[i] *= scale;
		nv_kern = round % 2 == 0 ? *plain : best;
		add = nv_to_half_float(-nv_kern.ip_f32(p, r, dims));
		nv_kern = round % 2 == 0 ? best : *plain;
		if (!nv_product_agrees(p, r, dims, add))
			tap_fail("one that is right does not");
		if (scale > 1e-15f && nv_product_agrees(p, r, dims, add + 4))
			tap_fail("one that is wrong does");
	}
	tap_end();
	nv_kern = best;
}

static void
check_overflow(void)
{
	float		p[64] = {0};
	float		o[64] = {1e30f};
	uint8_t		block[NV_CODE_BLOCK_BYTES(64)] = {0};
	NvHalfFloat add;
	NvHalfFloat factor;

	tap_begin("codes agree: a distance that overflows");
	nv_code_write(p, o, 64, 64, false, block, 3, &add, &factor);
	if (!nv_code_agrees(p, o, 64, 64, false, block, 3, add, factor))
		tap_fail("a code that is right does not");
	if (nv_code_agrees(p, o, 64, 64, false, block, 3, nv_to_half_float(7), factor))
		tap_fail("one that is wrong does");
	tap_end();
}

int
main(void)
{
	static const int dims[] = {1, 3, 100, 128, 384, 500, 768, 1000, 1536, 2048};
	const char *bad;

	nv_simd_init(&bad);
	random_seed(7);
	for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++)
		check_rotation(dims[i]);
	check_scalar();
	for (int inner_product = 0; inner_product <= 1; inner_product++)
	{
		check_estimates(384, 384, inner_product, 0);
		check_estimates(384, 320, inner_product, 0);
		check_estimates(1024, 1024, inner_product, 0);
		check_estimates(768, 400, inner_product, 0);
		check_estimates(64, 64, inner_product, 0);
		check_estimates(64, 48, inner_product, 0);
		check_estimates(64, 32, inner_product, 0);
		check_estimates(128, 128, inner_product, inner_product ? 10 : 1000);
		check_agreement(1, 0, 0.3f, inner_product);
		check_agreement(1, 0, 1e-15f, inner_product);
		check_agreement(1, 5, 0.01f, inner_product);
		check_agreement(1, 100, 1e-5f, inner_product);
		check_agreement(1e-19f, 1, 0.1f, inner_product);
		check_agreement(1e15f, 1, 1, inner_product);
	}
	check_products(1);
	check_products(1e-22f);
	check_products(1e15f);
	check_overflow();
	return tap_done();
}
