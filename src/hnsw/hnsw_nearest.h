/*-------------------------------------------------------------------------
 *
 * hnsw_nearest.h
 *		The nearest vectors of each, as an index build finds them leaf by leaf.
 *
 * A build by partitions knows vectors by their numbers.  Each has a list of the
 * nearest that it met so far; see README, "Build".
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_NEAREST_H
#define HNSW_NEAREST_H

#include "nv_compat.h"

#include "hnsw/hnsw.h"

/* The most vectors in a leaf, all of which are measured against each other. */
#define HNSW_LEAF 1024

/* The nearest that are kept of each vector. */
#define HNSW_LIST 64

/* What is new among so many of them says how much a round has found. */
#define HNSW_LIST_HEAD 16

/*
 * Lists of n vectors.  A key has the place of a distance among all floats above the number
 * of the other vector, counted from the own one on, modulo 2^32: so of
 * equally near ones not all vectors keep the same few.  Keys ascend.  A list belongs
 * to one process at a time.
 */
typedef struct HnswLists
{
	uint64	   *keys;			/* HNSW_LIST of each */
	uint8	   *counts;			/* how many there are */
} HnswLists;

/* What the lists of a vector go by; the negative inner product is a distance, too. */
typedef enum HnswMeasure
{
	HNSW_BY_DISTANCE,
	HNSW_BY_PRODUCT
} HnswMeasure;

#define HNSW_MEASURES 2

/* The place of a distance among all floats, none of which is NaN; and which has a place. */
static inline uint32
hnsw_float_place(float x)
{
	uint32		bits;

	memcpy(&bits, &x, sizeof(bits));
	return bits >> 31 ? ~bits : bits | (uint32) 1 << 31;
}

static inline float
hnsw_float_at(uint32 place)
{
	uint32		bits = place >> 31 ? place & ~((uint32) 1 << 31) : ~place;
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return x;
}

/* The number of the other vector in a key of vector v. */
static inline uint32
hnsw_list_other(uint64 key, uint32 v)
{
	return v + (uint32) key;
}

/* Distances of many vectors from many, of a process. */
typedef struct HnswMatrix HnswMatrix;

/* Whether vectors of an index can be measured so: dense ones that lie in their nodes. */
extern bool hnsw_matrix_serves(const HnswMeta *meta);

/* Compute the hnsw_panel_vector() of a node in memory. */
extern void hnsw_fill_panel_vector(HnswIndex *ix, HnswNode *node);

/* Make one for up to HNSW_LEAF columns, in the current memory context; how many bytes it takes. */
extern HnswMatrix *hnsw_matrix_create(HnswIndex *ix);
extern Size hnsw_matrix_bytes(const HnswMeta *meta);

/* Take the vectors of n nodes in memory as columns. */
extern void hnsw_matrix_columns(HnswMatrix *matrix, const uint32 *slots, int n);

/*
 * Which column is the nearest of each of n nodes, into nearest[n].  Of equally near
 * ones it is the first.
 */
extern void hnsw_matrix_assign(HnswMatrix *matrix, const uint32 *slots, int n, uint16 *nearest);

/*
 * Measure n vectors, which have these numbers and are the nodes slots[], against each
 * other, and note in their lists what is near: in lists[HNSW_BY_DISTANCE] by L2, and in
 * lists[HNSW_BY_PRODUCT] by the inner product, unless these lists have no keys.  Returns how
 * many entries are new in the heads of the first lists that have keys.  The result does
 * not depend on the order of vectors.
 */
extern uint64 hnsw_join_leaf(HnswMatrix *matrix, const HnswLists lists[HNSW_MEASURES],
							 const uint32 *numbers, const uint32 *slots, int n);

#endif							/* HNSW_NEAREST_H */
