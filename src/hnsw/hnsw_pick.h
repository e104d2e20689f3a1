/*-------------------------------------------------------------------------
 *
 * hnsw_pick.h
 *		The choice of neighbors in a build by partitions, for one vector after the other.
 *
 * It is that of hnsw_choose(), by the Euclidean distance or the inner product and among
 * different vectors, so that many of them can be measured at a time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef HNSW_PICK_H
#define HNSW_PICK_H

#include "nv_compat.h"

#include "hnsw/hnsw.h"

/* A process's room for it, and what was picked last. */
typedef struct HnswPicker
{
	HnswIndex  *ix;
	bool		codes;			/* vectors are of 8-bit codes */
	bool		by_product;		/* the metric is the inner product */
	int			most;			/* the most that can be picked */

	/* the vector to pick for */
	uint32		number;
	uint32		slot;

	/* candidates; arrays of "room" */
	int			n;
	int			room;
	uint32	   *slots;
	uint32	   *numbers;		/* of their vectors */
	NvStored   *stored;
	const uint8 **data;			/* their codes */
	float	   *distances;		/* from the vector: squares of L2 */
	float	   *products;		/* by_product: negative inner products with it */
	int32	   *dots;
	float	   *columns[4];		/* what NvPanelColumns takes */
	int32	   *sums;			/* and the sum of an NvPanelVector */
	uint32	   *order;			/* nearest first: numbers of candidates */
	uint64	   *keys;
	uint32	   *ranks;
	uint16	   *nmeasured;		/* against how many of the picked ones it was measured, */
	float	   *nearest;		/* and the distance from the nearest of these; by_product, of
								 * those that it has no smaller product with than the vector */
	float	   *best;			/* by_product: the least negative product with one of these */

	/* those picked: arrays of "most", and a whole step more */
	int			npicked;
	uint32	   *picked;			/* numbers of candidates */
	const uint8 **picked_data;
	float	   *picked_columns[4];
} HnswPicker;

/* Make one, for an index that hnsw_matrix_serves(), in the current context; bytes that it takes. */
extern HnswPicker *hnsw_picker_create(HnswIndex *ix);
extern Size hnsw_picker_bytes(const HnswMeta *meta);

/* Begin with the vector of a number, which a node in memory has, and fetch it into the caches. */
extern void hnsw_pick_begin(HnswPicker *p, uint32 number, uint32 slot);

/* Add a candidate, whose vector is fetched, too.  Numbers say which come twice. */
extern void hnsw_pick_add(HnswPicker *p, uint32 number, uint32 slot);

/*
 * Pick neighbors, up to a limit: p->npicked then, and p->picked[].  The first "kept"
 * candidates are, in any case.  Of the rest a candidate comes first if no picked one is
 * nearer to it than the vector is, then if none is so by a factor (hnsw_choice.c); by the
 * inner product, before that if it has no greater product with a picked one; in the end
 * places are filled with what is nearest.  Equally near ones come in the order of
 * numbers, counted from that of the vector on; and so do all when there are not more than
 * the limit, so that nothing has to be measured.
 */
extern void hnsw_pick(HnswPicker *p, int kept, int limit);

#endif							/* HNSW_PICK_H */
