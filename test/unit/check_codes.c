/*-------------------------------------------------------------------------
 *
 * check_codes.c
 *		Kernels over bytes: sums and distances of 8-bit codes, bit strings,
 *		fast scan.
 *
 *-------------------------------------------------------------------------
 */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "support.h"
#include "tap.h"

#define BYTES_MAX NV_U8_MAX_N
#define FASTSCAN_BYTES (NV_FASTSCAN_MAX_GROUPS * 16)

typedef enum Pattern
{
	BYTES_RANDOM,
	BYTES_ONES,
	BYTES_ZERO,
	BYTES_EQUAL,				/* random, but the same in a and b */
	BYTES_SMALL,				/* a in 0..15, b in 0..7 */
	NUM_PATTERNS
} Pattern;

static const char *const pattern_names[] = {"random", "all-ones", "zero", "equal", "small"};

typedef void (*CheckBytes) (const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b,
							size_t n);

static Region memory_a;
static Region memory_b;
static uint8_t data_a[BYTES_MAX];
static uint8_t data_b[BYTES_MAX];

static void
check_sums(const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t	want[5] = {0};
	NvCodeSums	got;

	for (size_t i = 0; i < n; i++)
	{
		want[0] += a[i];
		want[1] += b[i];
		want[2] += (uint64_t) a[i] * b[i];
		want[3] += (uint64_t) a[i] * a[i];
		want[4] += (uint64_t) b[i] * b[i];
	}
	memset(&got, 0xc5, sizeof(got));
	k->sums_u8(a, b, n, &got);
	if (got.a != want[0] || got.b != want[1] || got.ab != want[2] || got.aa != want[3] ||
		got.bb != want[4])
		tap_fail("%zu %s codes: a %u b %u ab %u aa %u bb %u, not %" PRIu64 " %" PRIu64 " %" PRIu64
				 " %" PRIu64 " %" PRIu64, n, pattern_names[p], got.a, got.b, got.ab, got.aa, got.bb,
				 want[0], want[1], want[2], want[3], want[4]);
}

static void
check_dot(const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t	want = 0;
	uint32_t	got = k->dot_u8(a, b, n);

	for (size_t i = 0; i < n; i++)
		want += (uint64_t) a[i] * b[i];
	if (got != want)
		tap_fail("%zu %s codes: %u, not %" PRIu64, n, pattern_names[p], got, want);
}

/* With small codes the parameters make every term a small whole number. */
static void
check_l1(const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b, size_t n)
{
	static const float sa[] = {0.01f, 3.0f, 0.7f, 0.3f, 2.0f};
	static const float sb[] = {0.02f, 0.1f, 0.1f, 0.3f, 1.0f};
	static const float da[] = {-1.5f, 1e4f, -7e-3f, 0.25f, -3.0f};
	double want = 0;
	double magnitude = 0;
	double bound;
	float		got;

	for (size_t i = 0; i < n; i++)
	{
		double x = (double) sa[p] * a[i];
		double y = (double) sb[p] * b[i];

		want += fabs((double) da[p] + x - y);
		magnitude += fabs((double) da[p]) + x + y;
	}
	bound = p == BYTES_SMALL ? 0 : NV_KERNEL_RELERR(n) * magnitude;
	got = k->l1_u8(a, b, n, sa[p], sb[p], da[p]);
	if (!(fabs(got - want) <= bound))
		tap_fail("%zu %s codes: %.9g, not %.9g +- %.3g", n, pattern_names[p], (double) got,
				 want, bound);
}

static unsigned
bits_set(unsigned byte)
{
	unsigned	count = 0;

	for (; byte != 0; byte >>= 1)
		count += byte & 1;
	return count;
}

static void
check_hamming(const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t	want = 0;
	uint64_t	got;

	for (size_t i = 0; i < n; i++)
		want += bits_set(a[i] ^ b[i]);
	got = k->hamming(a, b, n);
	if (got != want)
		tap_fail("%zu %s bytes: %" PRIu64 ", not %" PRIu64, n, pattern_names[p], got, want);
}

