/*-------------------------------------------------------------------------
 *
 * kern_neon.c
 *		Kernels for 64-bit ARM; everything used here is in the base
 *		architecture.
 *
 *-------------------------------------------------------------------------
 */
#include "simd/kern.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "simd/half.h"

#define NV_TARGET
#define VEC_LANES 4
#define TILE_A 4
#define TILE_B 4
#define MAXIMA_TRIPLES 1
#define vpin(v) ((void) 0)

typedef float32x4_t vec;

NV_INLINE vec vzero(void) { return vdupq_n_f32(0.0f); }
NV_INLINE vec vset1(float x) { return vdupq_n_f32(x); }
NV_INLINE vec vadd(vec a, vec b) { return vaddq_f32(a, b); }
NV_INLINE vec vsub(vec a, vec b) { return vsubq_f32(a, b); }
NV_INLINE vec vabs(vec a) { return vabsq_f32(a); }
NV_INLINE vec vmax(vec a, vec b) { return vmaxq_f32(a, b); }
NV_INLINE float vgreatest(vec v) { return vmaxvq_f32(v); }
NV_INLINE vec vfma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
NV_INLINE float vsum(vec v) { return vaddvq_f32(v); }

/* The sums of the lanes of three registers. */
NV_INLINE void
vsum3(vec u, vec v, vec w, float *x, float *y, float *z)
{
	*x = vsum(u);
	*y = vsum(v);
	*z = vsum(w);
}

/* Keep the first n lanes, and set the others to 0. */
NV_INLINE vec
vfirst(vec v, size_t n)
{
	const uint32_t lane[4] = {0, 1, 2, 3};
	uint32x4_t	keep = vcltq_u32(vld1q_u32(lane), vdupq_n_u32((uint32_t) n));

	return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), keep));
}

/* Load a register of floats. */
NV_INLINE vec
load_f32(const nv_f32 *p)
{
	return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *) p));
}

/* Load a register of halves, as floats. */
NV_INLINE vec
load_f16(const nv_f16 *p)
{
	return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *) p)));
}

/* Load a register of 8-bit codes, as floats. */
NV_INLINE vec
load_u8(const uint8_t *p)
{
	uint8_t		four[8] = {0};

	memcpy(four, p, 4);
	return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(four)))));
}

/* Load a register of 16-bit codes, as floats. */
NV_INLINE vec
load_u16(const nv_u16 *p)
{
	return vcvtq_f32_u32(vmovl_u16(vreinterpret_u16_u8(vld1_u8((const uint8_t *) p))));
}

/* Store a register of floats. */
NV_INLINE void
store_f32(nv_f32 *p, vec v)
{
	vst1q_u8((uint8_t *) p, vreinterpretq_u8_f32(v));
}

/* Load the last n floats; the other lanes are 0. */
NV_INLINE vec
loadn_f32(const nv_f32 *p, size_t n)
{
	float		tail[VEC_LANES] = {0};

	memcpy(tail, p, n * sizeof(float));
	return load_f32(tail);
}

/* Load the last n halves, as floats; the other lanes are 0. */
NV_INLINE vec
loadn_f16(const nv_f16 *p, size_t n)
{
	uint16_t	tail[VEC_LANES] = {0};

	memcpy(tail, p, n * sizeof(uint16_t));
	return load_f16(tail);
}

/* Load the last n 8-bit codes, as floats; the other lanes are 0. */
NV_INLINE vec
loadn_u8(const uint8_t *p, size_t n)
{
	uint8_t		tail[VEC_LANES] = {0};

	memcpy(tail, p, n);
	return load_u8(tail);
}

/* Load the last n 16-bit codes, as floats; the other lanes are 0. */
NV_INLINE vec
loadn_u16(const nv_u16 *p, size_t n)
{
	uint16_t	tail[VEC_LANES] = {0};

	memcpy(tail, p, n * sizeof(uint16_t));
	return load_u16(tail);
}

