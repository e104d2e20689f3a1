/*-------------------------------------------------------------------------
 *
 * kern_avx2.c
 *		Kernels for x86-64 CPUs with AVX2, FMA, F16C and POPCNT (2013 on).
 *
 *-------------------------------------------------------------------------
 */
#include "simd/kern.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#include "simd/half.h"

#define NV_TARGET __attribute__((target("avx2,fma,f16c,popcnt")))
#define VEC_LANES 8
/* 8 sums, 2 rows of b and one of a leave room in 16 registers */
#define TILE_A 4
#define TILE_B 2
#define MAXIMA_TRIPLES 2
#define vpin(v) __asm__ volatile("" : : "x"(v))

typedef __m256 vec;

NV_INLINE NV_TARGET vec vzero(void) { return _mm256_setzero_ps(); }
NV_INLINE NV_TARGET vec vset1(float x) { return _mm256_set1_ps(x); }
NV_INLINE NV_TARGET vec vadd(vec a, vec b) { return _mm256_add_ps(a, b); }
NV_INLINE NV_TARGET vec vsub(vec a, vec b) { return _mm256_sub_ps(a, b); }
NV_INLINE NV_TARGET vec vmax(vec a, vec b) { return _mm256_max_ps(a, b); }
NV_INLINE NV_TARGET vec vfma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }

/* The magnitudes of all lanes. */
NV_INLINE NV_TARGET vec
vabs(vec a)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

/* The sum of the two halves of a register. */
NV_INLINE NV_TARGET __m128
halves(vec v)
{
	return _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
}

/*
 * Add up the lanes of one or of three registers.  Each function first adds within every
 * 128-bit part, lanes 2 apart and then neighbours, with three sums sharing a
 * register, and then adds the parts.
 */
NV_INLINE NV_TARGET float
vsum(vec v)
{
	v = vadd(v, _mm256_permute_ps(v, 0x4e));
	v = vadd(v, _mm256_permute_ps(v, 0xb1));
	return _mm_cvtss_f32(halves(v));
}

/* The sums of the lanes of three registers. */
NV_INLINE NV_TARGET void
vsum3(vec u, vec v, vec w, float *x, float *y, float *z)
{
	vec			both = vadd(_mm256_unpacklo_ps(u, v), _mm256_unpackhi_ps(u, v));
	vec			third = vadd(w, _mm256_permute_ps(w, 0x4e));
	__m128		s = halves(vadd(_mm256_shuffle_ps(both, third, 0x44),
							   _mm256_shuffle_ps(both, third, 0xde)));

	*x = _mm_cvtss_f32(s);
	*y = _mm_cvtss_f32(_mm_movehdup_ps(s));
	*z = _mm_cvtss_f32(_mm_movehl_ps(s, s));
}

/* The greatest of the lanes. */
NV_INLINE NV_TARGET float
vgreatest(vec v)
{
	__m128		m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

	m = _mm_max_ps(m, _mm_movehl_ps(m, m));
	return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

/* A mask with all bits set in the first n lanes. */
NV_INLINE NV_TARGET __m256i
first_lanes(size_t n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int) n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Keep the first n lanes, and set the others to 0. */
NV_INLINE NV_TARGET vec
vfirst(vec v, size_t n)
{
	return _mm256_and_ps(v, _mm256_castsi256_ps(first_lanes(n)));
}

/* Load a register of floats. */
NV_INLINE NV_TARGET vec
load_f32(const nv_f32 *p)
{
	return _mm256_loadu_ps((const float *) p);
}

/* Load a register of halves, as floats. */
NV_INLINE NV_TARGET vec
load_f16(const nv_f16 *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *) p));
}

/* Load a register of 8-bit codes, as floats. */
NV_INLINE NV_TARGET vec
load_u8(const uint8_t *p)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) p)));
}

/* Load a register of 16-bit codes, as floats. */
NV_INLINE NV_TARGET vec
load_u16(const nv_u16 *p)
{
	return _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *) p)));
}

/* Store a register of floats. */
NV_INLINE NV_TARGET void
store_f32(nv_f32 *p, vec v)
{
	_mm256_storeu_ps((float *) p, v);
}

/* A masked load does not touch the lanes that it leaves out. */
NV_INLINE NV_TARGET vec
loadn_f32(const nv_f32 *p, size_t n)
{
	return _mm256_maskload_ps((const float *) p, first_lanes(n));
}

