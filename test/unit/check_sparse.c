/*-------------------------------------------------------------------------
 *
 * check_sparse.c
 *		Kernels of sparse vectors: elements in common, sums in double precision.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <math.h>
#include <string.h>

#include "support.h"
#include "tap.h"

#define NNZ_MAX 200
#define OUTPUT_BYTES (NV_MATCH_ROOM(NNZ_MAX, NNZ_MAX) * sizeof(float))

/* Arrays between pages that cannot be touched: indices and values of a and b, x and y. */
typedef struct Memory
{
	Region		ai,
				av,
				bi,
				bv,
				x,
				y;
} Memory;

static Memory memory;

/* n ascending indices at most so far apart, and values that are not 0. */
static void
make_sparse(nv_i32 *index, nv_f32 *value, size_t n, int gap)
{
	int32_t		next = random_int(0, gap);

	for (size_t i = 0; i < n; i++)
	{
		index[i] = next;
		next += random_int(1, gap);
		value[i] = (float) (random_gaussian() + (random_int(0, 1) ? 3 : -3));
		if (value[i] == 0)
			value[i] = 1;
	}
}

static void
check_one_match(const NvKernels *k, size_t na, size_t nb, int gap_a, int gap_b, size_t shift)
{
	nv_i32	   *ai = (nv_i32 *) (memory.ai.end - shift - na * sizeof(int32_t));
	nv_f32	   *av = (nv_f32 *) (memory.av.end - shift - na * sizeof(float));
	nv_i32	   *bi = (nv_i32 *) (memory.bi.end - shift - nb * sizeof(int32_t));
	nv_f32	   *bv = (nv_f32 *) (memory.bv.end - shift - nb * sizeof(float));
	size_t		room = NV_MATCH_ROOM(na, nb);
	float	   *x = (float *) memory.x.end - room;
	float	   *y = (float *) memory.y.end - room;
	size_t		want = 0;
	size_t		got;

	make_sparse(ai, av, na, gap_a);
	make_sparse(bi, bv, nb, gap_b);
	got = k->match_sparse(ai, av, na, bi, bv, nb, x, y);
	for (size_t i = 0, j = 0; i < na && j < nb;)
	{
		if (ai[i] == bi[j])
		{
			if (want >= got || x[want] != av[i] || y[want] != bv[j])
				tap_fail("%zu and %zu elements, gaps %d and %d: match %zu of %zu is wrong", na, nb,
						 gap_a, gap_b, want, got);
			want++;
		}
		if (ai[i] < bi[j])
			i++;
		else
			j++;
	}
	if (got != want)
		tap_fail("%zu and %zu elements, gaps %d and %d: %zu matches, not %zu", na, nb, gap_a,
				 gap_b, got, want);
}

/* Indices in no order: some result, within its room. */
static void
check_broken_match(const NvKernels *k, size_t na, size_t nb)
{
	nv_i32	   *ai = (nv_i32 *) memory.ai.end - na;
	nv_i32	   *bi = (nv_i32 *) memory.bi.end - nb;
	nv_f32	   *av = (nv_f32 *) memory.av.end - na;
	nv_f32	   *bv = (nv_f32 *) memory.bv.end - nb;
	size_t		room = NV_MATCH_ROOM(na, nb);
	bool		equal = random_int(0, 1);

	for (size_t i = 0; i < na; i++)
		ai[i] = equal ? 7 : random_int(-5, 5);
	for (size_t i = 0; i < nb; i++)
		bi[i] = equal ? 7 : random_int(-5, 5);
	if (k->match_sparse(ai, av, na, bi, bv, nb, (float *) memory.x.end - room,
						(float *) memory.y.end - room) > na + nb)
		tap_fail("%zu and %zu elements in no order: too many matches", na, nb);
}

static void
check_match(const NvVariant *v)
{
	static const int gaps[] = {1, 2, 5, 40};

	tap_begin("%s match_sparse", v->name);
	for (int round = 0; round < (quick_mode() ? 2000 : 40000); round++)
	{
		int			most = round % 2 == 0 ? 40 : NNZ_MAX;

		check_one_match(v->kernels, (size_t) random_int(0, most), (size_t) random_int(0, most),
						gaps[random_int(0, 3)], gaps[random_int(0, 3)], (size_t) round % 9);
		check_broken_match(v->kernels, (size_t) random_int(0, most), (size_t) random_int(0, most));
	}
	tap_end();
}

static void
check_ipd(const NvVariant *v)
{
	tap_begin("%s ipd_f32", v->name);
	for (size_t n = 0; n <= NNZ_MAX; n++)
	{
		nv_f32	   *a = (nv_f32 *) memory.av.end - n;
		nv_f32	   *b = (nv_f32 *) memory.bv.end - n;
		double		want = 0;
		double		magnitude = 0;
		double		got;

		for (size_t i = 0; i < n; i++)
		{
			/* squares of these are beyond what a float can hold */
			a[i] = (float) (random_gaussian() * 1e30);
			b[i] = (float) (random_gaussian() * 1e30);
			want += (double) a[i] * (double) b[i];
			magnitude += fabs((double) a[i] * (double) b[i]);
		}
		got = v->kernels->ipd_f32(a, b, n);
		if (!(fabs(got - want) <= 1e-14 * magnitude))
			tap_fail("%zu elements: %.17g, not %.17g", n, got, want);
	}
	tap_end();
}

void
check_sparse(const NvVariant *v)
{
	if (memory.ai.start == NULL)
	{
		memory.ai = region_create(NNZ_MAX * sizeof(int32_t) + 16);
		memory.av = region_create(NNZ_MAX * sizeof(float) + 16);
		memory.bi = region_create(NNZ_MAX * sizeof(int32_t) + 16);
		memory.bv = region_create(NNZ_MAX * sizeof(float) + 16);
		memory.x = region_create(OUTPUT_BYTES);
		memory.y = region_create(OUTPUT_BYTES);
	}
	random_seed(16);
	if (v->kernels->match_sparse != NULL)
		check_match(v);
	if (v->kernels->ipd_f32 != NULL)
		check_ipd(v);
}
