/*-------------------------------------------------------------------------
 *
 * am_results.h
 *		What a scan found, waiting to go out by its bound.
 *
 * A scan is sure of the order only up to a horizon; what it happened to find
 * beyond waits until it has searched on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_RESULTS_H
#define NV_AM_RESULTS_H

#include "nv_compat.h"

#include "storage/itemptr.h"

typedef struct NvResult
{
	double		bound;			/* at most the distance, as SQL computes it */
	uint64		item;			/* the place of its row, and flags: nv_item() */
} NvResult;

/*
 * The item of a result, from the place of a row and flags of the method's own.  Rows
 * with the same bound go out as they lie in the table.
 */
static inline uint64
nv_item(BlockNumber block, OffsetNumber offset, uint16 flags)
{
	return (uint64) block << 32 | (uint64) offset << 16 | flags;
}

/* The row of an item. */
static inline ItemPointerData
nv_item_row(uint64 item)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, (BlockNumber) (item >> 32), (OffsetNumber) (item >> 16));
	return tid;
}

/* Zeroed memory is an empty one, but for last, which nv_results_reset() sets. */
typedef struct NvResults
{
	NvResult   *results;		/* a heap: those that did not go out yet */
	int			n;
	int			nready;			/* so many of them may go out */
	int			room;
	double		horizon;		/* if their bounds are not beyond this */
	NvResult	last;			/* that went out */
} NvResults;

/* Forget everything, memory included, which was that of a context reset meanwhile. */
extern void nv_results_reset(NvResults *r);

/* Forget the results that wait. */
static inline void
nv_results_clear(NvResults *r)
{
	r->n = r->nready = 0;
}

/* Bytes that adding so many more would allocate, beside what there is; mostly 0. */
extern Size nv_results_growth(const NvResults *r, int n);

/* Make room for n results at once, in memory of the current context. */
extern void nv_results_reserve(NvResults *r, int n);

/*
 * Add a result, in memory of the current context.  With strict order, by bound
 * and item, one that belongs before what went out comes too late and is left
 * out, and so is one that went out already.
 */
extern void nv_results_add(NvResults *r, double bound, uint64 item, bool strict);

/* From now on results up to a horizon may go out; or the n least. */
extern void nv_results_ready(NvResults *r, double horizon);
extern void nv_results_ready_least(NvResults *r, int n);

/* How many results did not go out yet. */
static inline int
nv_results_waiting(const NvResults *r)
{
	return r->n;
}

/* The next one to go out; NULL when none is ready. */
static inline const NvResult *
nv_results_peek(const NvResults *r)
{
	return r->n > 0 && r->nready > 0 && !(r->results[0].bound > r->horizon) ? r->results : NULL;
}

/* Remove the next one, which went out. */
extern void nv_results_pop(NvResults *r);

#endif							/* NV_AM_RESULTS_H */