static void
check_jaccard(const NvKernels *k, Pattern p, const uint8_t *a, const uint8_t *b, size_t n)
{
	NvBitCounts want = {0, 0};
	NvBitCounts got = {12345, 12345};

	for (size_t i = 0; i < n; i++)
	{
		want.both += bits_set(a[i] & b[i]);
		want.either += bits_set(a[i] | b[i]);
	}
	k->jaccard(a, b, n, &got);
	if (got.both != want.both || got.either != want.either)
		tap_fail("%zu %s bytes: %" PRIu64 " of %" PRIu64 ", not %" PRIu64 " of %" PRIu64, n,
				 pattern_names[p], got.both, got.either, want.both, want.either);
}

static void
fill(Pattern p)
{
	for (size_t i = 0; i < BYTES_MAX; i++)
	{
		data_a[i] = (uint8_t) random_bits();
		data_b[i] = (uint8_t) random_bits();
		if (p == BYTES_SMALL)
		{
			data_a[i] &= 15;
			data_b[i] &= 7;
		}
		else if (p == BYTES_EQUAL)
			data_b[i] = data_a[i];
		else if (p != BYTES_RANDOM)
			data_a[i] = data_b[i] = p == BYTES_ONES ? 255 : 0;
	}
}

/* n bytes that end, or begin, so many bytes from a page that cannot be read. */
static void
place_and_check(CheckBytes check, const NvKernels *k, Pattern p, size_t n,
				size_t shift_a, size_t shift_b)
{
	uint8_t    *a = memory_a.end - shift_a - n;
	uint8_t    *b = memory_b.end - shift_b - n;

	memcpy(a, data_a, n);
	memcpy(b, data_b, n);
	check(k, p, a, b, n);

	a = memory_a.start + shift_a;
	b = memory_b.start + shift_b;
	memcpy(a, data_a, n);
	memcpy(b, data_b, n);
	check(k, p, a, b, n);
}

static void
check_bytes(CheckBytes check, const NvVariant *v, const char *name)
{
	tap_begin("%s %s", v->name, name);
	for (int p = 0; p < NUM_PATTERNS; p++)
	{
		size_t		shifts = quick_mode() || p != BYTES_RANDOM ? 3 : 64;

		fill(p);
		for (size_t i = 0; i < shifts; i++)
		{
			for (size_t n = 0; n <= SHORT_MAX; n++)
				place_and_check(check, v->kernels, p, n, i % 8, i / 8 + (i % 8) * 3);
		}
		for (int i = 0; i < NUM_LONG; i++)
			place_and_check(check, v->kernels, p, long_lengths[i], 0, 3);
		place_and_check(check, v->kernels, p, NV_U8_MAX_N, 1, 0);
	}
	tap_end();
}

static void
check_one_scan(const NvKernels *k, size_t ngroups, size_t shift_codes, size_t shift_lut, Region out)
{
	size_t		n = ngroups * 16;
	uint8_t    *codes = shift_codes < 8 ? memory_a.end - shift_codes - n : memory_a.start;
	uint8_t    *lut = shift_codes < 8 ? memory_b.end - shift_lut - n : memory_b.start;
	uint16_t	want[NV_FASTSCAN_BLOCK] = {0};
	uint16_t   *sums = (uint16_t *) (out.end - sizeof(want) - 2 * shift_lut);

	memcpy(codes, data_a, n);
	memcpy(lut, data_b, n);
	for (size_t g = 0; g < ngroups; g++)
	{
		for (int child = 0; child < NV_FASTSCAN_BLOCK; child++)
		{
			int			code = codes[g / 4 * 64 + child % 16 * 4 + g % 4];

			code = child < 16 ? code % 16 : code / 16;
			want[child] = (uint16_t) (want[child] + lut[g * 16 + code]);
		}
	}
	region_fill(out);
	k->fastscan(codes, lut, ngroups, sums);
	for (int child = 0; child < NV_FASTSCAN_BLOCK; child++)
	{
		if (sums[child] != want[child])
			tap_fail("%zu groups, child %d: %d, not %d", ngroups, child, sums[child], want[child]);
	}
	if (!canaries_intact(out, (uint8_t *) sums, (uint8_t *) (sums + NV_FASTSCAN_BLOCK)))
		tap_fail("%zu groups: wrote outside of its result", ngroups);
}

