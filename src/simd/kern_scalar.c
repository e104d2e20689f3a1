/*-------------------------------------------------------------------------
 *
 * kern_scalar.c
 *		Kernels in plain C: the fallback, and the only form that must exist.
 *
 *-------------------------------------------------------------------------
 */
#include "simd/kern.h"

#include <math.h>

#include "simd/half.h"

#define NV_TARGET
#define VEC_LANES 1
#define TILE_A 2
#define TILE_B 2
#define MAXIMA_TRIPLES 1

typedef float vec;

NV_INLINE vec vzero(void) { return 0.0f; }
NV_INLINE vec vset1(float x) { return x; }
NV_INLINE vec vadd(vec a, vec b) { return a + b; }
NV_INLINE vec vsub(vec a, vec b) { return a - b; }
NV_INLINE vec vabs(vec a) { return fabsf(a); }
NV_INLINE vec vmax(vec a, vec b) { return a > b ? a : b; }
NV_INLINE float vgreatest(vec v) { return v; }
NV_INLINE vec vfma(vec a, vec b, vec c) { return a * b + c; }
NV_INLINE float vsum(vec v) { return v; }

/* The sums of the lanes of three registers. */
NV_INLINE void
vsum3(vec u, vec v, vec w, float *x, float *y, float *z)
{
	*x = u;
	*y = v;
	*z = w;
}

NV_INLINE vec load_f32(const nv_f32 *p) { return *p; }
NV_INLINE vec load_f16(const nv_f16 *p) { return nv_half_to_float(*p); }
NV_INLINE vec load_u8(const uint8_t *p) { return *p; }
NV_INLINE vec load_u16(const nv_u16 *p) { return *p; }
NV_INLINE void store_f32(nv_f32 *p, vec v) { *p = v; }

/* A register of one lane cannot be loaded in part. */
#define loadn_f32(p, n) vzero()
#define loadn_f16(p, n) vzero()
#define loadn_u8(p, n) vzero()
#define loadn_u16(p, n) vzero()
#define vfirst(v, n) (v)
#define vpin(v) ((void) 0)
#define butterfly_in_vec(v) (v)

#include "simd/kern_pairs.h"

/* Kernel: all sums over two arrays of codes. */
static void
sums_u8(const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)
{
	NvCodeSums	s = {0};

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	x = a[i];
		uint32_t	y = b[i];

		s.a += x;
		s.b += y;
		s.ab += x * y;
		s.aa += x * x;
		s.bb += y * y;
	}
	*out = s;
}

/* Kernel: the sum of the products of codes. */
static uint32_t
dot_u8(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint32_t	sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t) a[i] * b[i];
	return sum;
}

/* Kernel: the taxicab distance of two arrays of codes. */
static float
l1_u8(const uint8_t *a, const uint8_t *b, size_t n, float sa, float sb, float da)
{
	float		s[NV_MIN_LANES] = {0};

	for (size_t i = 0; i < n; i++)
		s[i % NV_MIN_LANES] += fabsf((da + sa * a[i]) - sb * b[i]);
	return (s[0] + s[1]) + (s[2] + s[3]);
}