/* Load the last n halves, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_f16(const nv_f16 *p, size_t n)
{
	uint16_t	tail[VEC_LANES] = {0};

	memcpy(tail, p, n * sizeof(uint16_t));
	return load_f16(tail);
}

/* Load the last n 8-bit codes, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_u8(const uint8_t *p, size_t n)
{
	uint8_t		tail[VEC_LANES] = {0};

	memcpy(tail, p, n);
	return load_u8(tail);
}

/* Load the last n 16-bit codes, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_u16(const nv_u16 *p, size_t n)
{
	uint16_t	tail[VEC_LANES] = {0};

	memcpy(tail, p, n * sizeof(uint16_t));
	return load_u16(tail);
}

/* Lane i becomes v[i] + v[i ^ h] when bit h of i is clear, else v[i ^ h] - v[i]. */
NV_INLINE NV_TARGET vec
butterfly_in_vec(vec v)
{
	const vec	sign1 = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1);
	const vec	sign2 = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1);
	const vec	sign4 = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);

	v = vfma(v, sign1, _mm256_permute_ps(v, 0xb1));
	v = vfma(v, sign2, _mm256_permute_ps(v, 0x4e));
	v = vfma(v, sign4, _mm256_permute2f128_ps(v, v, 0x01));
	return v;
}

#include "simd/kern_pairs.h"

/* The sum of the lanes of 32 bits. */
NV_INLINE NV_TARGET uint32_t
sum_epi32(__m256i v)
{
	__m128i		s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return (uint32_t) _mm_cvtsi128_si32(s);
}

/*
 * 16 codes at a time, widened to 16 bits; a pair of products is at most
 * 2 * 255 * 255 and so are exact in the 32 bits that madd gives.
 */
static NV_TARGET void
sums_u8(const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)
{
	__m256i		sa = _mm256_setzero_si256(),
				sb = sa,
				ab = sa,
				aa = sa,
				bb = sa;
	const __m256i ones = _mm256_set1_epi16(1);

	for (size_t i = 0; i < n; i += 16)
	{
		__m256i		x,
					y;

		if (n - i >= 16)
		{
			x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (a + i)));
			y = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (b + i)));
		}
		else
		{
			uint8_t		ta[16] = {0},
						tb[16] = {0};

			memcpy(ta, a + i, n - i);
			memcpy(tb, b + i, n - i);
			x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) ta));
			y = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) tb));
		}
		sa = _mm256_add_epi32(sa, _mm256_madd_epi16(x, ones));
		sb = _mm256_add_epi32(sb, _mm256_madd_epi16(y, ones));
		ab = _mm256_add_epi32(ab, _mm256_madd_epi16(x, y));
		aa = _mm256_add_epi32(aa, _mm256_madd_epi16(x, x));
		bb = _mm256_add_epi32(bb, _mm256_madd_epi16(y, y));
	}
	out->a = sum_epi32(sa);
	out->b = sum_epi32(sb);
	out->ab = sum_epi32(ab);
	out->aa = sum_epi32(aa);
	out->bb = sum_epi32(bb);
}

/* Kernel: the sum of the products of codes. */
static NV_TARGET uint32_t
dot_u8(const uint8_t *a, const uint8_t *b, size_t n)
{
	__m256i		sum = _mm256_setzero_si256();
	uint32_t	lanes[8];
	uint32_t	total = 0;
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(
								   _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (a + i))),
								   _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (b + i)))));
	_mm256_storeu_si256((__m256i *) lanes, sum);
	for (int k = 0; k < 8; k++)
		total += lanes[k];
	for (; i < n; i++)
		total += (uint32_t) a[i] * b[i];
	return total;
}

/* Kernel: the taxicab distance of two arrays of codes. */
static NV_TARGET float
l1_u8(const uint8_t *a, const uint8_t *b, size_t n, float sa, float sb, float da)
{
	const vec	vsa = vset1(sa),
				vsb = vset1(-sb),
				vda = vset1(da);
	vec			sum = vzero();
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		sum = vadd(sum, vabs(vfma(vsb, load_u8(b + i), vfma(vsa, load_u8(a + i), vda))));
	if (i < n)
		sum = vadd(sum, vabs(vfma(vsb, loadn_u8(b + i, n - i),
								  vfma(vsa, loadn_u8(a + i, n - i), vfirst(vda, n - i)))));
	return vsum(sum);
}

