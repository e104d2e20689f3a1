/*-------------------------------------------------------------------------
 *
 * kern_avx512.c
 *		Kernels for x86-64 CPUs with AVX-512 F, BW, DQ and VL (2017 on), and
 *		the few that gain from VNNI or VPOPCNTDQ.
 *
 *-------------------------------------------------------------------------
 */
#include "simd/kern.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define NV_TARGET \
	__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl")))
#define VEC_LANES 16
#define TILE_A 4
#define TILE_B 4
#define MAXIMA_TRIPLES 4
#define vpin(v) __asm__ volatile("" : : "v"(v))

typedef __m512 vec;

NV_INLINE NV_TARGET vec vzero(void) { return _mm512_setzero_ps(); }
NV_INLINE NV_TARGET vec vset1(float x) { return _mm512_set1_ps(x); }
NV_INLINE NV_TARGET vec vadd(vec a, vec b) { return _mm512_add_ps(a, b); }
NV_INLINE NV_TARGET vec vsub(vec a, vec b) { return _mm512_sub_ps(a, b); }
NV_INLINE NV_TARGET vec vabs(vec a) { return _mm512_abs_ps(a); }
NV_INLINE NV_TARGET vec vmax(vec a, vec b) { return _mm512_max_ps(a, b); }
NV_INLINE NV_TARGET vec vfma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }

/* Add the quarters of a register, all taken out at once: to halve it twice takes longer. */
NV_INLINE NV_TARGET __m128
quarters(vec v)
{
	return _mm_add_ps(_mm_add_ps(_mm512_castps512_ps128(v), _mm512_extractf32x4_ps(v, 1)),
					  _mm_add_ps(_mm512_extractf32x4_ps(v, 2), _mm512_extractf32x4_ps(v, 3)));
}

/*
 * Add up the lanes of one or of three registers.  Each function first adds within every
 * 128-bit part, lanes 2 apart and then neighbours, with three sums sharing a
 * register, and then adds the parts.
 */
NV_INLINE NV_TARGET float
vsum(vec v)
{
	v = vadd(v, _mm512_permute_ps(v, 0x4e));
	v = vadd(v, _mm512_permute_ps(v, 0xb1));
	return _mm_cvtss_f32(quarters(v));
}

/* The sums of the lanes of three registers. */
NV_INLINE NV_TARGET void
vsum3(vec u, vec v, vec w, float *x, float *y, float *z)
{
	vec			both = vadd(_mm512_unpacklo_ps(u, v), _mm512_unpackhi_ps(u, v));
	vec			third = vadd(w, _mm512_permute_ps(w, 0x4e));
	__m128		s = quarters(vadd(_mm512_shuffle_ps(both, third, 0x44),
							   _mm512_shuffle_ps(both, third, 0xde)));

	*x = _mm_cvtss_f32(s);
	*y = _mm_cvtss_f32(_mm_movehdup_ps(s));
	*z = _mm_cvtss_f32(_mm_movehl_ps(s, s));
}

NV_INLINE NV_TARGET float vgreatest(vec v) { return _mm512_reduce_max_ps(v); }

/* A mask of the first n lanes. */
NV_INLINE NV_TARGET __mmask16
first_lanes(size_t n)
{
	return (__mmask16) ((1u << n) - 1);
}

/* Keep the first n lanes, and set the others to 0. */
NV_INLINE NV_TARGET vec
vfirst(vec v, size_t n)
{
	return _mm512_maskz_mov_ps(first_lanes(n), v);
}

/* Load a register of floats. */
NV_INLINE NV_TARGET vec
load_f32(const nv_f32 *p)
{
	return _mm512_loadu_ps(p);
}

/* Load a register of halves, as floats. */
NV_INLINE NV_TARGET vec
load_f16(const nv_f16 *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *) p));
}

/* Load a register of 8-bit codes, as floats. */
NV_INLINE NV_TARGET vec
load_u8(const uint8_t *p)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) p)));
}

/* Load a register of 16-bit codes, as floats. */
NV_INLINE NV_TARGET vec
load_u16(const nv_u16 *p)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *) p)));
}

/* Store a register of floats. */
NV_INLINE NV_TARGET void
store_f32(nv_f32 *p, vec v)
{
	_mm512_storeu_ps(p, v);
}

/* A masked load does not touch the lanes that it leaves out. */
NV_INLINE NV_TARGET vec
loadn_f32(const nv_f32 *p, size_t n)
{
	return _mm512_maskz_loadu_ps(first_lanes(n), p);
}

