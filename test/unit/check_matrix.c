/*-------------------------------------------------------------------------
 *
 * check_matrix.c
 *		Distances of many rows to many rows, their greatest products, and the
 *		Hadamard transform.
 *
 * References are in double, which is exact for whole numbers and otherwise
 * far more precise than the bound; long double would be slow in emulators.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tap.h"

#define ROWS_MAX 9
#define DIM_MAX 1025
#define TRANSFORM_MAX 4096

static const size_t dims[] = {
	0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 300,
	768, DIM_MAX
};

#define NUM_DIMS (sizeof(dims) / sizeof(dims[0]))

static Region memory_a;
static Region memory_b;
static Region memory_out;

/* What l2sq_many gives of two rows, or ip_many; and the sum of the magnitudes of its terms. */
static double
pair_of(bool ip, const float *a, const float *b, size_t dim, double *magnitudes)
{
	double		sum = 0;

	*magnitudes = 0;
	for (size_t i = 0; i < dim; i++)
	{
		double		d = (double) a[i] - (double) b[i];
		double		term = ip ? (double) a[i] * (double) b[i] : d * d;

		sum += term;
		*magnitudes += fabs(term);
	}
	return sum;
}

/* Either kernel, with na and nb rows; whole numbers must give exact results. */
static void
check_rows(const NvKernels *k, bool ip, size_t na, size_t nb, size_t dim, bool whole, bool at_end)
{
	size_t		bytes_a = na * dim * sizeof(float);
	size_t		bytes_b = nb * dim * sizeof(float);
	size_t		bytes_out = na * nb * sizeof(float);
	float	   *a = (float *) (at_end ? memory_a.end - bytes_a : memory_a.start);
	float	   *b = (float *) (at_end ? memory_b.end - bytes_b : memory_b.start);
	uint8_t    *out_bytes = at_end ? memory_out.end - bytes_out : memory_out.start;
	float	   *out = (float *) out_bytes;

	for (size_t i = 0; i < na * dim; i++)
		a[i] = whole ? (float) random_int(-8, 8) : (float) random_gaussian();
	for (size_t i = 0; i < nb * dim; i++)
		b[i] = whole ? (float) random_int(-8, 8) : 0.1f;
	region_fill(memory_out);
	(ip ? k->ip_many : k->l2sq_many) (a, na, b, nb, dim, out);
	for (size_t r = 0; r < na; r++)
	{
		for (size_t c = 0; c < nb; c++)
		{
			double		magnitudes;
			double		want = pair_of(ip, a + r * dim, b + c * dim, dim, &magnitudes);
			double		error = whole ? 0 : NV_KERNEL_RELERR(dim) * magnitudes;

			if (!(fabs(out[r * nb + c] - want) <= error))
				tap_fail("row %zu of %zu and %zu of %zu, %zu elements: %.9g, not %.9g", r, na, c,
						 nb, dim, (double) out[r * nb + c], want);
		}
	}
	if (!canaries_intact(memory_out, out_bytes, out_bytes + bytes_out))
		tap_fail("%zu x %zu rows: wrote outside of the result", na, nb);
}

/*
 * Long rows with a large first term and others that vanish when they are
 * added to it one by one: with fewer than NV_MIN_LANES independent sums the
 * error is too large.
 */
static void
check_long_rows(const NvKernels *k)
{
	size_t		dim = LONG_MAX;
	float	   *a = malloc(4 * dim * sizeof(float));
	float	   *b = calloc(4 * dim, sizeof(float));
	double want = 1;
	float		out[16];

	for (size_t i = 0; i < 4 * dim; i++)
		a[i] = i % dim == 0 ? 1.0f : 0x1.fcp-13f;
	for (size_t i = 1; i < dim; i++)
		want += (double) a[i] * a[i];
	k->l2sq_many(a, 4, b, 4, dim, out);
	for (int i = 0; i < 16; i++)
	{
		if (!(fabs(out[i] - want) <= NV_KERNEL_RELERR(dim) * want))
			tap_fail("a large term and %zu small ones: %.9g, not %.9g", dim - 1, (double) out[i],
					 want);
	}
	free(a);
	free(b);
}

static void
check_many(const NvVariant *v, bool ip)
{
	tap_begin("%s %s", v->name, ip ? "ip_many" : "l2sq_many");
	for (size_t d = 0; d < NUM_DIMS; d++)
	{
		for (size_t na = 0; na <= ROWS_MAX; na++)
		{
			for (size_t nb = 0; nb <= ROWS_MAX; nb++)
			{
				if (dims[d] > 300 && quick_mode() && (na + nb) % 4 != 0)
					continue;
				check_rows(v->kernels, ip, na, nb, dims[d], true, true);
				check_rows(v->kernels, ip, na, nb, dims[d], true, false);
				if (dims[d] <= 300)
					check_rows(v->kernels, ip, na, nb, dims[d], false, true);
			}
		}
	}
	check_rows(v->kernels, ip, ROWS_MAX, ROWS_MAX, DIM_MAX, false, true);
	if (!ip)
		check_long_rows(v->kernels);
	tap_end();
}

