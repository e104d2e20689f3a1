/*-------------------------------------------------------------------------
 *
 * am_nearest.h
 *		An index together with its table: the nearest rows by exact distances.
 *
 * Functions that search by themselves, and index scans that have to put rows in order,
 * look at the rows that a search finds, by the snapshot of the query that called them,
 * and compute the distances from them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_NEAREST_H
#define NV_AM_NEAREST_H

#include "nv_compat.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"

typedef struct NvIndexedTable
{
	Relation	heap;
	Relation	index;
	Snapshot	snapshot;		/* the active one; MVCC */
	bool		many;			/* a row brings an array of vectors to the index */
	Oid			type;			/* of the values that the index holds; that of an array */
	Oid			collation;
	FmgrInfo	distance;		/* of the operator that the index orders by */
	IndexInfo  *info;
	EState	   *estate;
	ExprContext *econtext;		/* its memory is that of one row */
	ExprState  *predicate;		/* of a partial index, or NULL */
	TupleTableSlot *slot;
	IndexFetchTableData *fetch;

	/* of the caller, who becomes the table's owner until it is closed */
	Oid			user;
	int			security;
	int			settings;
} NvIndexedTable;

typedef struct NvNeighbor
{
	double		distance;
	ItemPointerData tid;		/* of the visible version of the row */
} NvNeighbor;

/*
 * Open an index of ours and its table, for the rights of the current user.  ERROR
 * (INSUFFICIENT_PRIVILEGE) unless he may read the whole table: a place in it tells
 * that a row is there, so row security must not apply to him; (WRONG_OBJECT_TYPE and
 * others) if it is no index that can be searched.  Memory of the current context.
 *
 * As in ANALYZE, functions of the table's owner that the index calls run with the
 * rights of the owner, and cannot leave anything behind.
 */
extern void nv_table_open(NvIndexedTable *t, Oid index);

/* Close both; locks are kept until the end of the transaction. */
extern void nv_table_close(NvIndexedTable *t);

/*
 * The same for who has them open, and looks at rows by this snapshot, with the rights of
 * the current user: begin, and end.
 */
extern void nv_table_begin(NvIndexedTable *t, Relation heap, Relation index, Snapshot snapshot);
extern void nv_table_end(NvIndexedTable *t);

/*
 * What nv_table_open() does so that functions which the index calls run with the rights of
 * the table's owner, and what nv_table_close() undoes; around the two above.
 */
extern void nv_table_become_owner(NvIndexedTable *t, Relation heap);
extern void nv_table_become_caller(const NvIndexedTable *t);

/*
 * Fetch the version of a row that the snapshot sees into t->slot; false if it sees none.
 * What was computed from the row before is forgotten.
 */
extern bool nv_table_fetch(NvIndexedTable *t, const ItemPointerData *tid);

/* What the row in t->slot brings to each column of the index, in memory of one row. */
extern void nv_table_values(NvIndexedTable *t, Datum *values, bool *isnull);

/*
 * The value that the row in t->slot brings to the index; false when it brings none.
 * It is in memory of one row: see nv_table_next_row().
 */
extern bool nv_table_value(NvIndexedTable *t, Datum *value);

/* Forget what was computed from a row. */
extern void nv_table_next_row(NvIndexedTable *t);

/* The distance of two values, as SQL computes it, in memory of one row. */
extern double nv_table_distance(NvIndexedTable *t, Datum a, Datum b);

/*
 * Fetch a row, and compute its distance from a query.  False if the snapshot does not see
 * it, or it brings nothing to the index.
 */
extern bool nv_table_measure(NvIndexedTable *t, const ItemPointerData *tid, Datum query,
							 double *distance);

/* Add a row to the k nearest, out[k], of which there are *n: a heap, the farthest first. */
extern void nv_neighbors_add(NvNeighbor *out, int *n, int k, double distance,
							 const ItemPointerData *tid);

/* Put them in order, nearest first; equally near ones as they lie in the table. */
extern void nv_neighbors_sort(NvNeighbor *neighbors, int n);

#endif							/* NV_AM_NEAREST_H */
