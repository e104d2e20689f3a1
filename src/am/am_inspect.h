/*-------------------------------------------------------------------------
 *
 * am_inspect.h
 *		What the index methods tell about an index: nanovec_index_check() and
 *		nanovec_index_info().
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
} NvRowList;

/* Add one, in memory of the current context. */
extern void nv_rows_add(NvRowList *rows, const ItemPointerData *tid);

/*
 * Report rows that are there twice, or that the table has not, and did not
 * have before vacuum came by.  Puts them in order.
 */
extern void nv_rows_check(NvRowList *rows, Relation heap, NvReport *report);

/* What people call a form. */
extern const char *nv_form_name(NvForm form);

/*
 * Walk a whole index and report every broken invariant.  The table is locked
 * against vacuum; inserts into hnsw wait.
 */
extern void hnsw_check(Relation heap, Relation rel, NvReport *report);
extern void ivf_check(Relation heap, Relation rel, NvReport *report);

/* Tell what an index is made of. */
extern void hnsw_info(Relation rel, NvReport *report);
extern void ivf_info(Relation rel, NvReport *report);

#endif							/* NV_AM_INSPECT_H */