/* Load 8 bytes as a word. */
NV_INLINE NV_TARGET uint64_t
load_u64(const uint8_t *p)
{
	uint64_t	w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Load the last n < 8 bytes as the low bytes of a word. */
NV_INLINE NV_TARGET uint64_t
loadn_u64(const uint8_t *p, size_t n)
{
	uint64_t	w = 0;

	memcpy(&w, p, n);
	return w;
}

/* Kernel: the number of bits that differ. */
static NV_TARGET uint64_t
hamming(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64_t	count = 0;
	size_t		i = 0;

	for (; i + 8 <= n; i += 8)
		count += (uint64_t) _mm_popcnt_u64(load_u64(a + i) ^ load_u64(b + i));
	if (i < n)
		count += (uint64_t) _mm_popcnt_u64(loadn_u64(a + i, n - i) ^ loadn_u64(b + i, n - i));
	return count;
}

/* Kernel: the numbers of bits that both have, and that either has. */
static NV_TARGET void
jaccard(const uint8_t *a, const uint8_t *b, size_t n, NvBitCounts *out)
{
	uint64_t	both = 0,
				either = 0;

	for (size_t i = 0; i < n; i += 8)
	{
		uint64_t	x = n - i >= 8 ? load_u64(a + i) : loadn_u64(a + i, n - i);
		uint64_t	y = n - i >= 8 ? load_u64(b + i) : loadn_u64(b + i, n - i);

		both += (uint64_t) _mm_popcnt_u64(x & y);
		either += (uint64_t) _mm_popcnt_u64(x | y);
	}
	out->both = both;
	out->either = either;
}

/* Kernel: halves to floats. */
static NV_TARGET void
f16_to_f32(const nv_f16 *a, nv_f32 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		store_f32(out + i, load_f16(a + i));
	for (; i < n; i++)
		out[i] = nv_half_to_float(a[i]);
}

/* Kernel: floats to halves. */
static NV_TARGET void
f32_to_f16(const nv_f32 *a, nv_f16 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		_mm_storeu_si128((__m128i *) (out + i),
						 _mm256_cvtps_ph(load_f32(a + i), _MM_FROUND_TO_NEAREST_INT));
	for (; i < n; i++)
		out[i] = nv_float_to_half(a[i]);
}

/*
 * Two groups per 32-byte register.  Sums of bytes are kept in 16-bit lanes:
 * "all" adds the lane as it is (low byte + 256 * high byte), "high" the high
 * byte alone, so that low = all - 256 * high, modulo 2^16.
 */
typedef struct FastscanSums
{
	__m256i		all;
	__m256i		high;
} FastscanSums;

/* Look up the table entries of 4-bit codes, and add them. */
NV_INLINE NV_TARGET void
fastscan_add(FastscanSums *s, __m256i lut, __m256i nibbles)
{
	__m256i		v = _mm256_shuffle_epi8(lut, nibbles);

	s->all = _mm256_add_epi16(s->all, v);
	s->high = _mm256_add_epi16(s->high, _mm256_srli_epi16(v, 8));
}

/* Write the 16 sums of the children whose bytes are lanes 0..15. */
NV_INLINE NV_TARGET void
fastscan_store(const FastscanSums *s, uint16_t *out)
{
	__m256i		low = _mm256_sub_epi16(s->all, _mm256_slli_epi16(s->high, 8));
	__m128i		even = _mm_add_epi16(_mm256_castsi256_si128(low),
									 _mm256_extracti128_si256(low, 1));
	__m128i		odd = _mm_add_epi16(_mm256_castsi256_si128(s->high),
									_mm256_extracti128_si256(s->high, 1));

	_mm_storeu_si128((__m128i *) out, _mm_unpacklo_epi16(even, odd));
	_mm_storeu_si128((__m128i *) (out + 8), _mm_unpackhi_epi16(even, odd));
}

/* Kernel: sums of table entries for the 32 codes of a block. */
static NV_TARGET void
fastscan(const uint8_t *codes, const uint8_t *lut, size_t ngroups, uint16_t *out)
{
	const __m256i mask = _mm256_set1_epi8(15);
	const __m256i bytes = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
	const __m256i words = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	FastscanSums lo = {_mm256_setzero_si256(), _mm256_setzero_si256()};
	FastscanSums hi = lo;

	for (size_t i = 0; i < ngroups * 16; i += 64)
	{
		__m256i		l01 = _mm256_loadu_si256((const __m256i *) (lut + i));
		__m256i		l23 = _mm256_loadu_si256((const __m256i *) (lut + i + 32));
		/* 8 children each; of each group, 8 bytes side by side */
		__m256i		first = _mm256_permutevar8x32_epi32(
			_mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *) (codes + i)), bytes), words);
		__m256i		second = _mm256_permutevar8x32_epi32(
			_mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *) (codes + i + 32)), bytes),
			words);
		__m256i		c[2] = {_mm256_unpacklo_epi64(first, second),
			_mm256_unpackhi_epi64(first, second)};
		__m256i		l[2] = {_mm256_permute2x128_si256(l01, l23, 0x20),
			_mm256_permute2x128_si256(l01, l23, 0x31)};

		NV_UNROLL
		for (int k = 0; k < 2; k++)
		{
			fastscan_add(&lo, l[k], _mm256_and_si256(c[k], mask));
			fastscan_add(&hi, l[k], _mm256_and_si256(_mm256_srli_epi16(c[k], 4), mask));
		}
	}
	fastscan_store(&lo, out);
	fastscan_store(&hi, out + 16);
}