/* Load the last n halves, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_f16(const nv_f16 *p, size_t n)
{
	return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}

/* Load the last n 8-bit codes, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_u8(const uint8_t *p, size_t n)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(first_lanes(n), p)));
}

/* Load the last n 16-bit codes, as floats; the other lanes are 0. */
NV_INLINE NV_TARGET vec
loadn_u16(const nv_u16 *p, size_t n)
{
	return _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first_lanes(n), p)));
}

/* Lane i becomes v[i] + v[i ^ h] when bit h of i is clear, else v[i ^ h] - v[i]. */
NV_INLINE NV_TARGET vec
butterfly_in_vec(vec v)
{
	const vec	minus1 = vset1(-1.0f),
				one = vset1(1.0f);

	v = vfma(v, _mm512_mask_mov_ps(one, 0xaaaa, minus1), _mm512_permute_ps(v, 0xb1));
	v = vfma(v, _mm512_mask_mov_ps(one, 0xcccc, minus1), _mm512_permute_ps(v, 0x4e));
	v = vfma(v, _mm512_mask_mov_ps(one, 0xf0f0, minus1), _mm512_shuffle_f32x4(v, v, 0xb1));
	v = vfma(v, _mm512_mask_mov_ps(one, 0xff00, minus1), _mm512_shuffle_f32x4(v, v, 0x4e));
	return v;
}

#include "simd/kern_pairs.h"

/*
 * 32 codes at a time, widened to 16 bits; a pair of products is at most
 * 2 * 255 * 255 and so exact in the 32 bits that madd gives.
 */
static NV_TARGET void
sums_u8(const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)
{
	__m512i		sa = _mm512_setzero_si512(),
				sb = sa,
				ab = sa,
				aa = sa,
				bb = sa;
	const __m512i ones = _mm512_set1_epi16(1);

	for (size_t i = 0; i < n; i += 32)
	{
		__mmask32	m = n - i >= 32 ? ~(__mmask32) 0 : ((__mmask32) 1 << (n - i)) - 1;
		__m512i		x = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(m, a + i));
		__m512i		y = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(m, b + i));

		sa = _mm512_add_epi32(sa, _mm512_madd_epi16(x, ones));
		sb = _mm512_add_epi32(sb, _mm512_madd_epi16(y, ones));
		ab = _mm512_add_epi32(ab, _mm512_madd_epi16(x, y));
		aa = _mm512_add_epi32(aa, _mm512_madd_epi16(x, x));
		bb = _mm512_add_epi32(bb, _mm512_madd_epi16(y, y));
	}
	out->a = (uint32_t) _mm512_reduce_add_epi32(sa);
	out->b = (uint32_t) _mm512_reduce_add_epi32(sb);
	out->ab = (uint32_t) _mm512_reduce_add_epi32(ab);
	out->aa = (uint32_t) _mm512_reduce_add_epi32(aa);
	out->bb = (uint32_t) _mm512_reduce_add_epi32(bb);
}

/* Kernel: the sum of the products of codes. */
static NV_TARGET uint32_t
dot_u8(const uint8_t *a, const uint8_t *b, size_t n)
{
	__m512i		sum = _mm512_setzero_si512();

	for (size_t i = 0; i < n; i += 32)
	{
		__mmask32	m = n - i >= 32 ? ~(__mmask32) 0 : ((__mmask32) 1 << (n - i)) - 1;

		sum = _mm512_add_epi32(sum, _mm512_madd_epi16(
								   _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(m, a + i)),
								   _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(m, b + i))));
	}
	return (uint32_t) _mm512_reduce_add_epi32(sum);
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

/* Kernel: halves to floats. */
static NV_TARGET void
f16_to_f32(const nv_f16 *a, nv_f32 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		store_f32(out + i, load_f16(a + i));
	if (i < n)
		_mm512_mask_storeu_ps(out + i, first_lanes(n - i), loadn_f16(a + i, n - i));
}

/* Kernel: floats to halves. */
static NV_TARGET void
f32_to_f16(const nv_f32 *a, nv_f16 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		_mm256_storeu_si256((__m256i *) (out + i),
							_mm512_cvtps_ph(load_f32(a + i), _MM_FROUND_TO_NEAREST_INT));
	if (i < n)
		_mm256_mask_storeu_epi16(out + i, first_lanes(n - i),
								 _mm512_cvtps_ph(loadn_f32(a + i, n - i), _MM_FROUND_TO_NEAREST_INT));
}

/*
 * Four groups per register.  Sums of bytes are kept in 16-bit lanes: "all"
 * adds the lane as it is (low byte + 256 * high byte), "high" the high byte
 * alone, so that low = all - 256 * high, modulo 2^16.
 */