static void
check_fastscan(const NvVariant *v)
{
	Region		out = region_create(256);

	tap_begin("%s fastscan", v->name);
	for (int round = 0; round < (quick_mode() ? 1 : 4); round++)
	{
		fill(BYTES_RANDOM);
		for (size_t ngroups = 0; ngroups <= NV_FASTSCAN_MAX_GROUPS; ngroups += 4)
		{
			for (size_t shift = 0; shift < 4; shift++)
				check_one_scan(v->kernels, ngroups, shift, (shift * 3 + ngroups) % 4, out);
			check_one_scan(v->kernels, ngroups, 8, 0, out);
		}
	}
	/* the largest sum that fits: 256 * 255 = 65280 for every child */
	memset(data_b, 255, FASTSCAN_BYTES);
	check_one_scan(v->kernels, NV_FASTSCAN_MAX_GROUPS, 0, 0, out);
	check_one_scan(v->kernels, NV_FASTSCAN_MAX_GROUPS - 4, 0, 1, out);
	/* and both extremes side by side: children of code 15 see 255, the others 0 */
	for (size_t i = 0; i < FASTSCAN_BYTES; i++)
		data_b[i] = i % 16 == 15 ? 255 : 0;
	memset(data_a, 0xf0, FASTSCAN_BYTES);
	check_one_scan(v->kernels, NV_FASTSCAN_MAX_GROUPS, 0, 0, out);
	for (size_t i = 0; i < FASTSCAN_BYTES; i++)
		data_a[i] = i % 2 ? 0x0f : 0xf0;
	check_one_scan(v->kernels, NV_FASTSCAN_MAX_GROUPS, 0, 0, out);
	tap_end();
}

/* Entries against sums of coordinates with signs, which are rounded to whole numbers first. */
static void
check_step_table(const NvVariant *v)
{
	tap_begin("%s step_table", v->name);
	for (size_t ngroups = 4; ngroups <= 64; ngroups += 4)
	{
		size_t		room = (ngroups + 15) / 16 * 16;
		size_t		n = ngroups * NV_FASTSCAN_GROUP;
		float	   *t = (float *) memory_a.end - room * NV_FASTSCAN_GROUP;
		uint8_t    *lut = memory_b.end - room * 16;
		float		inverse = NV_STEP_MOST / 3.0f;

		memset(t, 0, room * NV_FASTSCAN_GROUP * sizeof(float));
		for (size_t i = 0; i < n; i++)
			t[i] = (float) random_int(-300, 300) / 100;
		t[0] = 3;
		t[1] = -3;
		v->kernels->step_table(t, ngroups, inverse, lut);
		for (size_t i = 0; i < ngroups * 16; i++)
		{
			long		sum = NV_STEP_ZERO;

			for (int bit = 0; bit < NV_FASTSCAN_GROUP; bit++)
			{
				long		z = lrintf(t[i / 16 * NV_FASTSCAN_GROUP + bit] * inverse);

				sum += i >> bit & 1 ? z : -z;
			}
			if (lut[i] != sum)
				tap_fail("%zu groups, entry %zu: %d, not %ld", ngroups, i, lut[i], sum);
		}
	}
	tap_end();
}

