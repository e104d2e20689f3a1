/*-------------------------------------------------------------------------
 *
 * am_wal.h
 *		Changing pages: every change to a live index is one record of
 *		generic WAL.
 *
 * Use: nv_change_begin; nv_change_page for each page, at most
 * MAX_GENERIC_XLOG_PAGES, whose buffer is exclusively locked; change what it
 * returns; nv_change_finish.
 *
 * While an index is built nobody sees it and it is logged as a whole at the
 * end, so changes then go straight to the page ("logged" false).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_WAL_H
#define NV_AM_WAL_H

#include "nv_compat.h"

#include "access/generic_xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

typedef struct NvChange
{
	GenericXLogState *state;	/* NULL: not logged */
	int			npages;
	Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
	Page		pages[MAX_GENERIC_XLOG_PAGES];	/* what is changed, a copy if it is logged */
} NvChange;

extern void nv_change_begin(NvChange *change, Relation index, bool logged);

/* The page to change.  fresh: nothing of what it holds is kept. */
extern Page nv_change_page(NvChange *change, Buffer buffer, bool fresh);
extern void nv_change_finish(NvChange *change);

/* Log all pages of a new index, if its changes are logged at all. */
extern void nv_log_whole(Relation index, ForkNumber fork);

/*
 * Log some blocks of a new index whose changes are logged.  The processes of a build may
 * do so at once, when all blocks have been written.
 */
extern void nv_log_blocks(Relation index, ForkNumber fork, BlockNumber first, BlockNumber end);

#endif							/* NV_AM_WAL_H */
