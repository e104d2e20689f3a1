/*-------------------------------------------------------------------------
 *
 * check_panel.c
 *		Kernels of index builds: many codes against many, the distances that
 *		follow, the nearest of these, and their order.
 *
 * All of their results are the same to the bit on every CPU: references are
 * exact, or what the scalar variant gives.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tap.h"

#define CODES_MAX 4096
#define OTHERS_MAX 17
#define PANELS_MAX 3
#define COLUMNS_MAX (PANELS_MAX * NV_PANEL)

static const size_t lengths[] = {0, 4, 8, 12, 48, 64, 100, 384, CODES_MAX};

#define NUM_LENGTHS (sizeof(lengths) / sizeof(lengths[0]))

static Region memory_rows;
static Region memory_panels;
static Region memory_out;

/* The code of a column in its panel. */
static uint8_t *
panel_code(uint8_t *panels, size_t n, size_t column, size_t i)
{
	return panels + column / NV_PANEL * n * NV_PANEL + i / 4 * 4 * NV_PANEL +
		column % NV_PANEL * 4 + i % 4;
}

/* Codes at random, or those whose products are greatest. */
static void
check_dots(const NvKernels *k, size_t n, size_t npanels, bool extreme, bool at_end)
{
	size_t		width = npanels * NV_PANEL;
	size_t		out_bytes = NV_PANEL_ROWS * width * sizeof(int32_t);
	int8_t	   *rows = (int8_t *) (at_end ? memory_rows.end - NV_PANEL_ROWS * n :
									memory_rows.start);
	uint8_t    *panels = at_end ? memory_panels.end - width * n : memory_panels.start;
	uint8_t    *bytes = at_end ? memory_out.end - out_bytes : memory_out.start;
	int32_t    *out = (int32_t *) bytes;

	for (size_t i = 0; i < NV_PANEL_ROWS * n; i++)
		rows[i] = (int8_t) (extreme ? (random_bits() & 1 ? -128 : 127) : random_int(-128, 127));
	for (size_t i = 0; i < width * n; i++)
		panels[i] = (uint8_t) (extreme ? 255 : random_int(0, 255));
	region_fill(memory_out);
	k->panel_dots(rows, n, panels, npanels, out);
	for (size_t r = 0; r < NV_PANEL_ROWS; r++)
	{
		for (size_t c = 0; c < width; c++)
		{
			int64_t		want = 0;

			for (size_t i = 0; i < n; i++)
				want += rows[r * n + i] * *panel_code(panels, n, c, i);
			if (out[r * width + c] != want)
				tap_fail("row %zu, column %zu of %zu codes: %d, not %ld", r, c, n,
						 out[r * width + c], (long) want);
		}
	}
	if (!canaries_intact(memory_out, bytes, bytes + out_bytes))
		tap_fail("%zu codes, %zu panels: wrote outside of the result", n, npanels);
}

static void
check_panel_dots(const NvVariant *v)
{
	tap_begin("%s panel_dots", v->name);
	for (size_t i = 0; i < NUM_LENGTHS; i++)
	{
		for (size_t npanels = 0; npanels <= PANELS_MAX; npanels++)
		{
			if (quick_mode() && lengths[i] > 100 && npanels > 1)
				continue;
			check_dots(v->kernels, lengths[i], npanels, false, true);
			check_dots(v->kernels, lengths[i], npanels, true, false);
		}
	}
	tap_end();
}

/* The same of one vector and some others, wherever these are. */
static void
check_dots_of(const NvKernels *k, size_t n, size_t m, bool extreme)
{
	uint8_t    *a = memory_rows.end - n;
	uint8_t    *codes = memory_panels.end - m * n;
	const uint8_t *b[OTHERS_MAX];
	uint8_t    *bytes = memory_out.end - m * sizeof(int32_t);
	int32_t    *out = (int32_t *) bytes;

	for (size_t i = 0; i < n; i++)
		a[i] = (uint8_t) (extreme ? (random_bits() & 1 ? 0 : 255) : random_int(0, 255));
	for (size_t i = 0; i < m * n; i++)
		codes[i] = (uint8_t) (extreme ? 255 : random_int(0, 255));
	for (size_t j = 0; j < m; j++)
		b[j] = codes + (m - 1 - j) * n;
	region_fill(memory_out);
	k->dots_u8(a, b, m, n, out);
	for (size_t j = 0; j < m; j++)
	{
		int64_t		want = 0;

		for (size_t i = 0; i < n; i++)
			want += (a[i] - 128) * b[j][i];
		if (out[j] != want)
			tap_fail("number %zu of %zu, %zu codes: %d, not %ld", j, m, n, out[j], (long) want);
	}
	if (!canaries_intact(memory_out, bytes, memory_out.end))
		tap_fail("%zu codes, %zu others: wrote outside of the result", n, m);
}