static void
check_estimate(const NvVariant *v)
{
	tap_begin("%s fastscan_estimate", v->name);
	for (int round = 0; round < 100; round++)
	{
		uint16_t   *sums = (uint16_t *) memory_a.end - NV_FASTSCAN_BLOCK;
		NvHalfFloat *add = (NvHalfFloat *) memory_b.end - NV_FASTSCAN_BLOCK;
		NvHalfFloat factor[NV_FASTSCAN_BLOCK];
		float		out[NV_FASTSCAN_BLOCK];
		float		scale = 0.37f;
		float		bias = -1000.5f;
		float		start = (float) round;
		float		weight = round % 3 == 0 ? 1 : 0.7f;
		float		most = round == 0 ? INFINITY : 3000;
		uint32_t	near;

		for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
		{
			sums[i] = (uint16_t) random_int(0, 65535);
			/* 1 to 4, and their negatives */
			add[i] = (NvHalfFloat) (random_int(0x3f80, 0x4080) | random_int(0, 1) << 15);
			factor[i] = (NvHalfFloat) random_int(0x3e80, 0x3f80);
		}
		near = v->kernels->fastscan_estimate(sums, add, factor, weight, scale, bias, start, most, out);
		for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
		{
			double		want = start + (double) weight * nv_half_float(add[i]) -
				(double) nv_half_float(factor[i]) * ((double) scale * sums[i] + bias);

			if (!(fabs(out[i] - want) <= 0.02))
				tap_fail("estimate %d: %g, not %g", i, out[i], want);
			if ((near >> i & 1) != !(out[i] > most))
				tap_fail("estimate %d: %g is wrongly near or far", i, out[i]);
		}
	}
	tap_end();
}

static void
check_decode_u16(const NvVariant *v)
{
	tap_begin("%s decode_u16", v->name);
	fill(BYTES_RANDOM);
	for (size_t n = 0; n <= 200; n++)
	{
		nv_u16	   *codes = (nv_u16 *) (memory_a.end - 2 * n);
		float	   *out = (float *) memory_b.end - n;

		memcpy(codes, data_a, 2 * n);
		v->kernels->decode_u16(codes, n, 0.0037f, -11.5f, out);
		for (size_t i = 0; i < n; i++)
		{
			double		want = -11.5 + (double) 0.0037f * codes[i];

			if (!(fabs(out[i] - want) <= 5e-5))
				tap_fail("code %d of %zu became %.9g, not %.9g", codes[i], n, out[i], want);
		}
	}
	tap_end();
}

static void
check_decode(const NvVariant *v)
{
	tap_begin("%s decode_u8", v->name);
	fill(BYTES_RANDOM);
	for (size_t n = 0; n <= 200; n++)
	{
		uint8_t    *codes = memory_a.end - n;
		float	   *out = (float *) memory_b.end - n;

		memcpy(codes, data_a, n);
		v->kernels->decode_u8(codes, n, 0.37f, -11.5f, out);
		for (size_t i = 0; i < n; i++)
		{
			double		want = -11.5 + (double) 0.37f * codes[i];

			if (!(fabs(out[i] - want) <= 1e-5))
				tap_fail("%zu codes: element %zu is %g, not %g", n, i, out[i], want);
		}
	}
	tap_end();
}

static void
check_signs(const NvVariant *v)
{
	tap_begin("%s signs_f32", v->name);
	for (size_t n = 16; n <= 480; n += 16)
	{
		float	   *o = (float *) memory_a.end - n;
		float	   *p = (float *) memory_b.end - n;
		uint16_t	bits[480 / 16];

		for (size_t i = 0; i < n; i++)
		{
			/* equal ones too: not above */
			o[i] = (float) random_int(-3, 3);
			p[i] = (float) random_int(-3, 3) * 0.7f;
		}
		v->kernels->signs_f32(o, p, n, bits);
		for (size_t i = 0; i < n; i++)
		{
			if ((bits[i / 16] >> i % 16 & 1) != (o[i] > p[i]))
				tap_fail("%zu elements: bit %zu", n, i);
		}
	}
	tap_end();
}