/*
 * The table of a step is made for 8 groups at a time.  Their coordinates are
 * packed to bytes, 4 groups to a 128-bit part, group 2 * i + part in its i-th
 * four bytes.  An entry is a sum of two bytes: of the first two coordinates,
 * each with the signs that its bits say, and of the last two.
 */
NV_INLINE NV_TARGET __m256i
pack_step(const float *t, vec inverse)
{
	__m256i		z[4];

	NV_UNROLL
	for (int i = 0; i < 4; i++)
		z[i] = _mm256_cvtps_epi32(_mm256_mul_ps(load_f32(t + 8 * i), inverse));
	return _mm256_packs_epi16(_mm256_packs_epi32(z[0], z[1]), _mm256_packs_epi32(z[2], z[3]));
}

/* Half of what stands for 0, plus the four sums of coordinates k and k + 1 of each group. */
NV_INLINE NV_TARGET __m256i
sign_pairs(__m256i z, int k)
{
	const __m256i groups = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
	/* the mask is all ones where a bit is 0, since (x ^ ones) + 1 = -x */
	const __m256i minus0 = _mm256_set1_epi32(0x00ff00ff);
	const __m256i minus1 = _mm256_set1_epi32(0x0000ffff);
	const __m256i zero = _mm256_sub_epi8(_mm256_sub_epi8(_mm256_set1_epi8(NV_STEP_ZERO / 2), minus0),
										 minus1);
	__m256i		z0 = _mm256_shuffle_epi8(z, _mm256_add_epi8(groups, _mm256_set1_epi8((char) k)));
	__m256i		z1 = _mm256_shuffle_epi8(z, _mm256_add_epi8(groups, _mm256_set1_epi8((char) (k + 1))));

	return _mm256_add_epi8(_mm256_add_epi8(_mm256_xor_si256(z0, minus0), zero),
						   _mm256_xor_si256(z1, minus1));
}

/* Kernel: the table of a step. */
static NV_TARGET void
step_table(const float *t, size_t ngroups, float inverse, uint8_t *lut)
{
	const __m256i first = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3));
	const __m256i last = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));

	for (size_t g = 0; g < ngroups; g += 8)
	{
		__m256i		z = pack_step(t + g * NV_FASTSCAN_GROUP, vset1(inverse));
		__m256i		low = sign_pairs(z, 0);
		__m256i		high = sign_pairs(z, 2);

		NV_UNROLL
		for (int i = 0; i < 4; i++)
		{
			__m256i		part = _mm256_set1_epi8((char) (4 * i));

			_mm256_storeu_si256((__m256i *) (lut + 16 * g + 32 * i), _mm256_add_epi8(
									_mm256_shuffle_epi8(low, _mm256_add_epi8(first, part)),
									_mm256_shuffle_epi8(high, _mm256_add_epi8(last, part))));
		}
	}
}

/* Widen 8 numbers of 16 bits to 32 bits. */
NV_INLINE NV_TARGET __m256i
widen_u16(const uint16_t *x)
{
	return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *) x));
}

/* Kernel: estimates from the sums of 32 codes. */
static NV_TARGET uint32_t
fastscan_estimate(const uint16_t *sums, const NvHalfFloat *add, const NvHalfFloat *factor,
				  float weight, float scale, float bias, float start, float most, float *out)
{
	uint32_t	near = 0;

	NV_UNROLL
	for (int i = 0; i < NV_FASTSCAN_BLOCK; i += VEC_LANES)
	{
		vec			a = _mm256_castsi256_ps(_mm256_slli_epi32(widen_u16(add + i), 16));
		vec			f = _mm256_castsi256_ps(_mm256_slli_epi32(widen_u16(factor + i), 16));
		vec			t = vfma(_mm256_cvtepi32_ps(widen_u16(sums + i)), vset1(scale), vset1(bias));
		vec			e = _mm256_fnmadd_ps(f, t, vfma(vset1(weight), a, vset1(start)));

		store_f32(out + i, e);
		near |= (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps(e, vset1(most), _CMP_NGT_UQ)) << i;
	}
	return near;
}