/* ---- max_ip ---- */

#define MAXIMA_ROWS_MAX 27

/*
 * Whole numbers, of which products are exact: the greatest of a column with nrows rows that
 * lie some bytes apart, and with what is there already.
 */
static void
check_maxima_whole(const NvKernels *k, size_t nrows, size_t dim, size_t gap, bool at_end)
{
	size_t		stride = dim * sizeof(float) + gap;
	size_t		bytes_panel = dim * NV_MAXIMA * sizeof(float);
	size_t		bytes_rows = nrows == 0 ? 0 : (nrows - 1) * stride + dim * sizeof(float);
	float	   *panel = (float *) (memory_a.end - bytes_panel);
	uint8_t    *rows = at_end ? memory_b.end - bytes_rows : memory_b.start;
	uint8_t    *out_bytes = at_end ? memory_out.end - NV_MAXIMA * sizeof(float) :
		memory_out.start;
	float	   *best = (float *) out_bytes;

	region_fill(memory_b);
	for (size_t i = 0; i < dim * NV_MAXIMA; i++)
		panel[i] = (float) random_int(-8, 8);
	for (size_t r = 0; r < nrows; r++)
	{
		for (size_t i = 0; i < dim; i++)
			((nv_f32 *) (rows + r * stride))[i] = (float) random_int(-8, 8);
	}
	region_fill(memory_out);
	for (int c = 0; c < NV_MAXIMA; c++)
		best[c] = c % 2 == 0 ? -INFINITY : 100;
	if (k->max_ip(panel, (const nv_f32 *) rows, nrows, stride, dim, best) != 0)
		tap_fail("%zu rows of %zu: finite products are not finite", nrows, dim);
	for (int c = 0; c < NV_MAXIMA; c++)
	{
		double		want = c % 2 == 0 ? -INFINITY : 100;

		for (size_t r = 0; r < nrows; r++)
		{
			double		product = 0;

			for (size_t i = 0; i < dim; i++)
				product += (double) panel[i * NV_MAXIMA + c] *
					(double) ((const nv_f32 *) (rows + r * stride))[i];
			want = product > want ? product : want;
		}
		if (best[c] != (float) want)
			tap_fail("column %d, %zu rows of %zu, %zu bytes between: %.9g, not %.9g", c, nrows,
					 dim, gap, (double) best[c], want);
	}
	if (!canaries_intact(memory_out, out_bytes, out_bytes + NV_MAXIMA * sizeof(float)))
		tap_fail("%zu rows: wrote outside of the result", nrows);
}

/* One large term and many that vanish when they are added to it one by one. */
static void
check_maxima_long(const NvKernels *k)
{
	size_t		dim = LONG_MAX;
	float	   *panel = malloc(dim * NV_MAXIMA * sizeof(float));
	float	   *row = malloc(dim * sizeof(float));
	double		want = 1;
	float		best[NV_MAXIMA];

	for (size_t i = 0; i < dim; i++)
	{
		row[i] = i == 0 ? 1.0f : 0x1.fcp-13f;
		for (int c = 0; c < NV_MAXIMA; c++)
			panel[i * NV_MAXIMA + c] = row[i];
		want += i == 0 ? 0 : (double) row[i] * row[i];
	}
	for (int c = 0; c < NV_MAXIMA; c++)
		best[c] = -INFINITY;
	k->max_ip(panel, row, 1, 0, dim, best);
	for (int c = 0; c < NV_MAXIMA; c++)
	{
		if (!(fabs(best[c] - want) <= NV_KERNEL_RELERR(dim) * want))
			tap_fail("a large term and %zu small ones: %.9g, not %.9g", dim - 1, (double) best[c],
					 want);
	}
	free(panel);
	free(row);
}

/* A product that overflows, of any row and column, is told, whichever is the greatest. */
static void
check_maxima_overflow(const NvKernels *k)
{
	enum
	{
		DIM = 7, ROWS = 26
	};

	for (int row = 0; row < ROWS; row++)
	{
		float		panel[DIM * NV_MAXIMA];
		float		rows[ROWS * DIM];
		float		best[NV_MAXIMA];

		for (int i = 0; i < DIM * NV_MAXIMA; i++)
			panel[i] = 1;
		for (int i = 0; i < ROWS * DIM; i++)
			rows[i] = 1;
		for (int c = 0; c < NV_MAXIMA; c++)
			best[c] = -INFINITY;
		/* infinity less infinity, in one column */
		rows[row * DIM + 1] = 3e38f;
		rows[row * DIM + 2] = -3e38f;
		panel[NV_MAXIMA + row % NV_MAXIMA] = panel[2 * NV_MAXIMA + row % NV_MAXIMA] = 3e38f;
		if (!isnan(k->max_ip(panel, rows, ROWS, DIM * sizeof(float), DIM, best)))
			tap_fail("row %d: an overflow is not told", row);
	}
}

