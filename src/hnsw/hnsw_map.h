/*-------------------------------------------------------------------------
 *
 * hnsw_map.h
 *		The map of attributes of an hnsw index.
 *
 * A page of the map stands before each group of slot pages.  For every slot of the group
 * it has an entry for each attribute, which says roughly what the node in the slot says
 * exactly.  So a few pages tell which slots a search with a filter has to look at, and
 * how many.
 *
 *	+--------+----------------------------+----------------------------+---
 *	| header | entries of attribute 0,    | entries of attribute 1     |
 *	|        | one for each slot          |                            |
 *	+--------+----------------------------+----------------------------+---
 *
 * An entry of a word has two bytes: the bucket that the word is in, by bounds that were
 * learned from the rows, and 6 bits of a hash of the word.  That of a set has eight: a
 * bit for each element, by its hash.  0 says that the slot holds no node of level 0.
 *
 * Bounds are learned once, by the build or by a vacuum.  The header of a page tells
 * whether its entries are by them, or were made before there were any.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_MAP_H
#define HNSW_MAP_H

#include "nv_compat.h"

#include "am/am_filter.h"
#include "hnsw/hnsw.h"

/* A page of the map that is being changed. */
typedef struct HnswMapChange
{
	Buffer		buffer;			/* exclusively locked, or InvalidBuffer: no attributes */
	char	   *page;			/* the copy that changes */
} HnswMapChange;

/*
 * Add the page of the map that has the entries of a slot to a change.  Locks it; the
 * caller may hold the page of the slot, which comes before it in the order of locks, and
 * no other.  Does nothing in an index without attributes.
 */
extern void hnsw_map_begin(HnswIndex *ix, NvChange *change, uint32 slot, HnswMapChange *map);

/* Set the entries of a slot from the image of its node; NULL: there is none. */
extern void hnsw_map_set(HnswIndex *ix, HnswMapChange *map, uint32 slot, const char *image);

/* Unlock the page, when the change is finished. */
extern void hnsw_map_end(HnswMapChange *map);

/*
 * Learn bounds from the images of n rows and write them; for a build, which nobody else
 * sees, or under the exclusive update lock.  With few rows nothing is learned.
 */
extern void hnsw_map_learn(HnswIndex *ix, char *const *images, uint32 n);

/*
 * Fill a page of the map that a build writes, of which the first slot is given.  image()
 * is asked for the images of the slots from there on; NULL: no node of level 0.
 */
typedef const char *(*HnswImageOf) (void *arg, uint32 slot);

extern void hnsw_map_fill(HnswIndex *ix, Page page, uint32 first, HnswImageOf image, void *arg);

/*
 * Look through the whole map.  Memory of the current context.  Share-locks its pages one
 * by one; ERROR (INDEX_CORRUPTED).
 */
extern void hnsw_map_search(HnswIndex *ix, const NvFilter *filter, HnswPassing *passing);

/*
 * If no bounds were learned yet and there are enough rows, learn them, and make all
 * entries anew; called by vacuum, which holds no locks.  Inserts wait meanwhile.
 */
extern void hnsw_map_improve(Relation rel);

/* Whether bounds were learned; locks pages, of which the caller holds none. */
extern bool hnsw_map_learned(HnswIndex *ix);

/*
 * For nanovec_index_check(): report what is wrong with bounds; locks their pages.  Returns
 * whether they are learned, and all make sense.
 */
extern bool hnsw_map_check_bounds(HnswIndex *ix, NvReport *report);

/* Whether the entries of a page of the map, or a copy of it, are by bounds. */
extern bool hnsw_map_is_learned(Page page);

/*
 * Whether the entries of a slot in a page of the map, or a copy of it, are those of an
 * image, which is valid, or of none if it is NULL.  If the page is learned, bounds have to
 * make sense.
 */
extern bool hnsw_map_agrees(HnswIndex *ix, Page page, uint32 slot, const char *image);

#endif							/* HNSW_MAP_H */