/* Lane i becomes v[i] + v[i ^ h] when bit h of i is clear, else v[i ^ h] - v[i]. */
NV_INLINE vec
butterfly_in_vec(vec v)
{
	const float sign1[4] = {1, -1, 1, -1};
	const float sign2[4] = {1, 1, -1, -1};

	v = vfma(v, vld1q_f32(sign1), vrev64q_f32(v));
	v = vfma(v, vld1q_f32(sign2), vextq_f32(v, v, 2));
	return v;
}

#include "simd/kern_pairs.h"

/* n < 16 makes a partial load, whose other bytes are 0. */
NV_INLINE uint8x16_t
load_bytes(const uint8_t *p, size_t n)
{
	uint8_t		tail[16] = {0};

	if (n >= 16)
		return vld1q_u8(p);
	memcpy(tail, p, n);
	return vld1q_u8(tail);
}

/* Add the products of x and y to the sums; each product is exact in 16 bits. */
NV_INLINE uint32x4_t
add_products(uint32x4_t sum, uint8x16_t x, uint8x16_t y)
{
	sum = vpadalq_u16(sum, vmull_u8(vget_low_u8(x), vget_low_u8(y)));
	return vpadalq_u16(sum, vmull_u8(vget_high_u8(x), vget_high_u8(y)));
}

/* Kernel: all sums over two arrays of codes. */
static void
sums_u8(const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)
{
	uint32x4_t	sa = vdupq_n_u32(0),
				sb = sa,
				ab = sa,
				aa = sa,
				bb = sa;

	for (size_t i = 0; i < n; i += 16)
	{
		uint8x16_t	x = load_bytes(a + i, n - i);
		uint8x16_t	y = load_bytes(b + i, n - i);

		sa = vpadalq_u16(sa, vpaddlq_u8(x));
		sb = vpadalq_u16(sb, vpaddlq_u8(y));
		ab = add_products(ab, x, y);
		aa = add_products(aa, x, x);
		bb = add_products(bb, y, y);
	}
	out->a = vaddvq_u32(sa);
	out->b = vaddvq_u32(sb);
	out->ab = vaddvq_u32(ab);
	out->aa = vaddvq_u32(aa);
	out->bb = vaddvq_u32(bb);
}

/* Kernel: the taxicab distance of two arrays of codes. */
static float
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

/* Kernel: the number of bits that differ. */
static uint64_t
hamming(const uint8_t *a, const uint8_t *b, size_t n)
{
	uint64x2_t	count = vdupq_n_u64(0);

	for (size_t i = 0; i < n; i += 16)
	{
		uint8x16_t	x = veorq_u8(load_bytes(a + i, n - i), load_bytes(b + i, n - i));

		count = vpadalq_u32(count, vpaddlq_u16(vpaddlq_u8(vcntq_u8(x))));
	}
	return vaddvq_u64(count);
}

/* Kernel: the numbers of bits that both have, and that either has. */
static void
jaccard(const uint8_t *a, const uint8_t *b, size_t n, NvBitCounts *out)
{
	uint64x2_t	both = vdupq_n_u64(0),
				either = both;

	for (size_t i = 0; i < n; i += 16)
	{
		uint8x16_t	x = load_bytes(a + i, n - i);
		uint8x16_t	y = load_bytes(b + i, n - i);

		both = vpadalq_u32(both, vpaddlq_u16(vpaddlq_u8(vcntq_u8(vandq_u8(x, y)))));
		either = vpadalq_u32(either, vpaddlq_u16(vpaddlq_u8(vcntq_u8(vorrq_u8(x, y)))));
	}
	out->both = vaddvq_u64(both);
	out->either = vaddvq_u64(either);
}

/* Kernel: halves to floats. */
static void
f16_to_f32(const nv_f16 *a, nv_f32 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		store_f32(out + i, load_f16(a + i));
	for (; i < n; i++)
		out[i] = nv_half_to_float(a[i]);
}

/* Kernel: floats to halves. */
static void
f32_to_f16(const nv_f32 *a, nv_f16 *out, size_t n)
{
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		vst1_u8((uint8_t *) (out + i), vreinterpret_u8_f16(vcvt_f16_f32(load_f32(a + i))));
	for (; i < n; i++)
		out[i] = nv_float_to_half(a[i]);
}