/* Kernel: 8-bit codes to floats. */
static NV_TARGET void
decode_u8(const uint8_t *codes, size_t n, float scale, float offset, nv_f32 *out)
{
	const vec	s = vset1(scale),
				o = vset1(offset);
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		store_f32(out + i, vfma(s, load_u8(codes + i), o));
	for (; i < n; i++)
		out[i] = __builtin_fmaf(scale, (float) codes[i], offset);
}

/* Kernel: the signs of a difference, as bits. */
static NV_TARGET void
signs_f32(const nv_f32 *o, const nv_f32 *p, size_t n, uint16_t *bits)
{
	for (size_t i = 0; i < n; i += 2 * VEC_LANES)
	{
		vec			up_x = _mm256_cmp_ps(load_f32(o + i), load_f32(p + i), _CMP_GT_OQ),
					up_y = _mm256_cmp_ps(load_f32(o + i + VEC_LANES), load_f32(p + i + VEC_LANES),
										 _CMP_GT_OQ);

		bits[i / 16] = (uint16_t) (_mm256_movemask_ps(up_x) | _mm256_movemask_ps(up_y) << VEC_LANES);
	}
}

/* Add products in two registers of 4 doubles, so that an addition need not wait for the last. */
static NV_TARGET double
ipd_f32(const nv_f32 *a, const nv_f32 *b, size_t n)
{
	__m256d		low = _mm256_setzero_pd(),
				high = low,
				both;
	__m128d		sum;

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		bool		full = n - i >= VEC_LANES;
		vec			x = full ? load_f32(a + i) : loadn_f32(a + i, n - i);
		vec			y = full ? load_f32(b + i) : loadn_f32(b + i, n - i);

		low = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(x)),
							  _mm256_cvtps_pd(_mm256_castps256_ps128(y)), low);
		high = _mm256_fmadd_pd(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)),
							   _mm256_cvtps_pd(_mm256_extractf128_ps(y, 1)), high);
	}
	both = _mm256_add_pd(low, high);
	sum = _mm_add_pd(_mm256_castpd256_pd128(both), _mm256_extractf128_pd(both, 1));
	return _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)));
}

/*
 * Block against block: 8 elements of a are compared with each of 8 of b, and
 * take its value where the indices are the same.  Then the block that ends
 * first makes place for the next, both if they end alike.
 */
static NV_TARGET size_t
match_sparse(const nv_i32 *ai, const nv_f32 *av, size_t na, const nv_i32 *bi, const nv_f32 *bv,
			 size_t nb, float *x, float *y)
{
	size_t		rest = nb % VEC_LANES;
	__m256i		rest_lanes = first_lanes(rest);
	int32_t		last_i[VEC_LANES];
	float		last_v[VEC_LANES];
	size_t		i = 0,
				j = 0,
				n = 0;

	/* a value of 0 is no match, so indices of 0 do no harm */
	_mm256_storeu_si256((__m256i *) last_i,
						_mm256_maskload_epi32((const int *) (bi + nb - rest), rest_lanes));
	store_f32(last_v, _mm256_maskload_ps((const float *) (bv + nb - rest), rest_lanes));

	while (i < na && j < nb)
	{
		bool		a_full = na - i >= VEC_LANES;
		bool		b_full = nb - j >= VEC_LANES;
		size_t		a_end = a_full ? i + VEC_LANES - 1 : na - 1;
		size_t		b_end = b_full ? j + VEC_LANES - 1 : nb - 1;
		__m256i		lanes = first_lanes(a_end + 1 - i);
		__m256i		index = _mm256_maskload_epi32((const int *) (ai + i), lanes);
		const nv_i32 *other_i = b_full ? bi + j : last_i;
		const nv_f32 *other_v = b_full ? bv + j : last_v;
		__m256i		found = _mm256_setzero_si256();
		float		values[VEC_LANES];
		unsigned	m;

		NV_UNROLL
		for (int k = 0; k < VEC_LANES; k++)
		{
			__m256i		same = _mm256_cmpeq_epi32(index, _mm256_set1_epi32(other_i[k]));
			__m256i		value = _mm256_castps_si256(vset1(other_v[k]));

			found = _mm256_or_si256(found, _mm256_and_si256(same, value));
		}
		found = _mm256_and_si256(found, lanes);
		m = (unsigned) _mm256_movemask_ps(_mm256_castsi256_ps(
											  _mm256_cmpeq_epi32(found, _mm256_setzero_si256())));
		store_f32(values, _mm256_castsi256_ps(found));
		for (m ^= 0xff; m != 0; m &= m - 1)
		{
			int			k = __builtin_ctz(m);

			x[n] = av[i + (size_t) k];
			y[n++] = values[k];
		}
		i += ai[a_end] <= bi[b_end] ? VEC_LANES : 0;
		j += bi[b_end] <= ai[a_end] ? VEC_LANES : 0;
	}
	return n;
}