static void
check_max_ip(const NvVariant *v)
{
	tap_begin("%s max_ip", v->name);
	for (size_t d = 0; d < NUM_DIMS; d++)
	{
		for (size_t n = 0; n <= MAXIMA_ROWS_MAX; n++)
		{
			if (dims[d] > 300 && quick_mode() && n % 4 != 0)
				continue;
			check_maxima_whole(v->kernels, n, dims[d], 0, true);
			check_maxima_whole(v->kernels, n, dims[d], 8, n % 2 == 0);
			check_maxima_whole(v->kernels, n, dims[d], 5, true);
		}
	}
	check_maxima_long(v->kernels);
	check_maxima_overflow(v->kernels);
	tap_end();
}

/* ---- the Hadamard transform ---- */

/* Element i of the transform of n whole numbers, by definition. */
static long
transformed(const long *x, size_t n, size_t i)
{
	long		sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += __builtin_parityl((unsigned long) (i & j)) ? -x[j] : x[j];
	return sum;
}

/*
 * Whole numbers of up to 8: every sum on the way is exact in a float, also
 * when the transform is applied twice, which multiplies by n.
 */
static void
check_whole_transform(const NvKernels *k, size_t n, size_t shift, bool at_end, bool by_definition)
{
	static long x[TRANSFORM_MAX];
	uint8_t    *bytes = at_end ? memory_out.end - shift - n * sizeof(float) :
		memory_out.start + shift;
	float	   *y = (float *) bytes;

	region_fill(memory_out);
	for (size_t i = 0; i < n; i++)
	{
		x[i] = random_int(-8, 8);
		y[i] = (float) x[i];
	}
	k->hadamard(y, n);
	for (size_t i = 0; by_definition && i < n; i++)
	{
		if (y[i] != (float) transformed(x, n, i))
			tap_fail("element %zu of %zu: %g, not %ld", i, n, (double) y[i], transformed(x, n, i));
	}
	k->hadamard(y, n);
	for (size_t i = 0; i < n; i++)
	{
		if (y[i] != (float) (x[i] * (long) n))
			tap_fail("element %zu of %zu, twice: %g, not %ld", i, n, (double) y[i],
					 x[i] * (long) n);
	}
	if (!canaries_intact(memory_out, bytes, bytes + n * sizeof(float)))
		tap_fail("wrote outside of %zu elements", n);
}

/* Errors of numbers that are not whole grow with the log2(n) stages only. */
static void
check_gaussian_transform(const NvKernels *k, size_t n)
{
	static float x[TRANSFORM_MAX];
	static float y[TRANSFORM_MAX];
	double		norm = 0;
	double		error = 0;

	for (size_t i = 0; i < n; i++)
	{
		x[i] = y[i] = (float) random_gaussian();
		norm += (double) x[i] * x[i];
	}
	k->hadamard(y, n);
	k->hadamard(y, n);
	for (size_t i = 0; i < n; i++)
	{
		double		d = (double) y[i] / (double) n - (double) x[i];

		error += d * d;
	}
	if (!(sqrt(error) <= 2 * log2(2.0 * (double) n) * 1.2e-7 * sqrt(norm)))
		tap_fail("%zu gaussians, twice: relative error %g", n, sqrt(error / norm));
}

static void
check_hadamard(const NvVariant *v)
{
	size_t		definition_max = quick_mode() ? 512 : TRANSFORM_MAX;

	tap_begin("%s hadamard", v->name);
	for (size_t n = 1; n <= TRANSFORM_MAX; n *= 2)
	{
		check_whole_transform(v->kernels, n, 0, true, n <= definition_max);
		for (size_t shift = 0; shift < 17 * sizeof(float); shift += sizeof(float))
		{
			check_whole_transform(v->kernels, n, shift, true, n <= 64);
			check_whole_transform(v->kernels, n, shift, false, n <= 64);
		}
		check_gaussian_transform(v->kernels, n);
	}
	tap_end();
}

void
check_matrix(const NvVariant *v)
{
	if (memory_a.start == NULL)
	{
		memory_a = region_create(NV_MAXIMA * DIM_MAX * sizeof(float));
		memory_b = region_create(MAXIMA_ROWS_MAX * (DIM_MAX * sizeof(float) + 8));
		memory_out = region_create((TRANSFORM_MAX + 100) * sizeof(float));
	}
	random_seed(4);
	if (v->kernels->l2sq_many != NULL)
		check_many(v, false);
	if (v->kernels->ip_many != NULL)
		check_many(v, true);
	if (v->kernels->max_ip != NULL)
		check_max_ip(v);
	if (v->kernels->hadamard != NULL)
		check_hadamard(v);
}
