/*-------------------------------------------------------------------------
 *
 * am_order.h
 *		The rows of a search in the order of their exact distances.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_ORDER_H
#define NV_AM_ORDER_H

#include "nv_compat.h"

#include "am/am_search.h"

typedef struct NvOrder NvOrder;

/* Prepare to put the rows of a searcher in order.  Memory of the current context. */
extern NvOrder *nv_order_open(NvSearcher *searcher);

/*
 * Begin, for a search that nv_search_begin() was called for.  Rows are looked at by the
 * snapshot, with the rights of the current user.  The query has to stay until the last row;
 * the heap, until the end.
 */
extern void nv_order_begin(NvOrder *o, Relation heap, Snapshot snapshot, Datum query);

/*
 * The next row that the snapshot sees, and its distance, as SQL computes it; of one that is
 * NaN, infinity.  False when there is none.  ERROR (INDEX_CORRUPTED): the index has a row
 * farther than it is.  Errors of nv_search_next() and of the distance function.
 */
extern bool nv_order_next(NvOrder *o, ItemPointer tid, double *distance);

/* Free it; the searcher stays. */
extern void nv_order_close(NvOrder *o);

#endif							/* NV_AM_ORDER_H */