typedef struct FastscanSums
{
	__m512i		all;
	__m512i		high;
} FastscanSums;

/* Look up the table entries of 4-bit codes, and add them. */
NV_INLINE NV_TARGET void
fastscan_add(FastscanSums *s, __m512i lut, __m512i nibbles)
{
	__m512i		v = _mm512_shuffle_epi8(lut, nibbles);

	s->all = _mm512_add_epi16(s->all, v);
	s->high = _mm512_add_epi16(s->high, _mm512_srli_epi16(v, 8));
}

/* Add the sums of the groups of a register. */
NV_INLINE NV_TARGET __m128i
fold_groups(__m512i v)
{
	__m256i		s = _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));

	return _mm_add_epi16(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
}

/* Write the 16 sums of the children whose bytes are lanes 0..15. */
NV_INLINE NV_TARGET void
fastscan_store(const FastscanSums *s, uint16_t *out)
{
	__m128i		even = fold_groups(_mm512_sub_epi16(s->all, _mm512_slli_epi16(s->high, 8)));
	__m128i		odd = fold_groups(s->high);

	_mm_storeu_si128((__m128i *) out, _mm_unpacklo_epi16(even, odd));
	_mm_storeu_si128((__m128i *) (out + 8), _mm_unpackhi_epi16(even, odd));
}

/* Transpose 16 x 4 bytes: from the 4 groups of each child to the 16 children of each group. */
NV_INLINE NV_TARGET __m512i
by_group(__m512i c)
{
	const __m512i bytes = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
	const __m512i words = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);

	return _mm512_permutexvar_epi32(words, _mm512_shuffle_epi8(c, bytes));
}

/* Kernel: sums of table entries for the 32 codes of a block. */
static NV_TARGET void
fastscan(const uint8_t *codes, const uint8_t *lut, size_t ngroups, uint16_t *out)
{
	const __m512i mask = _mm512_set1_epi8(15);
	FastscanSums lo = {_mm512_setzero_si512(), _mm512_setzero_si512()};
	FastscanSums hi = lo;

	for (size_t i = 0; i < ngroups * 16; i += 64)
	{
		__m512i		c = by_group(_mm512_loadu_si512(codes + i));
		__m512i		l = _mm512_loadu_si512(lut + i);

		fastscan_add(&lo, l, _mm512_and_si512(c, mask));
		fastscan_add(&hi, l, _mm512_and_si512(_mm512_srli_epi16(c, 4), mask));
	}
	fastscan_store(&lo, out);
	fastscan_store(&hi, out + 16);
}

/*
 * The table of a step is made for 16 groups at a time.  Their coordinates are
 * packed to bytes, 4 groups to a 128-bit part, group 4 * i + part in its i-th
 * four bytes.  An entry is a sum of two bytes: of the first two coordinates,
 * each with the signs that its bits say, and of the last two.
 */
NV_INLINE NV_TARGET __m512i
pack_step(const float *t, vec inverse)
{
	__m512i		z[4];

	NV_UNROLL
	for (int i = 0; i < 4; i++)
		z[i] = _mm512_cvtps_epi32(_mm512_mul_ps(load_f32(t + 16 * i), inverse));
	return _mm512_packs_epi16(_mm512_packs_epi32(z[0], z[1]), _mm512_packs_epi32(z[2], z[3]));
}

/* Half of what stands for 0, plus the four sums of coordinates k and k + 1 of each group. */
NV_INLINE NV_TARGET __m512i
sign_pairs(__m512i z, int k)
{
	const __m512i groups = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
	/* the mask is all ones where a bit is 0, since (x ^ ones) + 1 = -x */
	const __m512i minus0 = _mm512_set1_epi32(0x00ff00ff);
	const __m512i minus1 = _mm512_set1_epi32(0x0000ffff);
	const __m512i zero = _mm512_sub_epi8(_mm512_sub_epi8(_mm512_set1_epi8(NV_STEP_ZERO / 2), minus0),
										 minus1);
	__m512i		z0 = _mm512_shuffle_epi8(z, _mm512_add_epi8(groups, _mm512_set1_epi8((char) k)));
	__m512i		z1 = _mm512_shuffle_epi8(z, _mm512_add_epi8(groups, _mm512_set1_epi8((char) (k + 1))));

	return _mm512_add_epi8(_mm512_add_epi8(_mm512_xor_si512(z0, minus0), zero),
						   _mm512_xor_si512(z1, minus1));
}

