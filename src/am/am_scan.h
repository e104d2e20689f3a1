/*-------------------------------------------------------------------------
 *
 * am_scan.h
 *		Index scans: searches that PostgreSQL's executor drives.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_SCAN_H
#define NV_AM_SCAN_H

#include "nv_compat.h"

#include "access/genam.h"
#include "access/relscan.h"

/* ambeginscan, amrescan, amgettuple and amendscan, of all methods. */
extern IndexScanDesc nv_begin_scan(Relation index, int nkeys, int norderbys);

/* ERROR when the snapshot is not MVCC; errors of nv_search_begin() and nv_sphere_open(). */
extern void nv_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
					  int norderbys);

/*
 * Returns a row with its distance, or the distance of NULL.  Where a scan orders by several
 * distances, it is a lower bound of the first, and the executor computes all of them.
 */
extern bool nv_get_tuple(IndexScanDesc scan, ScanDirection direction);
extern void nv_end_scan(IndexScanDesc scan);

#endif							/* NV_AM_SCAN_H */
