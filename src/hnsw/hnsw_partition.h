/*-------------------------------------------------------------------------
 *
 * hnsw_partition.h
 *		What the files of a build by partitions share.  See README, "Build".
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_PARTITION_H
#define HNSW_PARTITION_H

#include "nv_compat.h"

#include "hnsw/hnsw_build.h"
#include "hnsw/hnsw_nearest.h"
#include "hnsw/hnsw_pick.h"

/*
 * One vector in so many is in the largest sample, one in so many of that in the next, ...;
 * by the inner product half of a sample are its longest vectors.
 */
#define HNSW_SAMPLE(by_product) ((by_product) ? 4 : 8)

/* Consecutive members of a partition that are still together. */
typedef struct HnswSegment
{
	uint32		first;
	uint32		n;
} HnswSegment;

/*
 * Shared by the processes of a build by partitions.  Vectors have numbers from the
 * highest level down, on each in the order of insertion, so those that are on a level,
 * and samples of all, are the first ones.  By the inner product, those of a level are
 * numbered anew when it is linked: the longest first, with every second place left to the
 * others in their order.
 */
typedef struct HnswPartsShared
{
	uint32		n;				/* vectors */
	uint32		ntwins;
	int			top;			/* the highest level */
	uint32		on_level[HNSW_MAX_LEVEL + 1];	/* vectors that are on it */

	pg_atomic_uint32 next;		/* first work not yet taken */
	pg_atomic_uint64 head;		/* what a round has found: see hnsw_join_leaf() */
	uint32		nbig;			/* segments to be split by all processes together */
	uint32		ntasks;			/* segments for one process each */
	HnswSegment split;			/* the one being split */
	int			nleaders;
	uint8		kept[HNSW_LEAF / 4];	/* by number of a leader */

	/* arrays of n, unless it is said otherwise */
	HnswArray	nodes;			/* uint32: the node on level 0 */
	HnswArray	twins;			/* HnswTwin[ntwins] */
	HnswArray	keys[HNSW_MEASURES];	/* of HnswLists; by the product only if it is the metric */
	HnswArray	counts[HNSW_MEASURES];
	HnswArray	sample_keys;	/* of the samples, the largest first */
	HnswArray	sample_counts;
	HnswArray	members;		/* uint32: numbers, those of a leaf together */
	HnswArray	spare;			/* uint32 */
	HnswArray	groups;			/* uint16: by place in members, a leader's number */
	HnswArray	big;			/* HnswSegment[nbig] */
	HnswArray	tasks;			/* HnswSegment[ntasks] */
	HnswArray	choices;		/* uint32[1 + chosen] of each: how many, and their numbers */
	HnswArray	incoming;		/* pg_atomic_uint32[n + 1]: where those that chose it begin */
	HnswArray	sources;		/* uint32: these */
} HnswPartsShared;

/* One process's view. */
typedef struct HnswParts
{
	HnswBuild  *build;
	HnswIndex  *ix;
	HnswPartsShared *shared;
	HnswMatrix *matrix;
	HnswPicker *pickers[2];		/* one collects while the other is worked on */
	uint32	   *nodes;
	HnswTwin   *twins;
	bool		by_product;		/* the inner product is what counts */
	HnswLists	lists[HNSW_MEASURES];
	HnswLists	samples;		/* by what counts */
	uint32	   *members;
	uint32	   *spare;
	uint16	   *groups;
	HnswSegment *big;
	HnswSegment *tasks;
	uint32	   *choices;
	int			chosen;			/* the most that a vector chooses itself */
	pg_atomic_uint32 *incoming;
	uint32	   *sources;
} HnswParts;

/*
 * hnsw_partition.c: put the nearest of the first n vectors into their lists, by as many
 * random partitions as it takes.  All processes call it together, and leave it
 * when all are done.
 */
extern void hnsw_partition(HnswParts *parts, const HnswLists lists[HNSW_MEASURES], uint32 n);

/* Room that segments take for n vectors. */
extern Size hnsw_partition_segments(uint32 n);

#endif							/* HNSW_PARTITION_H */