/* Bounds that are numbers of the array, the least, the greatest, and the wrong way round. */
static void
check_mask_range(const NvVariant *v)
{
	tap_begin("%s mask_range_u16", v->name);
	for (size_t n = 64; n <= 640; n += 64)
	{
		uint16_t   *x = (uint16_t *) memory_a.end - n;
		uint64_t   *bits = (uint64_t *) memory_b.end - n / 64;

		for (int round = 0; round < 20; round++)
		{
			uint16_t	low,
						high;

			fill(BYTES_RANDOM);
			low = round == 0 ? 0 : x[round];
			high = round == 1 ? UINT16_MAX : x[n - round - 1];
			v->kernels->mask_range_u16(x, n, low, high, bits);
			for (size_t i = 0; i < n; i++)
			{
				if ((bits[i / 64] >> i % 64 & 1) != (x[i] >= low && x[i] <= high))
					tap_fail("%zu elements: bit %zu", n, i);
			}
		}
	}
	tap_end();
}

/* Masks with many bits and with few, and values that some elements have. */
static void
check_mask_equal(const NvVariant *v)
{
	tap_begin("%s mask_equal_u64", v->name);
	for (size_t n = 64; n <= 320; n += 64)
	{
		uint64_t   *x = (uint64_t *) memory_a.end - n;
		uint64_t   *bits = (uint64_t *) memory_b.end - n / 64;

		for (int round = 0; round < 20; round++)
		{
			uint64_t	mask,
						value;

			fill(BYTES_RANDOM);
			mask = round % 2 == 0 ? x[1] : UINT64_C(5) << round;
			value = round % 3 == 0 ? 0 : x[round] & mask;
			v->kernels->mask_equal_u64(x, n, mask, value, bits);
			for (size_t i = 0; i < n; i++)
			{
				if ((bits[i / 64] >> i % 64 & 1) != ((x[i] & mask) == value))
					tap_fail("%zu elements: bit %zu", n, i);
			}
		}
	}
	tap_end();
}

/* Small integers, so that there are ties: the first of the least wins. */
static void
check_argmin(const NvVariant *v)
{
	tap_begin("%s argmin", v->name);
	for (size_t n = 1; n <= 300; n++)
	{
		float	   *x = (float *) memory_a.end - n;

		for (int round = 0; round < 20; round++)
		{
			size_t		want = 0;
			size_t		got;

			fill(BYTES_RANDOM);
			for (size_t i = 0; i < n; i++)
				x[i] = round == 0 ? INFINITY : (float) (data_a[i] % (2 * n)) - 3;
			for (size_t i = 1; i < n; i++)
			{
				if (x[i] < x[want])
					want = i;
			}
			got = v->kernels->argmin(x, n);
			if (got != want)
				tap_fail("%zu elements: %zu, not %zu", n, got, want);
		}
	}
	tap_end();
}

void
check_codes(const NvVariant *v)
{
	const NvKernels *k = v->kernels;

	if (memory_a.start == NULL)
	{
		memory_a = region_create(BYTES_MAX + 100);
		memory_b = region_create(BYTES_MAX + 100);
	}
	random_seed(2);
	if (k->sums_u8 != NULL)
		check_bytes(check_sums, v, "sums_u8");
	if (k->dot_u8 != NULL)
		check_bytes(check_dot, v, "dot_u8");
	if (k->l1_u8 != NULL)
		check_bytes(check_l1, v, "l1_u8");
	if (k->hamming != NULL)
		check_bytes(check_hamming, v, "hamming");
	if (k->jaccard != NULL)
		check_bytes(check_jaccard, v, "jaccard");
	if (k->fastscan != NULL)
		check_fastscan(v);
	if (k->fastscan_estimate != NULL)
		check_estimate(v);
	if (k->step_table != NULL)
		check_step_table(v);
	if (k->decode_u16 != NULL)
		check_decode_u16(v);
	if (k->decode_u8 != NULL)
		check_decode(v);
	if (k->signs_f32 != NULL)
		check_signs(v);
	if (k->argmin != NULL)
		check_argmin(v);
	if (k->mask_range_u16 != NULL)
		check_mask_range(v);
	if (k->mask_equal_u64 != NULL)
		check_mask_equal(v);
}
