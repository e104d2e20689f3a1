/*-------------------------------------------------------------------------
 *
 * am_multi.h
 *		Searches of indexes that have many vectors a row, by MaxSim.
 *
 * The query is an array, too.  Each of its vectors is searched for; what these searches
 * find, put together, tells which rows are worth looking at, and their exact distances
 * come from the table.  See README, "Many vectors a row".
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_MULTI_H
#define NV_AM_MULTI_H

#include "nv_compat.h"

#include "access/skey.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

typedef struct NvMultiSearch NvMultiSearch;

/* Open such an index, which stays the caller's, in memory of the current context. */
extern NvMultiSearch *nv_multi_open(Relation index);

/*
 * Begin to search for the rows nearest to an array of the index's element type, or to
 * NULL, that match these scan keys, as a snapshot sees them; and forget the search before.
 * ERROR (DATA_EXCEPTION): its vectors have other dimensions than the index; and errors
 * of nv_vectors_open().
 */
extern void nv_multi_begin(NvMultiSearch *search, Relation heap, Snapshot snapshot, Datum query,
						   bool isnull, const ScanKeyData *keys, int nkeys);

/*
 * The next row, with its distance, which is NULL where the query is NULL or empty; false
 * when there is none.  *lossy: it may not match the keys.  ERROR (INDEX_CORRUPTED).
 */
extern bool nv_multi_next(NvMultiSearch *search, ItemPointer tid, double *distance, bool *isnull,
						  bool *lossy);

/*
 * How many nodes the searches of the first round look for, of the search that was begun, and
 * the most that it can be; and another number.
 */
extern int	nv_multi_effort(const NvMultiSearch *search);
extern int	nv_multi_most_effort(const NvMultiSearch *search);
extern void nv_multi_set_effort(NvMultiSearch *search, int effort);

extern void nv_multi_close(NvMultiSearch *search);

#endif							/* NV_AM_MULTI_H */
