/*-------------------------------------------------------------------------
 *
 * am_scan.h
 *		What scans of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_SCAN_H
#define NV_AM_SCAN_H

#include "nv_compat.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "am/am_vector.h"

/* ambeginscan: a scan with room for its order; opaque is the method's. */
extern IndexScanDesc nv_scan_begin(Relation index, int nkeys, int norderbys, void *opaque);

/* amrescan: take over the order asked for, if there is a new one. */
extern void nv_scan_take_order(IndexScanDesc scan, ScanKey orderbys);

/*
 * The first row is asked for: count the scan and set the query, in memory of
 * the current context.  Returns whether it is NULL, from which all distances
 * are NULL.  ERROR when the scan has no order, or its snapshot is not MVCC.
 */
extern bool nv_scan_start(IndexScanDesc scan, const NvSpace *space, NvQuery *query);

/*
 * Return a row with the lower bound of its distance, or the distance of NULL.
 * Where bounds are not exact, the executor computes distances from the rows.
 * ERROR (INDEX_CORRUPTED): there can be no row in that place of a table.
 */
extern void nv_scan_return(IndexScanDesc scan, const NvSpace *space, bool null_query,
						   double bound, const ItemPointerData *tid);

#endif							/* NV_AM_SCAN_H */