static void
check_dots_u8(const NvVariant *v)
{
	static const size_t of[] = {0, 1, 3, 7, 15, 16, 17, 50, 63, 65, 100, 384, CODES_MAX};

	tap_begin("%s dots_u8", v->name);
	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
	{
		for (size_t m = 0; m <= OTHERS_MAX; m++)
		{
			check_dots_of(v->kernels, of[i], m, false);
			check_dots_of(v->kernels, of[i], m, true);
		}
	}
	tap_end();
}

/* A vector with numbers of about this size, or at times none at all. */
static NvPanelVector
random_vector(double size)
{
	NvPanelVector v = {
		.scale = (float) (size * random_uniform()),
		.offset = (float) (size * random_gaussian()),
		.tilt = (float) (size * 10000 * random_gaussian()),
		.norm2 = (float) (size * size * 1e7 * random_uniform()),
		.sum = random_int(-100000, 100000)
	};

	return v;
}

/* panel_l2sq or panel_ip. */
typedef void (*PanelKernel) (const int32_t *dots, const NvPanelVector *v,
							 const NvPanelColumns *columns, size_t n, float *out);

/* What such a kernel gives of a vector and columns, and what the scalar one does. */
static void
check_distances(PanelKernel kernel, PanelKernel scalar, double size)
{
	static float numbers[4][COLUMNS_MAX];
	static int32_t dots[COLUMNS_MAX];
	NvPanelColumns columns = {numbers[0], numbers[1], numbers[2], numbers[3]};
	NvPanelVector v = random_vector(size);
	NvPanelVector other[COLUMNS_MAX];
	float		want[COLUMNS_MAX];
	float	   *out = (float *) (memory_out.end - sizeof(want));

	for (int c = 0; c < COLUMNS_MAX; c++)
	{
		other[c] = random_vector(size);
		if (c % 7 == 0)
			other[c].norm2 = INFINITY;
		numbers[0][c] = other[c].scale;
		numbers[1][c] = other[c].offset;
		numbers[2][c] = other[c].tilt;
		numbers[3][c] = other[c].norm2;
		dots[c] = random_int(-100000000, 100000000);
	}
	region_fill(memory_out);
	kernel(dots, &v, &columns, COLUMNS_MAX, out);
	scalar(dots, &v, &columns, COLUMNS_MAX, want);
	if (memcmp(out, want, sizeof(want)) != 0)
		tap_fail("distances of size %g are not those of the scalar kernel", size);
	if (!canaries_intact(memory_out, (uint8_t *) out, memory_out.end))
		tap_fail("wrote outside of the result");
	for (int c = 0; c < COLUMNS_MAX; c++)
	{
		float		alone[4][NV_PANEL];
		NvPanelColumns one = {alone[0], alone[1], alone[2], alone[3]};
		int32_t		dot[NV_PANEL] = {0};
		float		back[NV_PANEL];

		memset(alone, 0, sizeof(alone));
		alone[0][5] = v.scale;
		alone[1][5] = v.offset;
		alone[2][5] = v.tilt;
		alone[3][5] = v.norm2;
		dot[5] = dots[c] - 128 * v.sum + 128 * other[c].sum;
		kernel(dot, &other[c], &one, NV_PANEL, back);
		if (memcmp(&back[5], &out[c], sizeof(float)) != 0)
			tap_fail("there and back: %.9g and %.9g", (double) out[c], (double) back[5]);
	}
}

static void
check_panel_distances(const NvVariant *v, const char *name, PanelKernel kernel, PanelKernel scalar)
{
	tap_begin("%s %s", v->name, name);
	for (int i = 0; i < 50; i++)
	{
		check_distances(kernel, scalar, 1);
		check_distances(kernel, scalar, 1e-18);
		check_distances(kernel, scalar, 1e15);
	}
	tap_end();
}