/* Bit i of 32 is set where low <= x[i] <= high, as unsigned numbers. */
static inline NV_TARGET uint32_t
range_bits(const uint16_t *x, __m256i low, __m256i high)
{
	__m256i		a = _mm256_loadu_si256((const __m256i *) x);
	__m256i		b = _mm256_loadu_si256((const __m256i *) (x + 16));
	__m256i		in_a = _mm256_cmpeq_epi16(a, _mm256_min_epu16(_mm256_max_epu16(a, low), high));
	__m256i		in_b = _mm256_cmpeq_epi16(b, _mm256_min_epu16(_mm256_max_epu16(b, low), high));

	/* packing goes by halves of 128 bits */
	return (uint32_t) _mm256_movemask_epi8(
		_mm256_permute4x64_epi64(_mm256_packs_epi16(in_a, in_b), 0xd8));
}

/* Kernel: which of n numbers are in a range. */
static NV_TARGET void
mask_range_u16(const uint16_t *x, size_t n, uint16_t low, uint16_t high, uint64_t *bits)
{
	const __m256i least = _mm256_set1_epi16((short) low);
	const __m256i most = _mm256_set1_epi16((short) high);

	for (size_t i = 0; i < n; i += 64)
		bits[i / 64] = low > high ? 0 : range_bits(x + i, least, most) |
			(uint64_t) range_bits(x + i + 32, least, most) << 32;
}

/* Kernel: which of n words have a value in some of their bits. */
static NV_TARGET void
mask_equal_u64(const uint64_t *x, size_t n, uint64_t mask, uint64_t value, uint64_t *bits)
{
	const __m256i masks = _mm256_set1_epi64x((long long) mask);
	const __m256i values = _mm256_set1_epi64x((long long) value);

	for (size_t i = 0; i < n; i += 64)
	{
		uint64_t	word = 0;

		for (int k = 0; k < 64; k += 4)
		{
			__m256i		v = _mm256_loadu_si256((const __m256i *) (x + i + k));
			__m256i		equal = _mm256_cmpeq_epi64(_mm256_and_si256(v, masks), values);

			word |= (uint64_t) _mm256_movemask_pd(_mm256_castsi256_pd(equal)) << k;
		}
		bits[i / 64] = word;
	}
}

/* Kernel: the index of the least element. */
static NV_TARGET size_t
argmin(const float *x, size_t n)
{
	vec			least = vset1(__builtin_inff());
	__m256i		index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
	__m256i		at = index;
	float		values[VEC_LANES];
	uint32_t	indices[VEC_LANES];
	size_t		i = 0;
	size_t		best = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
	{
		vec			v = load_f32(x + i);
		__m256		less = _mm256_cmp_ps(v, least, _CMP_LT_OQ);

		least = _mm256_blendv_ps(least, v, less);
		at = _mm256_blendv_epi8(at, index, _mm256_castps_si256(less));
		index = _mm256_add_epi32(index, _mm256_set1_epi32(VEC_LANES));
	}
	store_f32(values, least);
	_mm256_storeu_si256((__m256i *) indices, at);
	if (i > 0)
	{
		best = indices[0];
		for (int k = 1; k < VEC_LANES; k++)
		{
			if (values[k] < x[best] || (values[k] == x[best] && indices[k] < best))
				best = indices[k];
		}
	}
	for (; i < n; i++)
	{
		if (x[i] < x[best])
			best = i;
	}
	return best;
}

/*
 * Bytes become numbers of 16 bits where they lie: the even ones of each four by a mask,
 * the odd ones by a shift.  The sums of two products are exact in 32 bits.
 */
#define PANEL_TILE 4

/* Codes of the rows of a tile that are made numbers of 16 bits at a time, for all panels. */
#define PANEL_STRETCH 256

/* Of each four codes of a row the even ones, and the odd ones. */
typedef int32_t PanelStretch[PANEL_TILE][PANEL_STRETCH / 4][2];

/* Two numbers of 16 bits, the first one low. */
NV_INLINE int32_t
pair_i16(int8_t low, int8_t high)
{
	return (int32_t) ((uint32_t) (uint16_t) low | (uint32_t) (uint16_t) high << 16);
}

