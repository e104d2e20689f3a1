/*-------------------------------------------------------------------------
 *
 * simd.h
 *		The numeric kernels of nanovec and how they are chosen.
 *
 * Besides those of the SQL functions there are kernels for the index methods:
 * float against stored halves or codes, fast scan, many to many, Hadamard.
 *
 * A kernel is a plain C function over plain arrays: no postgres.h, no
 * allocation, no errors.  Each kernel exists in a scalar form and, where it
 * pays, in forms for one instruction set (a "variant").  nv_simd_init()
 * looks at the CPU once and fills nv_kern with the best form of each.
 *
 * Pointers to nv_f32, nv_f16 and bytes may have any alignment; those declared
 * float or uint16_t are aligned as C asks.  Every kernel but argmin
 * accepts n = 0, and none touches anything past the n elements that it was given.
 *
 * Accuracy: f32 kernels accumulate in float lanes.  For n elements and at
 * least NV_MIN_LANES independent sums, the result differs from the exact
 * one by at most NV_KERNEL_RELERR(n) times the sum of the magnitudes of the
 * terms added (a standard bound on blocked summation; see Higham, "Accuracy
 * and Stability of Numerical Algorithms", section 4.2).  Where an element is
 * itself computed, as offset + scale * code, |offset| + |scale * code| counts
 * as its magnitude.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_SIMD_H
#define NV_SIMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Elements as kernels see them: any alignment is fine. */
typedef float nv_f32 __attribute__((aligned(1), may_alias));
typedef uint16_t nv_f16 __attribute__((aligned(1), may_alias));	/* IEEE binary16 */
typedef uint16_t nv_u16 __attribute__((aligned(1), may_alias));	/* a code of 16 bits */
typedef int32_t nv_i32 __attribute__((aligned(1), may_alias));

#define NV_MIN_LANES 4
#define NV_KERNEL_RELERR(n) (((double) (n) / NV_MIN_LANES + 16) * 1.2e-7)

/* Children in one fast-scan block, and coordinates in one of its groups. */
#define NV_FASTSCAN_BLOCK 32
#define NV_FASTSCAN_GROUP 4
/* Sums of uint8 table entries do not overflow a uint16 with up to this many groups. */
#define NV_FASTSCAN_MAX_GROUPS 256
/* In the table of a step, a coordinate has at most this magnitude, and this stands for 0. */
#define NV_STEP_MOST 31
#define NV_STEP_ZERO 128

/* The upper half of a float: what a code keeps beside its bits. */
typedef uint16_t NvHalfFloat;