/* Kernel: the table of a step. */
static NV_TARGET void
step_table(const float *t, size_t ngroups, float inverse, uint8_t *lut)
{
	const __m512i first = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3));
	const __m512i last = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3));

	for (size_t g = 0; g < ngroups; g += 16)
	{
		__m512i		z = pack_step(t + g * NV_FASTSCAN_GROUP, vset1(inverse));
		__m512i		low = sign_pairs(z, 0);
		__m512i		high = sign_pairs(z, 2);

		NV_UNROLL
		for (int i = 0; i < 4; i++)
		{
			__m512i		part = _mm512_set1_epi8((char) (4 * i));

			_mm512_storeu_si512(lut + 16 * g + 64 * i, _mm512_add_epi8(
									_mm512_shuffle_epi8(low, _mm512_add_epi8(first, part)),
									_mm512_shuffle_epi8(high, _mm512_add_epi8(last, part))));
		}
	}
}

/* Widen 16 numbers of 16 bits to 32 bits. */
NV_INLINE NV_TARGET __m512i
widen_u16(const uint16_t *x)
{
	return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *) x));
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
		vec			a = _mm512_castsi512_ps(_mm512_slli_epi32(widen_u16(add + i), 16));
		vec			f = _mm512_castsi512_ps(_mm512_slli_epi32(widen_u16(factor + i), 16));
		vec			t = vfma(_mm512_cvtepi32_ps(widen_u16(sums + i)), vset1(scale), vset1(bias));
		vec			e = _mm512_fnmadd_ps(f, t, vfma(vset1(weight), a, vset1(start)));

		store_f32(out + i, e);
		near |= (uint32_t) _mm512_cmp_ps_mask(e, vset1(most), _CMP_NGT_UQ) << i;
	}
	return near;
}

/* Load a register of floats, as doubles. */
NV_INLINE NV_TARGET __m512d
load_double(const nv_f32 *p)
{
	return _mm512_cvtps_pd(_mm256_loadu_ps((const float *) p));
}

/* Load the last n floats, as doubles; the other lanes are 0. */
NV_INLINE NV_TARGET __m512d
loadn_double(const nv_f32 *p, size_t n)
{
	return _mm512_cvtps_pd(_mm256_maskz_loadu_ps((__mmask8) ((1u << n) - 1), (const float *) p));
}

/* Two sums of 8 lanes, so that an addition need not wait for the last. */
static NV_TARGET double
ipd_f32(const nv_f32 *a, const nv_f32 *b, size_t n)
{
	__m512d		even = _mm512_setzero_pd(),
				odd = even;
	size_t		i = 0;

	for (; i + 16 <= n; i += 16)
	{
		even = _mm512_fmadd_pd(load_double(a + i), load_double(b + i), even);
		odd = _mm512_fmadd_pd(load_double(a + i + 8), load_double(b + i + 8), odd);
	}
	if (i + 8 <= n)
	{
		even = _mm512_fmadd_pd(load_double(a + i), load_double(b + i), even);
		i += 8;
	}
	odd = _mm512_fmadd_pd(loadn_double(a + i, n - i), loadn_double(b + i, n - i), odd);
	return _mm512_reduce_add_pd(_mm512_add_pd(even, odd));
}

/*
 * Block against block: 16 elements of a are compared with each of 16 of b, and
 * take its value where the indices are the same.  Then the block that ends
 * first makes place for the next, both if they end alike.
 */
static NV_TARGET size_t
match_sparse(const nv_i32 *ai, const nv_f32 *av, size_t na, const nv_i32 *bi, const nv_f32 *bv,
			 size_t nb, float *x, float *y)
{
	size_t		rest = nb % VEC_LANES;
	int32_t		last_i[VEC_LANES];
	float		last_v[VEC_LANES];
	size_t		i = 0,
				j = 0,
				n = 0;

	/* what fills the last block up has no index of a's */
	_mm512_storeu_si512(last_i, _mm512_mask_loadu_epi32(_mm512_set1_epi32(-1), first_lanes(rest),
														bi + nb - rest));
	_mm512_storeu_ps(last_v, _mm512_maskz_loadu_ps(first_lanes(rest), bv + nb - rest));

	while (i < na && j < nb)
	{
		bool		a_full = na - i >= VEC_LANES;
		bool		b_full = nb - j >= VEC_LANES;
		__mmask16	m = a_full ? 0xffff : first_lanes(na - i);
		__m512i		index = _mm512_maskz_loadu_epi32(m, ai + i);
		const nv_i32 *other_i = b_full ? bi + j : last_i;
		const nv_f32 *other_v = b_full ? bv + j : last_v;
		int32_t		a_end = ai[a_full ? i + VEC_LANES - 1 : na - 1];
		int32_t		b_end = bi[b_full ? j + VEC_LANES - 1 : nb - 1];
		vec			found = vzero();

		NV_UNROLL
		for (int k = 0; k < VEC_LANES; k++)
		{
			__mmask16	same = _mm512_cmpeq_epi32_mask(index, _mm512_set1_epi32(other_i[k]));

			found = _mm512_mask_mov_ps(found, same, vset1(other_v[k]));
		}
		m &= _mm512_test_epi32_mask(_mm512_castps_si512(found), _mm512_castps_si512(found));
		store_f32(x + n, _mm512_maskz_compress_ps(m, _mm512_maskz_loadu_ps(m, av + i)));
		store_f32(y + n, _mm512_maskz_compress_ps(m, found));
		n += (size_t) _mm_popcnt_u32(m);
		i += a_end <= b_end ? VEC_LANES : 0;
		j += b_end <= a_end ? VEC_LANES : 0;
	}
	return n;
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
	if (i < n)
		_mm512_mask_storeu_ps(out + i, first_lanes(n - i), vfma(s, loadn_u8(codes + i, n - i), o));
}

