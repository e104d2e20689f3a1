/*-------------------------------------------------------------------------
 *
 * am_custom.h
 *		Distances by a function of the user's.
 *
 * The operator class says nanovec_custom_metric(), and the distance of two vectors
 * is what the function of its operator 1 returns.  That can be written in any language,
 * and may do anything: run for long, raise errors, look into catalogs, take locks,
 * search this index.  So nobody who measures holds a content lock or an LWLock.
 *
 * Stored vectors are exact, so the function is given the values themselves, in the
 * order of "ORDER BY stored <op> query".  What it returns is rounded down to a float: a
 * lower bound; the distance itself is computed from the row.
 *
 * It runs as whoever uses the index.  That is the table's owner, restricted, where
 * PostgreSQL has index expressions run as the owner: in builds and in vacuum.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_CUSTOM_H
#define NV_AM_CUSTOM_H

#include "nv_compat.h"

#include "access/tableam.h"
#include "am/am_vector.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

struct NvCustom
{
	FmgrInfo	function;
	Oid			collation;
	MemoryContext scratch;		/* of one call */
	char	   *values[2];		/* room for the arguments */
	float	   *elements;		/* dims, to align those of a halfvec */
};

/*
 * Find the function of an index, for its space, in memory of the current context.  The
 * space and this memory must live equally long.  ERROR if the operator class has none.
 */
extern void nv_custom_open(NvSpace *space, Relation index);

/*
 * The measures of such a space; both may run for long, and check for interrupts.  ERROR
 * (DATA_EXCEPTION) when the function returns NULL, NaN or a negative number, and whatever
 * the function raises.  A query that stands for NULL is as far as any from all.
 */
extern float nv_custom_from_query(const NvSpace *space, const NvQuery *query, const NvStored *v);
extern float nv_custom_between(const NvSpace *space, const NvStored *a, const NvStored *b);

/*
 * For an index that is to be built: ERROR unless the function is immutable and not inlined
 * in queries, and measures some rows of the table as a distance does.  heap is NULL where
 * there are no rows; dims are those of the column.
 */
extern void nv_custom_check(Relation heap, Relation index, IndexInfo *info, NvElementKind kind,
							int dims);

/*
 * Whether queries have something else in place of an operator of a vector type: PostgreSQL
 * replaces a call of a simple SQL function by the function's body.  It does not look for the
 * operator in indexes then.
 */
extern bool nv_custom_is_inlined(Oid operator);

/* Whether the function of an index may be called by parallel workers. */
extern bool nv_custom_parallel_safe(Relation index);

/* What a call of it costs, in units of cpu_operator_cost. */
extern double nv_custom_cost(Relation index);

#endif							/* NV_AM_CUSTOM_H */