/* The float of which this is the upper half. */
static inline float
nv_half_float(NvHalfFloat h)
{
	uint32_t	bits = (uint32_t) h << 16;
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* The parts of a cosine: sum of a*b, of a*a and of b*b. */
typedef struct NvCosine
{
	float		ab;
	float		aa;
	float		bb;
} NvCosine;

/*
 * Integer sums over two arrays of 8-bit codes, from which every metric but
 * L1 follows.  n <= NV_U8_MAX_N keeps the products inside 32 bits.
 */
typedef struct NvCodeSums
{
	uint32_t	a;
	uint32_t	b;
	uint32_t	ab;
	uint32_t	aa;
	uint32_t	bb;
} NvCodeSums;

#define NV_U8_MAX_N 33000

/* The parts of a Jaccard index over bit strings, in bits. */
typedef struct NvBitCounts
{
	uint64_t	both;
	uint64_t	either;
} NvBitCounts;

/* Columns of a panel for max_ip. */
#define NV_MAXIMA 16

/* So many columns of codes are looked at side by side, against so many rows. */
#define NV_PANEL 64
#define NV_PANEL_ROWS 8
#define NV_LINE_FLOATS 16

/*
 * What the distance of a vector of 8-bit codes to others takes beside the products of
 * codes.  Of elements offset + scale * (code - 128), n of them: the sum of (code - 128);
 * tilt = scale * sum + n * offset / 2; and the sum of the squares of the elements.
 */
typedef struct NvPanelVector
{
	float		scale;
	float		offset;
	float		tilt;
	float		norm2;
	int32_t		sum;
} NvPanelVector;

/* The same of columns, but for the sum. */
typedef struct NvPanelColumns
{
	const float *scale;
	const float *offset;
	const float *tilt;
	const float *norm2;
} NvPanelColumns;

/*
 * Every kernel: K(result, name, (arguments)).
 *
 * l2sq, ip, l1		squared Euclidean distance, inner product, taxicab distance
 * cos				the three sums of a cosine
 *
 * Suffix _f32: float against float.  _f16: half against half.  _f32_f16: a
 * float query against halves.  _f32_u8: a float query against 8-bit codes,
 * where element i of b is offset + scale * code[i].  _f32_u16: the same with
 * codes of 16 bits.  _u16: 16-bit codes against such, each with its own scale
 * and offset.
 *
 * step: t[i] = a[i] - b[i]; returns the sum of their squares, and the greatest
 * magnitude in *greatest.  t has room for n rounded up to NV_STEP_ROOM floats;
 * those behind n may be set to 0.
 */
#define NV_STEP_ROOM 16

#define NV_MEASURE_KERNELS(K, sfx, A, B, ...) \
	K(float, l2sq_##sfx, (const A *a, const B *b, size_t n __VA_ARGS__)) \
	K(float, ip_##sfx, (const A *a, const B *b, size_t n __VA_ARGS__)) \
	K(float, l1_##sfx, (const A *a, const B *b, size_t n __VA_ARGS__))

#define NV_DENSE_KERNELS(K, sfx, A, B, ...) \
	NV_MEASURE_KERNELS(K, sfx, A, B, __VA_ARGS__) \
	K(void, cos_##sfx, (const A *a, const B *b, size_t n __VA_ARGS__, NvCosine *out))

#define NV_KERNELS(K) \
	NV_DENSE_KERNELS(K, f32, nv_f32, nv_f32) \
	NV_DENSE_KERNELS(K, f16, nv_f16, nv_f16) \
	NV_MEASURE_KERNELS(K, f32_f16, nv_f32, nv_f16) \
	NV_MEASURE_KERNELS(K, f32_u8, nv_f32, uint8_t, , float scale, float offset) \
	NV_MEASURE_KERNELS(K, f32_u16, nv_f32, nv_u16, , float scale, float offset) \
	NV_MEASURE_KERNELS(K, u16, nv_u16, nv_u16, , float scale_a, float offset_a, \
					   float scale, float offset) \
	K(float, step_f32, (const nv_f32 *a, const nv_f32 *b, size_t n, float *t, float *greatest)) \
	K(float, step_f32_f16, (const nv_f32 *a, const nv_f16 *b, size_t n, float *t, \
							float *greatest)) \
	K(float, step_f32_u8, (const nv_f32 *a, const uint8_t *b, size_t n, float scale, \
						   float offset, float *t, float *greatest)) \
	K(float, step_f32_u16, (const nv_f32 *a, const nv_u16 *b, size_t n, float scale, \
							float offset, float *t, float *greatest)) \
	/* \
	 * All code sums; ab alone; L1 of two arrays of codes, |(da + sa * a) - sb * b| \
	 * summed. \
	 */ \
	K(void, sums_u8, (const uint8_t *a, const uint8_t *b, size_t n, NvCodeSums *out)) \
	K(uint32_t, dot_u8, (const uint8_t *a, const uint8_t *b, size_t n)) \
	K(float, l1_u8, (const uint8_t *a, const uint8_t *b, size_t n, float sa, float sb, float da)) \
	/* bit strings of n bytes: number of differing bits; counts for Jaccard */ \
	K(uint64_t, hamming, (const uint8_t *a, const uint8_t *b, size_t n)) \
	K(void, jaccard, (const uint8_t *a, const uint8_t *b, size_t n, NvBitCounts *out)) \
	/* conversions of n elements; f32_to_f16 rounds to nearest even and overflows to infinity */ \
	K(void, f16_to_f32, (const nv_f16 *a, nv_f32 *out, size_t n)) \
	K(void, f32_to_f16, (const nv_f32 *a, nv_f16 *out, size_t n)) \
	/* \
	 * Fast scan (Andre, Kermarrec, Le Scouarnec, "Cache locality is not \
	 * enough", VLDB 2015).  lut: ngroups x 16 bytes.  codes: the same number \
	 * of bytes, 64 for 4 groups; of these, byte 4 * i + g holds the 4 bits of \
	 * group g of child i low and of child i + 16 high, so that what belongs to \
	 * a child lies close together.  out[c] = sum over groups of \
	 * lut[group][bits of child c].  ngroups is a multiple of 4 and at most \
	 * NV_FASTSCAN_MAX_GROUPS. \
	 */ \
	K(void, fastscan, (const uint8_t *codes, const uint8_t *lut, size_t ngroups, uint16_t *out)) \
	/* \
	 * The table of a step t for fast scan: z = t * inverse, rounded to whole numbers of a \
	 * magnitude of at most NV_STEP_MOST; entry c of a group is NV_STEP_ZERO plus \
	 * the sum of its 4 z, those of bits that are 0 in c negated.  t and lut have \
	 * room for ngroups rounded up to 16; t behind ngroups is finite. \
	 */ \
	K(void, step_table, (const float *t, size_t ngroups, float inverse, uint8_t *lut)) \
	/* \
	 * out[i] = start + weight * add[i] - factor[i] * (scale * sums[i] + bias), of 32. \
	 * Bit i of the result is set unless out[i] is more than most. \
	 */ \
	K(uint32_t, fastscan_estimate, (const uint16_t *sums, const NvHalfFloat *add, \
									const NvHalfFloat *factor, float weight, float scale, \
									float bias, float start, float most, float *out)) \
	/* inner product, its terms exact and added in double precision */ \
	K(double, ipd_f32, (const nv_f32 *a, const nv_f32 *b, size_t n)) \
	/* \
	 * Two sparse vectors, their indices ascending and no value 0: the values of \
	 * each at the indices that both have, in that order, in x and y; returns how \
	 * many.  x and y have room for NV_MATCH_ROOM(na, nb), and anything may be in \
	 * it afterwards.  Indices in another order give something, but no overrun. \
	 */ \
	K(size_t, match_sparse, (const nv_i32 *ai, const nv_f32 *av, size_t na, \
							 const nv_i32 *bi, const nv_f32 *bv, size_t nb, \
							 float *x, float *y)) \
	/* squared L2, or inner products, of na x dim against nb x dim rows; out is na x nb, by rows */ \
	K(void, l2sq_many, (const float *a, size_t na, const float *b, size_t nb, size_t dim, float *out)) \
	K(void, ip_many, (const float *a, size_t na, const float *b, size_t nb, size_t dim, float *out)) \
	/* \
	 * Many to many: best[c] becomes the greatest of itself and the inner products of \
	 * column c of a panel with nrows rows.  A panel holds element 0 of NV_MAXIMA \
	 * columns, then element 1 of each; rows lie so many bytes apart.  Returns 0, or \
	 * NaN when a product was not finite; what is in best does not count then. \
	 */ \
	K(float, max_ip, (const float *panel, const nv_f32 *rows, size_t nrows, size_t stride, \
					  size_t dim, float *best)) \
	/* \
	 * Many codes against many: out[r][c] = sum of row[r][i] * column[c][i], of \
	 * NV_PANEL_ROWS rows of n codes less 128, and npanels * NV_PANEL columns.  n is a \
	 * multiple of 4.  A panel holds codes 4 * i to 4 * i + 3 of its first column, then \
	 * those of the next, and behind those of the last the next four of each. \
	 */ \
	K(void, panel_dots, (const int8_t *rows, size_t n, const uint8_t *panels, size_t npanels, \
						 int32_t *out)) \
	/* out[k] = sum of (a[i] - 128) * b[k][i], of n codes of a and of each of m others */ \
	K(void, dots_u8, (const uint8_t *a, const uint8_t *const *b, size_t m, size_t n, \
					  int32_t *out)) \
	/* \
	 * From such sums, the squared distances of v to n columns, a multiple of \
	 * NV_LINE_FLOATS: out[i] = v.norm2 + norm2[i] - 2 * (v.scale * scale[i] * dot + \
	 * (v.offset * tilt[i] + v.tilt * offset[i])) with dot = dots[i] - 128 * v.sum, or \
	 * 0 if that is not more.  And their inner products, which are half of what is \
	 * subtracted.  Both are the same to the bit on every CPU, and when v and a column \
	 * change places. \
	 */ \
	K(void, panel_l2sq, (const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, \
						 size_t n, float *out)) \
	K(void, panel_ip, (const int32_t *dots, const NvPanelVector *v, const NvPanelColumns *columns, \
					   size_t n, float *out)) \
	/* of n floats, a multiple of NV_PANEL: how many are not more than most */ \
	K(size_t, count_upto, (const float *x, size_t n, float most)) \
	/* and which, ascending; returns how many.  at has room for n */ \
	K(size_t, find_upto, (const float *x, size_t n, float most, uint32_t *at)) \
	/* \
	 * The place of each of n keys when they are sorted; equal ones stay in their order. \
	 * Each is compared with all others: n is a hundred or so. \
	 */ \
	K(void, rank_u64, (const uint64_t *keys, size_t n, uint32_t *rank)) \
	/* out[i] = offset + scale * code[i], of n codes */ \
	K(void, decode_u8, (const uint8_t *codes, size_t n, float scale, float offset, nv_f32 *out)) \
	K(void, decode_u16, (const nv_u16 *codes, size_t n, float scale, float offset, nv_f32 *out)) \
	/* \
	 * Signs of o - p: bit i % 16 of bits[i / 16] is set where o[i] > p[i]; n is \
	 * a multiple of 16. \
	 */ \
	K(void, signs_f32, (const nv_f32 *o, const nv_f32 *p, size_t n, uint16_t *bits)) \
	/* \
	 * Of n elements, a multiple of 64: bit i % 64 of bits[i / 64] is set where \
	 * low <= x[i] <= high; and where (x[i] & mask) == value. \
	 */ \
	K(void, mask_range_u16, (const uint16_t *x, size_t n, uint16_t low, uint16_t high, \
							 uint64_t *bits)) \
	K(void, mask_equal_u64, (const uint64_t *x, size_t n, uint64_t mask, uint64_t value, \
							 uint64_t *bits)) \
	/* index of the least of n > 0 elements, none of them NaN; the first of equal ones */ \
	K(size_t, argmin, (const float *x, size_t n)) \
	/* unnormalised Walsh-Hadamard transform in place; n is a power of two */ \
	K(void, hadamard, (float *x, size_t n))

/* Elements in each of the outputs of match_sparse. */
#define NV_MATCH_ROOM(na, nb) ((na) + (nb) + 16)

typedef struct NvKernels
{
#define NV_KERNEL_FIELD(ret, name, args) ret (*name) args;
	NV_KERNELS(NV_KERNEL_FIELD)
#undef NV_KERNEL_FIELD
} NvKernels;

/* A set of kernels for one instruction set; absent ones are NULL. */
typedef struct NvVariant
{
	const char *name;
	uint32_t	needs;			/* NV_CPU_* bits, all required */
	const NvKernels *kernels;
} NvVariant;

/* What runs: valid after nv_simd_init(). */
extern NvKernels nv_kern;

/*
 * Choose the kernels: the best variant of each for this CPU, less the
 * features that the environment variable NANOVEC_DISABLE_CPU lists (names of
 * nv_cpu_feature_name(), separated by spaces or commas; for tests).
 * Returns false, and the unknown name in *bad (static storage), when the
 * list names a feature that does not exist; the name is then ignored.
 * Not thread-safe; call once at load.
 */
extern bool nv_simd_init(const char **bad);

/* Variants built into this binary, from the plainest to the most capable. */
extern int	nv_simd_variant_count(void);
extern const NvVariant *nv_simd_variant(int i);

/* Kernels by number, for reports: how many, name, name of the chosen variant. */
extern int	nv_simd_kernel_count(void);
extern const char *nv_simd_kernel_name(int i);
extern const char *nv_simd_kernel_variant(int i);

#endif							/* NV_SIMD_H */