/* Kernel: the signs of a difference, as bits. */
static NV_TARGET void
signs_f32(const nv_f32 *o, const nv_f32 *p, size_t n, uint16_t *bits)
{
	for (size_t i = 0; i < n; i += VEC_LANES)
		bits[i / 16] = _mm512_cmp_ps_mask(load_f32(o + i), load_f32(p + i), _CMP_GT_OQ);
}

/* Kernel: which of n numbers are in a range. */
static NV_TARGET void
mask_range_u16(const uint16_t *x, size_t n, uint16_t low, uint16_t high, uint64_t *bits)
{
	const __m512i least = _mm512_set1_epi16((short) low);
	const __m512i most = _mm512_set1_epi16((short) high);

	for (size_t i = 0; i < n; i += 32)
	{
		__m512i		v = _mm512_loadu_si512(x + i);
		uint64_t	in = _mm512_mask_cmple_epu16_mask(_mm512_cmpge_epu16_mask(v, least), v, most);

		bits[i / 64] = i % 64 == 0 ? in : bits[i / 64] | in << 32;
	}
}

/* Kernel: which of n words have a value in some of their bits. */
static NV_TARGET void
mask_equal_u64(const uint64_t *x, size_t n, uint64_t mask, uint64_t value, uint64_t *bits)
{
	const __m512i masks = _mm512_set1_epi64((long long) mask);
	const __m512i values = _mm512_set1_epi64((long long) value);

	for (size_t i = 0; i < n; i += 64)
	{
		uint64_t	word = 0;

		for (int k = 0; k < 64; k += 8)
		{
			__m512i		v = _mm512_and_si512(_mm512_loadu_si512(x + i + k), masks);

			word |= (uint64_t) _mm512_cmpeq_epi64_mask(v, values) << k;
		}
		bits[i / 64] = word;
	}
}

/* Lanes behind the end hold infinity, and so lose against what comes before them. */
static NV_TARGET size_t
argmin(const float *x, size_t n)
{
	const vec	infinity = vset1(__builtin_inff());
	vec			least = infinity;
	__m512i		index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m512i		at = index;
	__mmask16	equal;

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		__mmask16	m = n - i >= VEC_LANES ? 0xffff : first_lanes(n - i);
		vec			v = _mm512_mask_loadu_ps(infinity, m, x + i);
		__mmask16	less = _mm512_cmp_ps_mask(v, least, _CMP_LT_OQ);

		least = _mm512_mask_mov_ps(least, less, v);
		at = _mm512_mask_mov_epi32(at, less, index);
		index = _mm512_add_epi32(index, _mm512_set1_epi32(VEC_LANES));
	}
	equal = _mm512_cmp_ps_mask(least, vset1(_mm512_reduce_min_ps(least)), _CMP_EQ_OQ);
	return _mm512_mask_reduce_min_epu32(equal, at);
}

