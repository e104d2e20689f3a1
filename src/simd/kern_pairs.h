/*-------------------------------------------------------------------------
 *
 * kern_pairs.h
 *		What every kern_*.c file builds from the basic operations listed in
 *		kern_dense.h: the dense kernels of all pairs of element types,
 *		decoding of 16-bit codes, the many-to-many distances and the Hadamard transform.
 *
 * Besides those operations the including file defines TILE_A and TILE_B, the
 * rows of a and b that l2sq_many and ip_many keep in registers at once, MAXIMA_TRIPLES, which
 * is about the same of max_ip, and butterfly_in_vec(v), the stages of the transform
 * inside one register.
 *
 *-------------------------------------------------------------------------
 */

#define PAIR f32
#define PAIR_A f32
#define PAIR_B f32
#define PAIR_COS
#define PAIR_STEP
#include "simd/kern_dense.h"

#define PAIR f16
#define PAIR_A f16
#define PAIR_B f16
#define PAIR_COS
#include "simd/kern_dense.h"

#define PAIR f32_f16
#define PAIR_A f32
#define PAIR_B f16
#define PAIR_STEP
#include "simd/kern_dense.h"

#define PAIR f32_u8
#define PAIR_A f32
#define PAIR_B u8
#define PAIR_AFFINE
#define PAIR_STEP
#include "simd/kern_dense.h"

#define PAIR f32_u16
#define PAIR_A f32
#define PAIR_B u16
#define PAIR_AFFINE
#define PAIR_STEP
#include "simd/kern_dense.h"

#define PAIR u16
#define PAIR_A u16
#define PAIR_B u16
#define PAIR_AFFINE
#define PAIR_AFFINE_A
#include "simd/kern_dense.h"

/* Kernel: 16-bit codes to floats. */
static NV_TARGET void
decode_u16(const nv_u16 *codes, size_t n, float scale, float offset, nv_f32 *out)
{
	const vec	s = vset1(scale),
				o = vset1(offset);
	size_t		i = 0;

	for (; i + VEC_LANES <= n; i += VEC_LANES)
		store_f32(out + i, vfma(s, load_u16(codes + i), o));
	if (i < n)
	{
		float		last[VEC_LANES];

		store_f32(last, vfma(s, loadn_u16(codes + i, n - i), o));
		memcpy(out + i, last, (n - i) * sizeof(float));
	}
}

/* Load a register, or the n elements that are left, the others 0. */
NV_INLINE NV_TARGET vec
load_upto(const nv_f32 *p, size_t n)
{
	return n >= VEC_LANES ? load_f32(p) : loadn_f32(p, n);
}

/*
 * Squared distances, or inner products, of TILE_A rows of a and TILE_B rows of b: each row
 * is loaded once for the whole tile.
 */
NV_INLINE NV_TARGET void
pairs_tile(bool ip, const float *a, const float *b, size_t dim, float *out, size_t out_stride)
{
	vec			sum[TILE_A][TILE_B];
	size_t		i;

	NV_UNROLL
	for (int r = 0; r < TILE_A; r++)
	{
		NV_UNROLL
		for (int c = 0; c < TILE_B; c++)
			sum[r][c] = vzero();
	}

	for (i = 0; i < dim; i += VEC_LANES)
	{
		size_t		left = dim - i;
		vec			y[TILE_B];

		NV_UNROLL
		for (int c = 0; c < TILE_B; c++)
			y[c] = load_upto(b + c * dim + i, left);

		NV_UNROLL
		for (int r = 0; r < TILE_A; r++)
		{
			vec			x = load_upto(a + r * dim + i, left);

			NV_UNROLL
			for (int c = 0; c < TILE_B; c++)
			{
				vec			d = vsub(x, y[c]);

				sum[r][c] = ip ? vfma(x, y[c], sum[r][c]) : vfma(d, d, sum[r][c]);
			}
		}
	}

	NV_UNROLL
	for (int r = 0; r < TILE_A; r++)
	{
		NV_UNROLL
		for (int c = 0; c < TILE_B; c++)
			out[r * out_stride + c] = vsum(sum[r][c]);
	}
}