/* Numbers of which many are equal, and one that some of them are not more than. */
static void
check_upto_of(const NvKernels *k, size_t n, float most)
{
	float	   *x = (float *) (memory_rows.end - n * sizeof(float));
	uint8_t    *bytes = memory_out.end - n * sizeof(uint32_t);
	uint32_t   *at = (uint32_t *) bytes;
	size_t		want = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = random_bits() % 9 == 0 ? INFINITY : (float) random_int(0, 20);
	region_fill(memory_out);
	if (k->find_upto != NULL)
	{
		size_t		got = k->find_upto(x, n, most, at);

		for (size_t i = 0; i < n; i++)
		{
			if (!(x[i] <= most))
				continue;
			if (want >= got || at[want] != i)
			{
				tap_fail("place %zu of those up to %g is wrong", want, (double) most);
				break;
			}
			want++;
		}
		if (got != want)
			tap_fail("found %zu up to %g, not %zu", got, (double) most, want);
		if (!canaries_intact(memory_out, bytes, memory_out.end))
			tap_fail("wrote outside of %zu places", n);
	}
	want = 0;
	for (size_t i = 0; i < n; i++)
		want += x[i] <= most;
	if (k->count_upto(x, n, most) != want)
		tap_fail("counted %zu up to %g, not %zu", k->count_upto(x, n, most), (double) most, want);
}

static void
check_upto(const NvVariant *v)
{
	tap_begin("%s count_upto, find_upto", v->name);
	for (size_t n = 0; n <= COLUMNS_MAX; n += NV_PANEL)
	{
		for (int most = -1; most <= 21; most++)
			check_upto_of(v->kernels, n, (float) most);
		check_upto_of(v->kernels, n, INFINITY);
	}
	tap_end();
}

/* Keys of which some, or most, are equal; with the highest bit, too. */
static void
check_rank_of(const NvKernels *k, size_t n, int different)
{
	uint64_t   *keys = (uint64_t *) (memory_rows.end - n * sizeof(uint64_t));
	uint8_t    *bytes = memory_out.end - n * sizeof(uint32_t);
	uint32_t   *rank = (uint32_t *) bytes;

	for (size_t i = 0; i < n; i++)
		keys[i] = (uint64_t) random_int(0, different) * UINT64_C(0x123456789abcdef1);
	region_fill(memory_out);
	k->rank_u64(keys, n, rank);
	for (size_t i = 0; i < n; i++)
	{
		uint32_t	want = 0;

		for (size_t j = 0; j < n; j++)
			want += keys[j] < keys[i] || (keys[j] == keys[i] && j < i);
		if (rank[i] != want)
			tap_fail("rank %zu of %zu is %u, not %u", i, n, rank[i], want);
	}
	if (!canaries_intact(memory_out, bytes, memory_out.end))
		tap_fail("wrote outside of %zu ranks", n);
}

static void
check_rank(const NvVariant *v)
{
	tap_begin("%s rank_u64", v->name);
	for (size_t n = 0; n <= 70; n++)
	{
		check_rank_of(v->kernels, n, 3);
		check_rank_of(v->kernels, n, 100000);
	}
	tap_end();
}

void
check_panel(const NvVariant *v)
{
	const NvKernels *scalar = nv_simd_variant(0)->kernels;

	if (memory_rows.start == NULL)
	{
		memory_rows = region_create(NV_PANEL_ROWS * CODES_MAX);
		memory_panels = region_create(COLUMNS_MAX * CODES_MAX);
		memory_out = region_create(NV_PANEL_ROWS * COLUMNS_MAX * sizeof(int32_t));
	}
	random_seed(5);
	if (v->kernels->panel_dots != NULL)
		check_panel_dots(v);
	if (v->kernels->panel_l2sq != NULL)
		check_panel_distances(v, "panel_l2sq", v->kernels->panel_l2sq, scalar->panel_l2sq);
	if (v->kernels->panel_ip != NULL)
		check_panel_distances(v, "panel_ip", v->kernels->panel_ip, scalar->panel_ip);
	if (v->kernels->dots_u8 != NULL)
		check_dots_u8(v);
	if (v->kernels->count_upto != NULL)
		check_upto(v);
	if (v->kernels->rank_u64 != NULL)
		check_rank(v);
}
