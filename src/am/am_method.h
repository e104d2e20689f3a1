/*-------------------------------------------------------------------------
 *
 * am_method.h
 *		An index method, for code that serves all of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_METHOD_H
#define NV_AM_METHOD_H

#include "nv_compat.h"

#include "access/amapi.h"
#include "am/am_inspect.h"
#include "am/am_insert.h"
#include "am/am_search.h"

/*
 * What a method registers when the library is loaded.  Access methods that share a
 * build function, as ivf and ivfflat do, are one method here.
 */
typedef struct NvMethod
{
	ambuild_function build;		/* tells the indexes of the method, too */
	const NvInsertMethod *insert;
	const NvSearchMethod *search;

	/*
	 * Walk a whole index and report every broken invariant.  The table is locked
	 * against vacuum.
	 */
	void		(*check) (Relation heap, Relation index, NvReport *report);

	/* Tell what an index is made of. */
	void		(*info) (Relation index, NvReport *report);

	/*
	 * Read what searches read of an index beside what is near their queries, and
	 * return the number of its pages; but not of those where vectors go on that are
	 * longer than a page.
	 */
	int64		(*prewarm) (Relation index);
} NvMethod;

/* The method stays the caller's and must not change. */
extern void nv_method_register(const NvMethod *method);

/* The method of an index; NULL if it is none of ours. */
extern const NvMethod *nv_method_of(Relation index);

#endif							/* NV_AM_METHOD_H */
