/*-------------------------------------------------------------------------
 *
 * residual_code.h
 *		One bit per coordinate for the step from a vector to its neighbour.
 *
 * RaBitQ (Gao and Long, SIGMOD 2024), as SymphonyQG (Gou, Gao, Xu and Long,
 * SIGMOD 2025) uses it in a graph: a parent p keeps, for each of its
 * children o, the signs x of the first "bits" coordinates of r = o - p.  All
 * vectors are rotated (rotation.h).  With n2 = |r|^2 and l1 = the sum of the
 * |r_j| of those coordinates,
 *
 *		<q - p, r>  is estimated by  <q - p, x> * n2 / l1
 *
 * so that, from the exact distance of p to the query q, those of its children
 * follow as
 *
 *		distance(p) + add - factor * <q, x>
 *
 * where, for |q - o|^2:	factor = 2 n2 / l1, add = n2 + factor * <p, x>
 * and for -<q, o>:			factor = n2 / l1,	add = factor * <p, x> - <p, r>
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

/* Bytes of one block of codes, and of a query's table. */
#define NV_CODE_BLOCK_BYTES(bits) \
	((size_t) (bits) / NV_FASTSCAN_GROUP * (NV_FASTSCAN_BLOCK / 2))
#define NV_CODE_TABLE_BYTES(bits) ((size_t) (bits) / NV_FASTSCAN_GROUP * 16)

/* A query's table: <q, x> = scale * (sum of entries) + bias. */
typedef struct NvCodeTable
{
	uint8_t    *entries;		/* NV_CODE_TABLE_BYTES(bits) */
	float		scale;
	float		bias;
} NvCodeTable;

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

/* Make the table of a rotated query, of which the first bits elements count. */
extern void nv_code_table(const float *q, int bits, NvCodeTable *table);

/*
 * Estimate the distances of a block of children, whose parent is "start" away.
 * Bit i of the result is set unless estimates[i] is more than most.
 */
static inline uint32_t
nv_code_estimate(const NvCodeTable *table, int bits, const uint8_t *block, const NvHalfFloat *add,
				 const NvHalfFloat *factor, float start, float most, float *estimates)
{
	uint16_t	sums[NV_FASTSCAN_BLOCK];

	nv_kern.fastscan(block, table->entries, (size_t) bits / NV_FASTSCAN_GROUP, sums);
	return nv_kern.fastscan_estimate(sums, add, factor, table->scale, table->bias, start, most,
									 estimates);
}

#endif							/* NV_RESIDUAL_CODE_H */
