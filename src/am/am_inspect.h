/*-------------------------------------------------------------------------
 *
 * am_inspect.h
 *		How the index methods tell about an index: nanovec_index_check() and
 *		nanovec_index_info().  What they tell is in NvMethod, am_method.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_INSPECT_H
#define NV_AM_INSPECT_H

#include "nv_compat.h"

#include "am/am_vector.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

/* Where rows of the result go. */
typedef struct NvReport
{
	Tuplestorestate *rows;
	TupleDesc	desc;
} NvReport;

/*
 * Begin the result of a function that returns rows.  ERROR (FEATURE_NOT_SUPPORTED) where
 * it is called in a place that takes none.
 */
extern NvReport nv_report_begin(FunctionCallInfo fcinfo);

/*
 * Open an index of ours and its table, with the same lock.  ERROR (WRONG_OBJECT_TYPE,
 * FEATURE_NOT_SUPPORTED, OBJECT_NOT_IN_PREREQUISITE_STATE) if it cannot be looked into.
 */
extern Relation nv_inspect_open(Oid index, LOCKMODE lock, Relation *heap);

/* Report a broken invariant in a block. */
extern void nv_report_problem(NvReport *report, BlockNumber block, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Report a property. */
extern void nv_report_property(NvReport *report, const char *property, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* Rows that an index points to. */
typedef struct NvRowList
{
	ItemPointerData *tids;
	uint64		n;
	uint64		room;
	bool		repeated;		/* a row may be there more than once: it has many vectors */
} NvRowList;

/* Add one, in memory of the current context. */
extern void nv_rows_add(NvRowList *rows, const ItemPointerData *tid);

/*
 * Report rows that are there twice, unless they may, or that the table has not, and did not
 * have before vacuum came by.  Puts them in order.
 */
extern void nv_rows_check(NvRowList *rows, Relation heap, NvReport *report);

/* What people call a form. */
extern const char *nv_form_name(NvForm form);

#endif							/* NV_AM_INSPECT_H */
