/*-------------------------------------------------------------------------
 *
 * nv_compat.h
 *		postgres.h, and what differs between PostgreSQL 14 and 19.
 *
 * The only file that looks at PG_VERSION_NUM.  Every .c file that is not a
 * kernel includes it first, in the place of postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_COMPAT_H
#define NV_COMPAT_H

#include "postgres.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "storage/proc.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 140000
#error "nanovec needs PostgreSQL 14 or newer"
#endif

/* GetXLogReplayRecPtr() moved. */
#if PG_VERSION_NUM >= 150000
#include "access/xlogrecovery.h"
#endif

/* Before version 16 this meant something on Windows only. */
#if PG_VERSION_NUM < 160000 && !defined(WIN32)
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#else
/* Soft errors came with version 16; before, every error is thrown. */
#define ereturn(context, dummy_value, ...) \
	do \
	{ \
		(void) (context); \
		ereport(ERROR, __VA_ARGS__); \
	} while (0)
#endif

/* The number of this backend's current (virtual) transaction. */
#if PG_VERSION_NUM >= 170000
#define NV_CURRENT_LXID (MyProc->vxid.lxid)
#else
#define NV_CURRENT_LXID (MyProc->lxid)
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* From version 17 on, an index method says that it builds in parallel. */
#if PG_VERSION_NUM >= 170000
#define NV_SET_CAN_BUILD_PARALLEL(am) ((am)->amcanbuildparallel = true)
#else
#define NV_SET_CAN_BUILD_PARALLEL(am) ((void) 0)
#endif

/*
 * Costs alone do not keep the planner from a path, from version 18 on: this
 * puts it behind a sequential scan that is disabled.
 */
#if PG_VERSION_NUM >= 180000
#define NV_DISABLE_PATH(p) ((p)->disabled_nodes = 2)
#else
#define NV_DISABLE_PATH(p) ((void) (p))
#endif

#if PG_VERSION_NUM >= 180000
#define NV_VACUUM_DELAY_POINT() vacuum_delay_point(false)
#else
#define NV_VACUUM_DELAY_POINT() vacuum_delay_point()
#endif

#if PG_VERSION_NUM >= 160000
#define NV_IS_OWNER(oid) object_ownercheck(RelationRelationId, oid, GetUserId())
#else
#define NV_IS_OWNER(oid) pg_class_ownercheck(oid, GetUserId())
#endif

/* What identifies the files of a relation. */
#if PG_VERSION_NUM >= 160000
#define NV_REL_LOCATOR(rel) ((rel)->rd_locator)
#define NV_REL_NUMBER(rel) ((rel)->rd_locator.relNumber)
#else
#define NV_REL_LOCATOR(rel) ((rel)->rd_node)
#define NV_REL_NUMBER(rel) ((rel)->rd_node.relNode)
#endif

#if PG_VERSION_NUM >= 190000
#define NV_BEGINSCAN_PARALLEL(rel, scan) table_beginscan_parallel(rel, scan, SO_NONE)
#else
#define NV_BEGINSCAN_PARALLEL(rel, scan) table_beginscan_parallel(rel, scan)
#endif

/* From version 19 on, whoever looks at rows says whether they will be changed. */
#if PG_VERSION_NUM >= 190000
#define NV_INDEX_FETCH_BEGIN(rel) table_index_fetch_begin(rel, SO_NONE)
#else
#define NV_INDEX_FETCH_BEGIN(rel) table_index_fetch_begin(rel)
#endif

/* From version 19 on, an array's elements are described once. */
#if PG_VERSION_NUM >= 190000
#define NV_ARRAY_ITER_SETUP(it, array, ...) array_iter_setup(it, array, __VA_ARGS__)
#define NV_ARRAY_ITER_NEXT(it, null, i, ...) array_iter_next(it, null, i)
#else
#define NV_ARRAY_ITER_SETUP(it, array, ...) array_iter_setup(it, array)
#define NV_ARRAY_ITER_NEXT(it, null, i, ...) array_iter_next(it, null, i, __VA_ARGS__)
#endif

#if PG_VERSION_NUM >= 180000
#define NV_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "nanovec", .version = NANOVEC_VERSION)
#else
#define NV_MODULE_MAGIC PG_MODULE_MAGIC
#endif

/* From version 17 on, extensions name what they wait for; all processes see the names. */
#if PG_VERSION_NUM >= 170000
#define NV_NEW_WAIT_EVENT(name) WaitEventExtensionNew(name)
#else
#define NV_NEW_WAIT_EVENT(name) PG_WAIT_EXTENSION
#endif

/* Before version 19, each process names the tranches of locks that it knows. */
#if PG_VERSION_NUM >= 190000
#define NV_NEW_LOCK_TRANCHE(name) LWLockNewTrancheId(name)
#define NV_REGISTER_LOCK_TRANCHE(tranche, name) ((void) 0)
#else
#define NV_NEW_LOCK_TRANCHE(name) LWLockNewTrancheId()
#define NV_REGISTER_LOCK_TRANCHE(tranche, name) LWLockRegisterTranche(tranche, name)
#endif

/* EXPLAIN counts searches of an index from version 18 on. */
#if PG_VERSION_NUM >= 180000
#define NV_COUNT_SEARCH(scan) \
	do \
	{ \
		if ((scan)->instrument) \
			(scan)->instrument->nsearches++; \
	} while (0)
#else
#define NV_COUNT_SEARCH(scan) ((void) (scan))
#endif

/*
 * Declares and begins a function that SQL can call.  All other symbols of the
 * library are hidden.
 */
#define NV_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS)

/* How often the clock sweep will pass a shared buffer by. */
#if PG_VERSION_NUM >= 190000
#define NV_BUFFER_STATE(buffer) pg_atomic_read_u64(&GetBufferDescriptor((buffer) - 1)->state)
#else
#define NV_BUFFER_STATE(buffer) pg_atomic_read_u32(&GetBufferDescriptor((buffer) - 1)->state)
#endif
#define NV_BUFFER_USAGE(buffer) BUF_STATE_GET_USAGECOUNT(NV_BUFFER_STATE(buffer))

/* pg_stat_io came with version 16. */
#if PG_VERSION_NUM >= 180000
#define NV_COUNT_IO_HIT(rel) \
	pgstat_count_io_op(RelationUsesLocalBuffers(rel) ? IOOBJECT_TEMP_RELATION : IOOBJECT_RELATION, \
					   IOCONTEXT_NORMAL, IOOP_HIT, 1, 0)
#elif PG_VERSION_NUM >= 160000
#define NV_COUNT_IO_HIT(rel) \
	pgstat_count_io_op(RelationUsesLocalBuffers(rel) ? IOOBJECT_TEMP_RELATION : IOOBJECT_RELATION, \
					   IOCONTEXT_NORMAL, IOOP_HIT)
#else
#define NV_COUNT_IO_HIT(rel) ((void) (rel))
#endif

/* Whether this process holds the content lock of a shared buffer exclusively; 19 has other locks. */
#if PG_VERSION_NUM >= 190000
#define NV_HOLDS_EXCLUSIVELY(buffer) false
#define NV_KNOWS_CONTENT_LOCKS false
#else
#define NV_KNOWS_CONTENT_LOCKS true
#define NV_HOLDS_EXCLUSIVELY(buffer) \
	LWLockHeldByMeInMode(BufferDescriptorGetContentLock(GetBufferDescriptor((buffer) - 1)), \
						 LW_EXCLUSIVE)
#endif

#endif							/* NV_COMPAT_H */