/* Add the products of a stretch of n codes, or set them if it is the first. */
NV_INLINE NV_TARGET void
panel_tile(const PanelStretch x, size_t n, const uint8_t *panel, bool first, int32_t *out,
		   size_t out_stride)
{
	const __m256i mask = _mm256_set1_epi16(0xff);
	__m256i		sum[PANEL_TILE][2];

	NV_UNROLL
	for (int r = 0; r < PANEL_TILE; r++)
	{
		NV_UNROLL
		for (int c = 0; c < 2; c++)
			sum[r][c] = first ? _mm256_setzero_si256() :
				_mm256_loadu_si256((const __m256i *) (out + r * out_stride + 8 * c));
	}

	for (size_t i = 0; i < n / 4; i++)
	{
		const uint8_t *four = panel + i * 4 * NV_PANEL;
		__m256i		even[2];
		__m256i		odd[2];

		NV_UNROLL
		for (int c = 0; c < 2; c++)
		{
			__m256i		codes = _mm256_loadu_si256((const __m256i *) (four + 32 * c));

			even[c] = _mm256_and_si256(codes, mask);
			odd[c] = _mm256_srli_epi16(codes, 8);
		}
		NV_UNROLL
		for (int r = 0; r < PANEL_TILE; r++)
		{
			__m256i		x_even = _mm256_set1_epi32(x[r][i][0]);
			__m256i		x_odd = _mm256_set1_epi32(x[r][i][1]);

			NV_UNROLL
			for (int c = 0; c < 2; c++)
			{
				sum[r][c] = _mm256_add_epi32(sum[r][c], _mm256_madd_epi16(even[c], x_even));
				sum[r][c] = _mm256_add_epi32(sum[r][c], _mm256_madd_epi16(odd[c], x_odd));
			}
		}
	}

	NV_UNROLL
	for (int r = 0; r < PANEL_TILE; r++)
	{
		NV_UNROLL
		for (int c = 0; c < 2; c++)
			_mm256_storeu_si256((__m256i *) (out + r * out_stride + 8 * c), sum[r][c]);
	}
}

/* Multiply the rows of a tile with all panels, from code "from" on. */
static NV_TARGET void
panel_stretch(const int8_t *rows, size_t n, size_t from, const uint8_t *panels, size_t npanels,
			  int32_t *out)
{
	const size_t width = npanels * NV_PANEL;
	const size_t count = n - from < PANEL_STRETCH ? n - from : PANEL_STRETCH;
	PanelStretch x;

	for (size_t r = 0; r < PANEL_TILE; r++)
	{
		for (size_t i = 0; i < count; i += 4)
		{
			const int8_t *four = rows + r * n + from + i;

			x[r][i / 4][0] = pair_i16(four[0], four[2]);
			x[r][i / 4][1] = pair_i16(four[1], four[3]);
		}
	}
	for (size_t p = 0; p < npanels; p++)
	{
		for (size_t c = 0; c < NV_PANEL; c += 16)
			panel_tile((const int32_t (*)[PANEL_STRETCH / 4][2]) x, count,
					   panels + p * n * NV_PANEL + from * NV_PANEL + 4 * c, from == 0,
					   out + p * NV_PANEL + c, width);
	}
}

static NV_TARGET void
panel_dots(const int8_t *rows, size_t n, const uint8_t *panels, size_t npanels, int32_t *out)
{
	const size_t width = npanels * NV_PANEL;

	if (n == 0)
		memset(out, 0, sizeof(int32_t) * NV_PANEL_ROWS * width);
	for (size_t r = 0; r < NV_PANEL_ROWS; r += PANEL_TILE)
	{
		for (size_t from = 0; from < n; from += PANEL_STRETCH)
			panel_stretch(rows + r * n, n, from, panels, npanels, out + r * width);
	}
}

/* The sum of the lanes of a register. */
NV_INLINE NV_TARGET int32_t
sum_lanes_i32(__m256i x)
{
	__m128i		s = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/* Vectors that are multiplied side by side. */
#define SIDE_BY_SIDE 4

/* The sums of the products of codes less 128 and those of up to SIDE_BY_SIDE others. */
NV_INLINE NV_TARGET void
few_dots_u8(const uint8_t *a, const uint8_t *const *b, size_t m, size_t n, int32_t *out)
{
	const __m256i base = _mm256_set1_epi16(128);
	const size_t whole = n - n % 16;
	__m256i		sum[SIDE_BY_SIDE];

	for (size_t k = 0; k < m; k++)
		sum[k] = _mm256_setzero_si256();
	for (size_t i = 0; i < whole; i += 16)
	{
		__m256i		x = _mm256_sub_epi16(
			_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (a + i))), base);

		NV_UNROLL
		for (size_t k = 0; k < m; k++)
			sum[k] = _mm256_add_epi32(sum[k], _mm256_madd_epi16(
				x, _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *) (b[k] + i)))));
	}
	for (size_t k = 0; k < m; k++)
	{
		out[k] = sum_lanes_i32(sum[k]);
		for (size_t i = whole; i < n; i++)
			out[k] += (a[i] - 128) * b[k][i];
	}
}