/* The inner products of v and a register of columns from i on. */
NV_INLINE NV_TARGET vec
panel_products(const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns,
			   size_t i)
{
	__m512i		whole = _mm512_sub_epi32(_mm512_loadu_si512(dots + i),
										 _mm512_set1_epi32(128 * v->sum));
	vec			product = _mm512_mul_ps(_mm512_mul_ps(vset1(v->scale), load_f32(columns->scale + i)),
										_mm512_cvtepi32_ps(whole));
	vec			rest = vadd(_mm512_mul_ps(vset1(v->offset), load_f32(columns->tilt + i)),
							_mm512_mul_ps(vset1(v->tilt), load_f32(columns->offset + i)));

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

	for (size_t i = 0; i < n; i += NV_PANEL)
	{
		NV_UNROLL
		for (size_t k = 0; k < NV_PANEL; k += VEC_LANES)
			count += (size_t) _mm_popcnt_u32(
				_mm512_cmp_ps_mask(load_f32(x + i + k), limit, _CMP_LE_OQ));
	}
	return count;
}

static NV_TARGET size_t
find_upto(const float *x, size_t n, float most, uint32_t *at)
{
	const vec	limit = vset1(most);
	__m512i		index = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	size_t		count = 0;

	for (size_t i = 0; i < n; i += VEC_LANES)
	{
		__mmask16	m = _mm512_cmp_ps_mask(load_f32(x + i), limit, _CMP_LE_OQ);

		_mm512_mask_compressstoreu_epi32(at + count, m, index);
		count += (size_t) _mm_popcnt_u32(m);
		index = _mm512_add_epi32(index, _mm512_set1_epi32(VEC_LANES));
	}
	return count;
}

/* How many of up to eight keys, as a mask says, are less than one, or with "equal" not more. */
NV_INLINE NV_TARGET uint32_t
count_less(const uint64_t *keys, __mmask8 these, __m512i than, bool equal)
{
	__m512i		x = _mm512_maskz_loadu_epi64(these, keys);

	return (uint32_t) __builtin_popcount(equal ? _mm512_mask_cmple_epu64_mask(these, x, than) :
										 _mm512_mask_cmplt_epu64_mask(these, x, than));
}

/* Kernel: the places of keys when they are sorted. */
static NV_TARGET void
rank_u64(const uint64_t *keys, size_t n, uint32_t *rank)
{
	const size_t whole = n - n % 8;
	const __mmask8 last = (__mmask8) ((1 << n % 8) - 1);

	for (size_t i = 0; i < n; i++)
	{
		const __m512i key = _mm512_set1_epi64((long long) keys[i]);
		const size_t own = i - i % 8;
		const __mmask8 before = (__mmask8) ((1 << i % 8) - 1);
		uint32_t	count = count_less(keys + own, before, key, true);
		size_t		j = 0;

		for (; j < own; j += 8)
			count += count_less(keys + j, 0xff, key, true);
		/* in its own eight, those behind it, and then all others */
		count += count_less(keys + j, (j < whole ? 0xff : last) & ~before, key, false);
		for (j += 8; j < whole; j += 8)
			count += count_less(keys + j, 0xff, key, false);
		if (j < n)
			count += count_less(keys + j, last, key, false);
		rank[i] = count;
	}
}

const NvKernels nv_kernels_avx512 = {
	NV_PAIRS_ENTRIES,
	.sums_u8 = sums_u8,
	.dot_u8 = dot_u8,
	.l1_u8 = l1_u8,
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
	.panel_l2sq = panel_l2sq,
	.panel_ip = panel_ip,
	.rank_u64 = rank_u64,
	.count_upto = count_upto,
	.find_upto = find_upto
};

#define NV_TARGET_VNNI \
	__attribute__((target("avx2,avx512f,avx512bw,avx512vnni")))

/* n < 64 makes a partial load, whose other bytes are 0. */
NV_INLINE NV_TARGET_VNNI __m512i
load_bytes_vnni(const uint8_t *p, size_t n)
{
	if (n >= 64)
		return _mm512_loadu_si512(p);
	return _mm512_maskz_loadu_epi8(((__mmask64) 1 << n) - 1, p);
}

/*
 * dpbusd multiplies unsigned by signed bytes, so one factor goes in as
 * code - 128 and the sum is mended at the end:
 * sum x * y = sum x * (y - 128) + 128 * sum x.
 */