/* Load 8 bytes as a word. */
NV_INLINE uint64_t
load_u64(const uint8_t *p)
{
	uint64_t	w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Kernel: the number of bits that differ. */
static uint64_t
hamming(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t	count = 0;
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		count += (uint64_t) __builtin_popcountll(load_u64(a + i) ^ load_u64(b + i));
	for (; i < n; i++)
		count += (uint64_t) __builtin_popcount((unsigned) (a[i] ^ b[i]));
	return count;
}

/* Kernel: the numbers of bits that both have, and that either has. */
static void
jaccard(const uint8_t *a, const uint8_t *b, size_t n, NvBitCounts *out)
{
	NvBitCounts c = {0, 0};
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
	{
		uint64_t	x = load_u64(a + i);
		uint64_t	y = load_u64(b + i);

		c.both += (uint64_t) __builtin_popcountll(x & y);
		c.either += (uint64_t) __builtin_popcountll(x | y);
	}
	for (; i < n; i++)
	{
		c.both += (uint64_t) __builtin_popcount((unsigned) (a[i] & b[i]));
		c.either += (uint64_t) __builtin_popcount((unsigned) (a[i] | b[i]));
	}
	*out = c;
}

/* Kernel: halves to floats. */
static void
f16_to_f32(const nv_f16 *a, nv_f32 *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = nv_half_to_float(a[i]);
}

/* Kernel: floats to halves. */
static void
f32_to_f16(const nv_f32 *a, nv_f16 *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = nv_float_to_half(a[i]);
}

/* Kernel: sums of table entries for the 32 codes of a block. */
static void
fastscan(const uint8_t *codes, const uint8_t *lut, size_t ngroups, uint16_t *out)
{
	memset(out, 0, NV_FASTSCAN_BLOCK * sizeof(uint16_t));
	for (size_t g = 0; g < ngroups; g++)
	{
		const uint8_t *table = lut + g * 16;
		const uint8_t *code = codes + g / 4 * 64 + g % 4;

		for (int c = 0; c < 16; c++)
		{
			out[c] = (uint16_t) (out[c] + table[code[4 * c] & 15]);
			out[c + 16] = (uint16_t) (out[c + 16] + table[code[4 * c] >> 4]);
		}
	}
}

/* Kernel: the table of a step. */
static void
step_table(const float *t, size_t ngroups, float inverse, uint8_t *lut)
{
	for (size_t g = 0; g < ngroups; g++)
	{
		int			z[NV_FASTSCAN_GROUP];

		for (int k = 0; k < NV_FASTSCAN_GROUP; k++)
		{
			float		x = t[g * NV_FASTSCAN_GROUP + k] * inverse;

			/* also where it is not finite */
			z[k] = x >= -NV_STEP_MOST && x <= NV_STEP_MOST ? (int) rintf(x) : NV_STEP_MOST;
		}
		for (int c = 0; c < 16; c++)
		{
			int			sum = NV_STEP_ZERO;

			for (int k = 0; k < NV_FASTSCAN_GROUP; k++)
				sum += c >> k & 1 ? z[k] : -z[k];
			lut[16 * g + c] = (uint8_t) sum;
		}
	}
}

/* Kernel: estimates from the sums of 32 codes. */
static uint32_t
fastscan_estimate(const uint16_t *sums, const NvHalfFloat *add, const NvHalfFloat *factor,
				  float weight, float scale, float bias, float start, float most, float *out)
{
	uint32_t	near = 0;

	for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
	{
		out[i] = start + weight * nv_half_float(add[i]) -
			nv_half_float(factor[i]) * (scale * (float) sums[i] + bias);
		near |= (uint32_t) !(out[i] > most) << i;
	}
	return near;
}

/* Kernel: the inner product, added up in double precision. */
static double
ipd_f32(const nv_f32 *a, const nv_f32 *b, size_t n)
{
	double		s[NV_MIN_LANES] = {0};
	size_t		i = 0;

	for (; i + NV_MIN_LANES <= n; i += NV_MIN_LANES)
	{
		NV_UNROLL
		for (size_t k = 0; k < NV_MIN_LANES; k++)
			s[k] += (double) a[i + k] * (double) b[i + k];
	}
	for (; i < n; i++)
		s[0] += (double) a[i] * (double) b[i];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

/* There are no branches that depend on the indices, since no CPU could predict them. */
static size_t
match_sparse(const nv_i32 *ai, const nv_f32 *av, size_t na, const nv_i32 *bi, const nv_f32 *bv,
			 size_t nb, float *x, float *y)
{
	size_t		i = 0,
				j = 0,
				n = 0;

	while (i < na && j < nb)
	{
		int32_t		p = ai[i];
		int32_t		q = bi[j];

		x[n] = av[i];
		y[n] = bv[j];
		n += p == q;
		i += p <= q;
		j += q <= p;
	}
	return n;
}

/* Kernel: 8-bit codes to floats. */
static void
decode_u8(const uint8_t *codes, size_t n, float scale, float offset, nv_f32 *out)
{
	/* rounded once, as by fused instructions: the product alone may overflow */
	for (size_t i = 0; i < n; i++)
		out[i] = (float) (offset + (double) scale * codes[i]);
}

/* Kernel: the signs of a difference, as bits. */
static void
signs_f32(const nv_f32 *o, const nv_f32 *p, size_t n, uint16_t *bits)
{
	for (size_t i = 0; i < n; i++)
	{
		unsigned	up = o[i] > p[i];

		if (i % 16 == 0)
			bits[i / 16] = 0;
		bits[i / 16] |= (uint16_t) (up << i % 16);
	}
}

/* Which of n numbers are in a range. */
static void
mask_range_u16(const uint16_t *x, size_t n, uint16_t low, uint16_t high, uint64_t *bits)
{
	for (size_t i = 0; i < n; i += 64)
	{
		uint64_t	word = 0;

		for (int k = 0; k < 64; k++)
			word |= (uint64_t) (x[i + k] >= low && x[i + k] <= high) << k;
		bits[i / 64] = word;
	}
}

/* Which of n words have a value in some of their bits. */
static void
mask_equal_u64(const uint64_t *x, size_t n, uint64_t mask, uint64_t value, uint64_t *bits)
{
	for (size_t i = 0; i < n; i += 64)
	{
		uint64_t	word = 0;

		for (int k = 0; k < 64; k++)
			word |= (uint64_t) ((x[i + k] & mask) == value) << k;
		bits[i / 64] = word;
	}
}

/* Kernel: the index of the least element. */
static size_t
argmin(const float *x, size_t n)
{
	size_t		best = 0;

	for (size_t i = 1; i < n; i++)
	{
		if (x[i] < x[best])
			best = i;
	}
	return best;
}

static void
panel_dots(const int8_t *rows, size_t n, const uint8_t *panels, size_t npanels, int32_t *out)
{
	for (size_t r = 0; r < NV_PANEL_ROWS; r++)
	{
		const int8_t *row = rows + r * n;

		for (size_t p = 0; p < npanels; p++)
		{
			const uint8_t *panel = panels + p * n * NV_PANEL;
			int32_t    *sums = out + (r * npanels + p) * NV_PANEL;

			memset(sums, 0, sizeof(int32_t) * NV_PANEL);
			for (size_t i = 0; i < n; i += 4)
			{
				for (size_t c = 0; c < NV_PANEL; c++)
				{
					const uint8_t *four = panel + i * NV_PANEL + 4 * c;

					sums[c] += row[i] * four[0] + row[i + 1] * four[1] + row[i + 2] * four[2] +
						row[i + 3] * four[3];
				}
			}
		}
	}
}

static void
dots_u8(const uint8_t *a, const uint8_t *const *b, size_t m, size_t n, int32_t *out)
{
	for (size_t k = 0; k < m; k++)
	{
		const uint8_t *codes = b[k];
		int32_t		sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += (a[i] - 128) * codes[i];
		out[k] = sum;
	}
}

/*
 * The inner product of v and a column.  -ffp-contract=off has products rounded before they
 * are added, as everywhere.
 */
static inline float
panel_product(int32_t dots, const NvPanelVector *v, const NvPanelColumns *columns, size_t i)
{
	float		dot = (float) (dots - 128 * v->sum);
	float		product = v->scale * columns->scale[i] * dot;
	float		rest = v->offset * columns->tilt[i] + v->tilt * columns->offset[i];

	return product + rest;
}

static void
panel_ip(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, size_t n,
		 float *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = panel_product(dots[i], v, columns, i);
}

static void
panel_l2sq(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, size_t n,
		   float *out)
{
	for (size_t i = 0; i < n; i++)
	{
		float		distance = (v->norm2 + columns->norm2[i]) -
			2 * panel_product(dots[i], v, columns, i);

		out[i] = distance > 0 ? distance : 0;
	}
}

static size_t
count_upto(const float *x, size_t n, float most)
{
	size_t		count = 0;

	for (size_t i = 0; i < n; i++)
		count += x[i] <= most;
	return count;
}

static size_t
find_upto(const float *x, size_t n, float most, uint32_t *at)
{
	size_t		count = 0;

	for (size_t i = 0; i < n; i++)
	{
		at[count] = (uint32_t) i;
		count += x[i] <= most;
	}
	return count;
}

static void
rank_u64(const uint64_t *keys, size_t n, uint32_t *rank)
{
	for (size_t i = 0; i < n; i++)
	{
		uint64_t	key = keys[i];
		uint32_t	count = 0;

		for (size_t j = 0; j < i; j++)
			count += keys[j] <= key;
		for (size_t j = i + 1; j < n; j++)
			count += keys[j] < key;
		rank[i] = count;
	}
}

const NvKernels nv_kernels_scalar = {
	NV_PAIRS_ENTRIES,
	.sums_u8 = sums_u8,
	.dot_u8 = dot_u8,
	.l1_u8 = l1_u8,
	.hamming = hamming,
	.jaccard = jaccard,
	.f16_to_f32 = f16_to_f32,
	.f32_to_f16 = f32_to_f16,
	.fastscan = fastscan,
	.step_table = step_table,
	.fastscan_estimate = fastscan_estimate,
	.ipd_f32 = ipd_f32,
	.match_sparse = match_sparse,
	.decode_u8 = decode_u8,
	.signs_f32 = signs_f32,
	.mask_range_u16 = mask_range_u16,
	.mask_equal_u64 = mask_equal_u64,
	.argmin = argmin,
	.panel_dots = panel_dots,
	.dots_u8 = dots_u8,
	.rank_u64 = rank_u64,
	.panel_l2sq = panel_l2sq,
	.panel_ip = panel_ip,
	.count_upto = count_upto,
	.find_upto = find_upto
};