/* Kernel: the sums of the products of codes less 128 and others. */
static NV_TARGET void
dots_u8(const uint8_t *a, const uint8_t *const *b, size_t m, size_t n, int32_t *out)
{
	size_t		k = 0;

	for (; k + SIDE_BY_SIDE <= m; k += SIDE_BY_SIDE)
		few_dots_u8(a, b + k, SIDE_BY_SIDE, n, out + k);
	for (; k < m; k++)
		few_dots_u8(a, b + k, 1, n, out + k);
}

/* Kernel: the places of keys when they are sorted. */
static NV_TARGET void
rank_u64(const uint64_t *keys, size_t n, uint32_t *rank)
{
	const __m256i flip = _mm256_set1_epi64x(INT64_MIN);
	const size_t whole = n - n % 4;

	for (size_t i = 0; i < n; i++)
	{
		const __m256i key = _mm256_set1_epi64x((int64_t) (keys[i] ^ (uint64_t) INT64_MIN));
		__m256i		less = _mm256_setzero_si256();
		uint64_t	lanes[4];
		uint64_t	count = 0;

		/* what is less in a lane is counted as -1 */
		for (size_t j = 0; j < whole; j += 4)
			less = _mm256_add_epi64(less, _mm256_cmpgt_epi64(key, _mm256_xor_si256(flip,
				_mm256_loadu_si256((const __m256i *) (keys + j)))));
		_mm256_storeu_si256((__m256i *) lanes, less);
		count -= lanes[0] + lanes[1] + lanes[2] + lanes[3];
		for (size_t j = whole; j < n; j++)
			count += keys[j] < keys[i];
		for (size_t j = 0; j < i; j++)
			count += keys[j] == keys[i];
		rank[i] = (uint32_t) count;
	}
}

/* The inner products of v and a register of columns from i on. */
NV_INLINE NV_TARGET vec
panel_products(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns,
			   size_t i)
{
	__m256i		whole = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *) (dots + i)),
										 _mm256_set1_epi32(128 * v->sum));
	vec			product = _mm256_mul_ps(_mm256_mul_ps(vset1(v->scale), load_f32(columns->scale + i)),
										_mm256_cvtepi32_ps(whole));
	vec			rest = vadd(_mm256_mul_ps(vset1(v->offset), load_f32(columns->tilt + i)),
							_mm256_mul_ps(vset1(v->tilt), load_f32(columns->offset + i)));

	return vadd(product, rest);
}

static NV_TARGET void
panel_ip(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, size_t n,
		 float *out)
{
	for (size_t i = 0; i < n; i += VEC_LANES)
		store_f32(out + i, panel_products(dots, v, columns, i));
}

static NV_TARGET void
panel_l2sq(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, size_t n,
		   float *out)
{
	const vec	norm2 = vset1(v->norm2);

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		vec			half = panel_products(dots, v, columns, i);

		/* of a NaN the second one is taken */
		store_f32(out + i, vmax(vsub(vadd(norm2, load_f32(columns->norm2 + i)), vadd(half, half)),
								vzero()));
	}
}

static NV_TARGET size_t
count_upto(const float *x, size_t n, float most)
{
	const vec	limit = vset1(most);
	size_t		count = 0;

	for (size_t i = 0; i < n; i += VEC_LANES)
		count += (size_t) _mm_popcnt_u32((unsigned) _mm256_movemask_ps(
											 _mm256_cmp_ps(load_f32(x + i), limit, _CMP_LE_OQ)));
	return count;
}

static NV_TARGET size_t
find_upto(const float *x, size_t n, float most, uint32_t *at)
{
	const vec	limit = vset1(most);
	size_t		count = 0;

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		unsigned	m = (unsigned) _mm256_movemask_ps(
			_mm256_cmp_ps(load_f32(x + i), limit, _CMP_LE_OQ));

		for (; m != 0; m &= m - 1)
			at[count++] = (uint32_t) i + (uint32_t) __builtin_ctz(m);
	}
	return count;
}

const NvKernels nv_kernels_avx2 = {
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

#endif							/* __x86_64__ */