static NV_TARGET_VNNI void
sums_u8_vnni(const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)
{
	__m512i		sa = _mm512_setzero_si512(),
				sb = sa,
				ab = sa,
				aa = sa,
				bb = sa;
	const __m512i ones = _mm512_set1_epi8(1);
	const __m512i flip = _mm512_set1_epi8((char) 0x80);

	for (size_t i = 0; i < n; i += 64)
	{
		__m512i		x = load_bytes_vnni(a + i, n - i);
		__m512i		y = load_bytes_vnni(b + i, n - i);
		__m512i		y_signed = _mm512_xor_si512(y, flip);

		sa = _mm512_dpbusd_epi32(sa, x, ones);
		sb = _mm512_dpbusd_epi32(sb, y, ones);
		ab = _mm512_dpbusd_epi32(ab, x, y_signed);
		aa = _mm512_dpbusd_epi32(aa, x, _mm512_xor_si512(x, flip));
		bb = _mm512_dpbusd_epi32(bb, y, y_signed);
	}
	out->a = (uint32_t) _mm512_reduce_add_epi32(sa);
	out->b = (uint32_t) _mm512_reduce_add_epi32(sb);
	out->ab = (uint32_t) _mm512_reduce_add_epi32(ab) + 128 * out->a;
	out->aa = (uint32_t) _mm512_reduce_add_epi32(aa) + 128 * out->a;
	out->bb = (uint32_t) _mm512_reduce_add_epi32(bb) + 128 * out->b;
}

/* Kernel: the sum of the products of codes, by VNNI. */
static NV_TARGET_VNNI uint32_t
dot_u8_vnni(const uint8_t *a, const uint8_t *b, size_t n)
{
	__m512i		sa = _mm512_setzero_si512(),
				ab = sa;
	const __m512i ones = _mm512_set1_epi8(1);
	const __m512i flip = _mm512_set1_epi8((char) 0x80);

	for (size_t i = 0; i < n; i += 64)
	{
		__m512i		x = load_bytes_vnni(a + i, n - i);
		__m512i		y = load_bytes_vnni(b + i, n - i);

		sa = _mm512_dpbusd_epi32(sa, x, ones);
		ab = _mm512_dpbusd_epi32(ab, x, _mm512_xor_si512(y, flip));
	}
	return (uint32_t) _mm512_reduce_add_epi32(_mm512_add_epi32(ab, _mm512_slli_epi32(sa, 7)));
}

/* 4 rows and a panel: 16 registers of sums, one for 16 columns of a row. */
#define PANEL_TILE_VNNI 4

static NV_TARGET_VNNI void
panel_dots_vnni(const int8_t *rows, size_t n, const uint8_t *panels, size_t npanels, int32_t *out)
{
	const size_t width = npanels * NV_PANEL;

	for (size_t tile = 0; tile < npanels * (NV_PANEL_ROWS / PANEL_TILE_VNNI); tile++)
	{
		size_t		p = tile / (NV_PANEL_ROWS / PANEL_TILE_VNNI);
		size_t		first = tile % (NV_PANEL_ROWS / PANEL_TILE_VNNI) * PANEL_TILE_VNNI;
		const int8_t *row = rows + first * n;
		const uint8_t *four = panels + p * n * NV_PANEL;
		__m512i		sum[PANEL_TILE_VNNI][4];

		NV_UNROLL
		for (int r = 0; r < PANEL_TILE_VNNI; r++)
			sum[r][0] = sum[r][1] = sum[r][2] = sum[r][3] = _mm512_setzero_si512();
		for (size_t i = 0; i < n; i += 4, four += 4 * NV_PANEL)
		{
			__m512i		codes[4];

			NV_UNROLL
			for (int c = 0; c < 4; c++)
				codes[c] = _mm512_loadu_si512(four + 64 * c);
			NV_UNROLL
			for (int r = 0; r < PANEL_TILE_VNNI; r++)
			{
				__m512i		x = _mm512_set1_epi32(*(const nv_i32 *) (row + (size_t) r * n + i));

				NV_UNROLL
				for (int c = 0; c < 4; c++)
					sum[r][c] = _mm512_dpbusd_epi32(sum[r][c], codes[c], x);
			}
		}
		NV_UNROLL
		for (int r = 0; r < PANEL_TILE_VNNI; r++)
		{
			NV_UNROLL
			for (int c = 0; c < 4; c++)
				_mm512_storeu_si512(out + (first + (size_t) r) * width + p * NV_PANEL + 16 * c,
									sum[r][c]);
		}
	}
}

