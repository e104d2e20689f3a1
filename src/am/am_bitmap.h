/*-------------------------------------------------------------------------
 *
 * am_bitmap.h
 *		Sets of small numbers: an array of bytes with a bit for each.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_BITMAP_H
#define NV_AM_BITMAP_H

#include "nv_compat.h"

/* Bytes of a bitmap of n bits; one more than are needed, so that it is never empty. */
static inline Size
nv_bitmap_bytes(uint32 n)
{
	return n / 8 + 1;
}

/* An empty set, palloc'd. */
static inline uint8 *
nv_bitmap_alloc(uint32 n)
{
	return palloc_extended(nv_bitmap_bytes(n), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

/* Whether bit i is set. */
static inline bool
nv_bit(const uint8 *bitmap, uint32 i)
{
	return (bitmap[i / 8] >> (i % 8)) & 1;
}

/* Set bit i. */
static inline void
nv_set_bit(uint8 *bitmap, uint32 i)
{
	bitmap[i / 8] |= (uint8) (1 << (i % 8));
}

#endif							/* NV_AM_BITMAP_H */