/* Of one row of each. */
NV_INLINE NV_TARGET float
pairs_one(bool ip, const float *a, const float *b, size_t dim)
{
	return ip ? ip_f32(a, b, dim) : l2sq_f32(a, b, dim);
}

/* Of all rows of a and all rows of b. */
NV_INLINE NV_TARGET void
pairs_many(bool ip, const float *a, size_t na, const float *b, size_t nb, size_t dim, float *out)
{
	size_t		a_tiled = na - na % TILE_A;
	size_t		b_tiled = nb - nb % TILE_B;

	/* a tile keeps one register of sums per pair of rows: too few when scalar */
	if (VEC_LANES < NV_MIN_LANES)
		a_tiled = 0;

	for (size_t r = 0; r < a_tiled; r += TILE_A)
	{
		for (size_t c = 0; c < b_tiled; c += TILE_B)
			pairs_tile(ip, a + r * dim, b + c * dim, dim, out + r * nb + c, nb);
		for (size_t t = r; t < r + TILE_A; t++)
		{
			for (size_t c = b_tiled; c < nb; c++)
				out[t * nb + c] = pairs_one(ip, a + t * dim, b + c * dim, dim);
		}
	}
	for (size_t r = a_tiled; r < na; r++)
	{
		for (size_t c = 0; c < nb; c++)
			out[r * nb + c] = pairs_one(ip, a + r * dim, b + c * dim, dim);
	}
}

/* Kernel: squared distances of all rows of a to all rows of b. */
static NV_TARGET void
l2sq_many(const float *a, size_t na, const float *b, size_t nb, size_t dim, float *out)
{
	pairs_many(false, a, na, b, nb, dim, out);
}

/* Kernel: inner products of all rows of a and all rows of b. */
static NV_TARGET void
ip_many(const float *a, size_t na, const float *b, size_t nb, size_t dim, float *out)
{
	pairs_many(true, a, na, b, nb, dim, out);
}

#include "simd/kern_maxima.h"

/* Kernel: the Walsh-Hadamard transform, in place. */
static NV_TARGET void
hadamard(float *x, size_t n)
{
	size_t		h = 1;

	if (n >= VEC_LANES)
	{
		for (size_t i = 0; i < n; i += VEC_LANES)
			store_f32(x + i, butterfly_in_vec(load_f32(x + i)));
		h = VEC_LANES;
	}
	for (; h < n; h *= 2)
	{
		for (size_t i = 0; i < n; i += 2 * h)
		{
			size_t		j = i;

			for (; j + VEC_LANES <= i + h; j += VEC_LANES)
			{
				vec			s = load_f32(x + j);
				vec			t = load_f32(x + j + h);

				store_f32(x + j, vadd(s, t));
				store_f32(x + j + h, vsub(s, t));
			}
			for (; j < i + h; j++)	/* only when n < VEC_LANES */
			{
				float		s = x[j];
				float		t = x[j + h];

				x[j] = s + t;
				x[j + h] = s - t;
			}
		}
	}
}

/* All of the above, for a kernel table. */
#define NV_PAIRS_ENTRIES \
	NV_DENSE_ENTRIES(f32), \
	NV_DENSE_ENTRIES(f16), \
	NV_MEASURE_ENTRIES(f32_f16), \
	NV_MEASURE_ENTRIES(f32_u8), \
	NV_MEASURE_ENTRIES(f32_u16), \
	NV_MEASURE_ENTRIES(u16), \
	.step_f32 = step_f32, \
	.step_f32_f16 = step_f32_f16, \
	.step_f32_u8 = step_f32_u8, \
	.step_f32_u16 = step_f32_u16, \
	.decode_u16 = decode_u16, \
	.l2sq_many = l2sq_many, \
	.ip_many = ip_many, \
	.max_ip = max_ip, \
	.hadamard = hadamard
