/*-------------------------------------------------------------------------
 *
 * residual_code.h
 *		One bit per coordinate for the step from a vector to its neighbour.
 *
 * RaBitQ (Gao and Long, SIGMOD 2024), as SymphonyQG (Gou, Gao, Xu and Long,
 * SIGMOD 2025) uses it in a graph: a parent p keeps, for each of its
 * children o, the signs x of the first "bits" coordinates of r = o - p.  All
 * vectors are rotated (rotation.h).  With n2 = |r|^2 and l1 = the sum of the
 * |r_j| of those coordinates, for any vector t
 *
 *		<t, r>  is estimated by  <t, x> * n2 / l1
 *
 * L2: with the step t = q - p from p to the query,
 *
 *		|q - o|^2 = |t|^2 + n2 - 2 <t, r>
 *				  ~ |t|^2 + add - factor * <t, x>
 *
 * where add = n2 and factor = 2 n2 / l1.  Everything in it is of the size of a
 * step, so what rounding loses is small beside it, wherever the vectors are.
 * The table of <t, x> is made anew for each parent (nv_step_table).
 *
 * Inner product: the part of q along p is known exactly, so only what is left of
 * it is estimated.  With c = <q, p> / |p|^2 and the table of t = q - c p,
 *
 *		-<q, o> = -<q, p> - c <p, r> - <t, r>
 *				~ -<q, p> + c * add - factor * <t, x>
 *
 * where add = -<p, r> and factor = n2 / l1.
 *
 * The codes of 32 children make a block, in the order that the fast-scan
 * kernel reads (see simd.h): "bits" * 4 bytes, bits a multiple of 16.  add and
 * factor are kept in 16 bits each, the upper half of a float; what they lose
 * is a tenth of what the estimate does.
 *
 * Plain arrays, no allocation, no errors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_RESIDUAL_CODE_H
#define NV_RESIDUAL_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simd/simd.h"

/* bits is a multiple of this, and at most NV_CODE_MAX_BITS. */
#define NV_CODE_STEP 16
#define NV_CODE_MAX_BITS (NV_FASTSCAN_MAX_GROUPS * NV_FASTSCAN_GROUP)

/* Bytes of one block of codes, and of a table. */
#define NV_CODE_BLOCK_BYTES(bits) \
	((size_t) (bits) / NV_FASTSCAN_GROUP * (NV_FASTSCAN_BLOCK / 2))
/* step_table() writes 16 groups at a time */
#define NV_CODE_TABLE_BYTES(bits) (((size_t) (bits) + 63) / 64 * 256)

/* A table for a vector t: <t, x> = scale * (sum of entries) + bias. */
typedef struct NvCodeTable
{
	uint8_t    *entries;		/* NV_CODE_TABLE_BYTES(bits) */
	float		scale;
	float		bias;
} NvCodeTable;

/* Round to the nearest upper half of a float, ties away from 0; infinity is the largest. */
extern NvHalfFloat nv_to_half_float(float x);

/*
 * Write the code of child o of parent p at place (0 to 31) of a block, and
 * its two factors.  p[dims] and o[dims] are rotated; bits <= dims.
 */
extern void nv_code_write(const float *p, const float *o, int dims, int bits, bool inner_product,
						  uint8_t *block, int place, NvHalfFloat *add, NvHalfFloat *factor);

/*
 * Whether what is at a place of a block is the code that nv_code_write() writes,
 * on whatever CPU: sums of floats depend on how they are added.  Signs may differ
 * where a coordinate of r is no more than what rounding makes of 0; add and factor
 * must lie between what the least and the most that the sums may be are rounded to.
 */
extern bool nv_code_agrees(const float *p, const float *o, int dims, int bits, bool inner_product,
						   const uint8_t *block, int place, NvHalfFloat add, NvHalfFloat factor);

/* Whether add may be the half of -<p, r>, for a step r as some CPU computed it. */
extern bool nv_product_agrees(const float *p, const float *r, int dims, NvHalfFloat add);

/*
 * Make the table of a step, of which the first bits elements count; those up
 * to the next multiple of 64 are read too.  greatest: at least the greatest of
 * their magnitudes.
 */
extern void nv_step_table(const float *t, int bits, float greatest, NvCodeTable *table);

/*
 * Estimate the distances of a block of children, whose parent is "start" away;
 * weight is what add is multiplied by: 1, and c for inner products.  Bit i of
 * the result is set unless estimates[i] is more than most.
 */
static inline uint32_t
nv_code_estimate(const NvCodeTable *table, int bits, const uint8_t *block, const NvHalfFloat *add,
				 const NvHalfFloat *factor, float weight, float start, float most,
				 float *estimates)
{
	uint16_t	sums[NV_FASTSCAN_BLOCK];

	nv_kern.fastscan(block, table->entries, (size_t) bits / NV_FASTSCAN_GROUP, sums);
	return nv_kern.fastscan_estimate(sums, add, factor, weight, table->scale, table->bias, start,
									 most, estimates);
}

/*
 * Where room is short, add of L2, which is n2, is kept in a byte,
 * as the upper 8 bits of its distance from the number "base" when both are read
 * as whole numbers: a logarithm, nearly, that spans 64 powers of 2 in steps of at
 * most a quarter.  What the bits of vectors have in common makes factor follow
 * from it, but for a few percent: l1 is about sqrt(2 / pi) |r| bits / sqrt(dims).
 * A second byte, a difference in the last places of the factor, mends that.
 */
typedef struct NvShortFactors
{
	NvHalfFloat base;
	NvHalfFloat add[256];
	NvHalfFloat factor[256];
} NvShortFactors;

/* A base by which n2 around that of near neighbors have their place; and whether it is one. */
extern NvHalfFloat nv_short_base(float n2);
extern bool nv_short_base_valid(NvHalfFloat base);

/* Fill in the tables for codes of so many bits, of vectors of "length" elements. */
extern void nv_short_factors_init(NvShortFactors *s, NvHalfFloat base, int bits, int length);

/* The two bytes of a code's factors. */
extern void nv_short_factors_pack(const NvShortFactors *s, NvHalfFloat add, NvHalfFloat factor,
								  uint8_t *short_add, int8_t *short_factor);

/* nv_code_agrees() of a code of L2 with such factors; short_factor may be NULL. */
extern bool nv_short_code_agrees(const NvShortFactors *s, const float *p, const float *o, int dims,
								 int bits, const uint8_t *block, int place, uint8_t short_add,
								 const int8_t *short_factor);

/* What a block of bytes stand for; short_factor may be NULL. */
static inline void
nv_short_factors_unpack(const NvShortFactors *s, const uint8_t *short_add,
						const int8_t *short_factor, NvHalfFloat *add, NvHalfFloat *factor)
{
	for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
	{
		add[i] = s->add[short_add[i]];
		factor[i] = s->factor[short_add[i]];
	}
	if (short_factor != NULL)
	{
		for (int i = 0; i < NV_FASTSCAN_BLOCK; i++)
			factor[i] = (NvHalfFloat) (factor[i] + short_factor[i]);
	}
}

#endif							/* NV_RESIDUAL_CODE_H */