/* Kernel: sums of table entries for the 32 codes of a block. */
static void
fastscan(const uint8_t *codes, const uint8_t *lut, size_t ngroups, uint16_t *out)
{
	const uint8x16_t mask = vdupq_n_u8(15);
	uint16x8_t	sum[4] = {vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0), vdupq_n_u16(0)};

	for (size_t g = 0; g < ngroups; g += 4)
	{
		uint8x16x4_t c = vld4q_u8(codes + g * 16);	/* by group */

		NV_UNROLL
		for (int k = 0; k < 4; k++)
		{
			uint8x16_t	l = vld1q_u8(lut + (g + k) * 16);
			uint8x16_t	lo = vqtbl1q_u8(l, vandq_u8(c.val[k], mask));
			uint8x16_t	hi = vqtbl1q_u8(l, vshrq_n_u8(c.val[k], 4));

			sum[0] = vaddw_u8(sum[0], vget_low_u8(lo));
			sum[1] = vaddw_u8(sum[1], vget_high_u8(lo));
			sum[2] = vaddw_u8(sum[2], vget_low_u8(hi));
			sum[3] = vaddw_u8(sum[3], vget_high_u8(hi));
		}
	}
	for (int i = 0; i < 4; i++)
		vst1q_u16(out + 8 * i, sum[i]);
}

/* Of 16 codes, four each of four columns: the products with four of a row, by columns in pairs. */
typedef struct PanelSums
{
	int32x4_t	first;
	int32x4_t	second;
} PanelSums;

/*
 * Both factors have a sign here: a code less 128 and what is of the row, whose sum,
 * 128 times, is then added.
 */
static void
panel_dots(const int8_t *rows, size_t n, const uint8_t *panels, size_t npanels, int32_t *out)
{
	const size_t width = npanels * NV_PANEL;
	const uint8x16_t flip = vdupq_n_u8(0x80);

	for (size_t r = 0; r < NV_PANEL_ROWS; r++)
	{
		const int8_t *row = rows + r * n;
		int32_t		base = 0;

		for (size_t i = 0; i < n; i++)
			base += 128 * row[i];
		for (size_t p = 0; p < npanels; p++)
		{
			for (size_t c = 0; c < NV_PANEL; c += 16)
			{
				const uint8_t *four = panels + p * n * NV_PANEL + 4 * c;
				PanelSums	sum[4] = {{vdupq_n_s32(0), vdupq_n_s32(0)}, {vdupq_n_s32(0), vdupq_n_s32(0)},
				{vdupq_n_s32(0), vdupq_n_s32(0)}, {vdupq_n_s32(0), vdupq_n_s32(0)}};

				for (size_t i = 0; i < n; i += 4)
				{
					int8x8_t	x = vreinterpret_s8_s32(
						vdup_n_s32(*(const nv_i32 *) (row + i)));

					NV_UNROLL
					for (int k = 0; k < 4; k++)
					{
						int8x16_t	codes = vreinterpretq_s8_u8(
							veorq_u8(vld1q_u8(four + i * NV_PANEL + 16 * k), flip));

						sum[k].first = vpadalq_s16(sum[k].first, vmull_s8(vget_low_s8(codes), x));
						sum[k].second = vpadalq_s16(sum[k].second, vmull_s8(vget_high_s8(codes), x));
					}
				}
				for (int k = 0; k < 4; k++)
					vst1q_s32(out + r * width + p * NV_PANEL + c + 4 * k,
							  vaddq_s32(vpaddq_s32(sum[k].first, sum[k].second), vdupq_n_s32(base)));
			}
		}
	}
}

const NvKernels nv_kernels_neon = {
	NV_PAIRS_ENTRIES,
	.sums_u8 = sums_u8,
	.l1_u8 = l1_u8,
	.hamming = hamming,
	.jaccard = jaccard,
	.f16_to_f32 = f16_to_f32,
	.f32_to_f16 = f32_to_f16,
	.fastscan = fastscan,
	.panel_dots = panel_dots
};

#endif							/* __aarch64__ */
