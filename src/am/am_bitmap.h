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

#include "port/pg_bswap.h"

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

/* 64 bits at once, from bit i on, a multiple of 8; the bitmap has to go on for so many. */
static inline uint64
nv_bitmap_word(const uint8 *bitmap, uint32 i)
{
	uint64		word;

	Assert(i % 8 == 0);
	memcpy(&word, bitmap + i / 8, sizeof(word));
#ifdef WORDS_BIGENDIAN
	word = pg_bswap64(word);
#endif
	return word;
}

/* Set those bits that are set in a word. */
static inline void
nv_set_bitmap_word(uint8 *bitmap, uint32 i, uint64 word)
{
	word |= nv_bitmap_word(bitmap, i);
#ifdef WORDS_BIGENDIAN
	word = pg_bswap64(word);
#endif
	memcpy(bitmap + i / 8, &word, sizeof(word));
}

#endif							/* NV_AM_BITMAP_H */