/* The sums of the lanes of four registers. */
NV_INLINE NV_TARGET_VNNI __m128i
sum_four_vnni(__m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i		ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
	__m512i		cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
	__m512i		all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
	__m256i		half = _mm256_add_epi32(_mm512_castsi512_si256(all),
										_mm512_extracti64x4_epi64(all, 1));

	return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* The sums of the products of codes less 128 and those of four others. */
NV_INLINE NV_TARGET_VNNI __m128i
four_dots_vnni(const uint8_t *p, const uint8_t *const *others, size_t n)
{
	const __m512i flip = _mm512_set1_epi8((char) 0x80);
	const uint8_t *pa = others[0],
			   *pb = others[1],
			   *pc = others[2],
			   *pd = others[3];
	__m512i		a = _mm512_setzero_si512(),
				b = a,
				c = a,
				d = a;
	size_t		i = 0;

	for (; i + 64 <= n; i += 64)
	{
		__m512i		x = _mm512_xor_si512(_mm512_loadu_si512(p + i), flip);

		a = _mm512_dpbusd_epi32(a, _mm512_loadu_si512(pa + i), x);
		b = _mm512_dpbusd_epi32(b, _mm512_loadu_si512(pb + i), x);
		c = _mm512_dpbusd_epi32(c, _mm512_loadu_si512(pc + i), x);
		d = _mm512_dpbusd_epi32(d, _mm512_loadu_si512(pd + i), x);
	}
	if (i < n)
	{
		/* what is 0 in the others does not count */
		__m512i		x = _mm512_xor_si512(load_bytes_vnni(p + i, n - i), flip);

		a = _mm512_dpbusd_epi32(a, load_bytes_vnni(pa + i, n - i), x);
		b = _mm512_dpbusd_epi32(b, load_bytes_vnni(pb + i, n - i), x);
		c = _mm512_dpbusd_epi32(c, load_bytes_vnni(pc + i, n - i), x);
		d = _mm512_dpbusd_epi32(d, load_bytes_vnni(pd + i, n - i), x);
	}
	return sum_four_vnni(a, b, c, d);
}

/* Kernel: the sums of the products of codes less 128 and others, by VNNI. */
static NV_TARGET_VNNI void
dots_u8_vnni(const uint8_t *a, const uint8_t *const *b, size_t m, size_t n, int32_t *out)
{
	size_t		k = 0;

	for (; k + 4 <= m; k += 4)
		_mm_storeu_si128((__m128i *) (out + k), four_dots_vnni(a, b + k, n));
	if (k < m)
	{
		/* the last one stands for those that are missing */
		const uint8_t *others[4] = {b[k], b[m - 1], b[m - 1], b[m - 1]};
		int32_t		sums[4];

		if (k + 1 < m)
			others[1] = b[k + 1];
		_mm_storeu_si128((__m128i *) sums, four_dots_vnni(a, others, n));
		for (size_t j = 0; k + j < m; j++)
			out[k + j] = sums[j];
	}
}

const NvKernels nv_kernels_avx512_vnni = {
	.dots_u8 = dots_u8_vnni,
	.sums_u8 = sums_u8_vnni,
	.dot_u8 = dot_u8_vnni,
	.panel_dots = panel_dots_vnni
};

#define NV_TARGET_POPCNT \
	__attribute__((target("avx2,avx512f,avx512bw,avx512vpopcntdq")))

/* Load n bytes, at most a register; the others are 0. */
NV_INLINE NV_TARGET_POPCNT __m512i
load_bytes_popcnt(const uint8_t *p, size_t n)
{
	if (n >= 64)
		return _mm512_loadu_si512(p);
	return _mm512_maskz_loadu_epi8(((__mmask64) 1 << n) - 1, p);
}

/* Kernel: the number of bits that differ, by VPOPCNTDQ. */
static NV_TARGET_POPCNT uint64_t
hamming_popcnt(const uint8_t *a, const uint8_t *b, size_t n)
{
	__m512i		count = _mm512_setzero_si512();

	for (size_t i = 0; i < n; i += 64)
	{
		__m512i		x = load_bytes_popcnt(a + i, n - i);
		__m512i		y = load_bytes_popcnt(b + i, n - i);

		count = _mm512_add_epi64(count, _mm512_popcnt_epi64(_mm512_xor_si512(x, y)));
	}
	return (uint64_t) _mm512_reduce_add_epi64(count);
}

/* Kernel: the numbers of bits that both have, and that either has, by VPOPCNTDQ. */
static NV_TARGET_POPCNT void
jaccard_popcnt(const uint8_t *a, const uint8_t *b, size_t n, NvBitCounts *out)
{
	__m512i		both = _mm512_setzero_si512(),
				either = both;

	for (size_t i = 0; i < n; i += 64)
	{
		__m512i		x = load_bytes_popcnt(a + i, n - i);
		__m512i		y = load_bytes_popcnt(b + i, n - i);

		both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, y)));
		either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, y)));
	}
	out->both = (uint64_t) _mm512_reduce_add_epi64(both);
	out->either = (uint64_t) _mm512_reduce_add_epi64(either);
}

const NvKernels nv_kernels_avx512_vpopcntdq = {
	.hamming = hamming_popcnt,
	.jaccard = jaccard_popcnt
};

#endif							/* __x86_64__ */
