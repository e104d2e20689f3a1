/*-------------------------------------------------------------------------
 *
 * am_inspect.c
 *		SQL functions that look into an index.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_inspect.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "am/am_method.h"
#include "catalog/index.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* Text of a row is cut off here. */
#define TEXT_BYTES 2048

/* Add a row to a result: what it is about, and a text. */
static void __attribute__((format(printf, 3, 0)))
add_row(NvReport *report, Datum about, const char *format, va_list args)
{
	Datum		values[2];
	bool		nulls[2] = {false, false};
	char		text[TEXT_BYTES];

	vsnprintf(text, sizeof(text), format, args);
	values[0] = about;
	values[1] = CStringGetTextDatum(text);
	tuplestore_putvalues(report->rows, report->desc, values, nulls);
}

/* Add a row to the result of nanovec_index_check(). */
void
nv_report_problem(NvReport *report, BlockNumber block, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	add_row(report, Int64GetDatum(block), format, args);
	va_end(args);
}

/* Add a row to the result of nanovec_index_info(). */
void
nv_report_property(NvReport *report, const char *property, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	add_row(report, CStringGetTextDatum(property), format, args);
	va_end(args);
}

/* What the option "storage" and nanovec_index_info() call a form. */
const char *
nv_form_name(NvForm form)
{
	switch (form)
	{
		case NV_FORM_FLOAT4:
			return "float4";
		case NV_FORM_FLOAT2:
			return "float2";
		case NV_FORM_SQ8:
			return "sq8";
		case NV_FORM_SQ16:
			return "sq16";
		case NV_FORM_BITS:
			return "bits";
		case NV_FORM_SPARSE:
			return "sparse";
	}
	return "unknown";
}

/* ---- functions ---- */

/* Open an index, and its table first. */
Relation
nv_inspect_open(Oid oid, LOCKMODE lock, Relation *heap)
{
	Oid			heap_oid = IndexGetRelation(oid, true);
	Relation	rel;

	/* the table first, as everywhere; it may be dropped meanwhile */
	*heap = OidIsValid(heap_oid) ? table_open(heap_oid, lock) : NULL;
	rel = relation_open(oid, AccessShareLock);
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partitioned index", RelationGetRelationName(rel)),
				 errhint("Name the index of a partition.")));
	if (rel->rd_rel->relkind != RELKIND_INDEX || nv_method_of(rel) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an index of nanovec", RelationGetRelationName(rel)),
				 rel->rd_rel->relkind == RELKIND_RELATION ||
				 rel->rd_rel->relkind == RELKIND_MATVIEW ||
				 rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
				 errhint("Name an index of vectors, not its table.") : 0));
	if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary indexes of other sessions")));
	if (RecoveryInProgress() && rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access unlogged indexes during recovery")));
	if (!rel->rd_index->indisvalid)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("index \"%s\" is not valid", RelationGetRelationName(rel)),
				 errhint("Its build did not complete. Drop it, or rebuild it with REINDEX.")));
	return rel;
}

/* The function's result becomes a tuplestore. */
NvReport
nv_report_begin(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	NvReport	report;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	if (get_call_result_type(fcinfo, NULL, &report.desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	report.rows = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextSwitchTo(old);
	result->returnMode = SFRM_Materialize;
	result->setResult = report.rows;
	result->setDesc = report.desc;
	return report;
}

/*
 * Owners may look into an index, and who has pg_stat_scan_tables; where
 * nobody has to wait for it, also readers of the whole table.  Asked before
 * any lock is taken.
 */
static void
check_rights(Oid oid, bool readers)
{
	char	   *name = get_rel_name(oid);
	Oid			table;

	if (name == NULL || NV_IS_OWNER(oid) ||
		has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES))
		return;
	table = IndexGetRelation(oid, true);
	if (!readers || !OidIsValid(table))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, name);
	else if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
}

/*
 * On a standby nobody can keep replay from changing pages.  When it went on
 * meanwhile, what looks like a problem may be two moments of a sound index.
 */
static void
tell_of_replay(XLogRecPtr start, const NvReport *report)
{
	if (tuplestore_tuple_count(report->rows) > 0 && GetXLogReplayRecPtr(NULL) != start)
		ereport(NOTICE,
				(errmsg("replay went on during the check, and may be what some of the problems come from"),
				 errhint("Check again between pg_wal_replay_pause() and pg_wal_replay_resume().")));
}

/* Report all broken invariants of an index. */
NV_FUNCTION(nanovec_index_check)
{
	Oid			index = PG_GETARG_OID(0);
	NvReport	report = nv_report_begin(fcinfo);
	bool		standby = RecoveryInProgress();
	XLogRecPtr	start = standby ? GetXLogReplayRecPtr(NULL) : InvalidXLogRecPtr;
	Relation	heap;
	Relation	rel;

	/* vacuum waits for it, and inserts into hnsw do; a standby gives no such lock */
	check_rights(index, false);
	rel = nv_inspect_open(index, standby ? AccessShareLock : ShareUpdateExclusiveLock, &heap);

	nv_method_of(rel)->check(heap, rel, &report);
	if (standby)
		tell_of_replay(start, &report);
	relation_close(rel, NoLock);
	table_close(heap, NoLock);
	return (Datum) 0;
}

/* Report the properties of an index. */
NV_FUNCTION(nanovec_index_info)
{
	Oid			index = PG_GETARG_OID(0);
	NvReport	report = nv_report_begin(fcinfo);
	Relation	heap;
	Relation	rel;

	check_rights(index, true);
	rel = nv_inspect_open(index, AccessShareLock, &heap);

	nv_method_of(rel)->info(rel, &report);
	relation_close(rel, AccessShareLock);
	table_close(heap, AccessShareLock);
	return (Datum) 0;
}

/* Read all of an index; returns the number of its pages. */
static int64
prewarm_all(Relation rel)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);

	for (BlockNumber block = 0; block < nblocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		ReleaseBuffer(ReadBuffer(rel, block));
	}
	return nblocks;
}

/* Read an index, or what every search needs of it, into shared buffers. */
NV_FUNCTION(nanovec_prewarm)
{
	Oid			index = PG_GETARG_OID(0);
	char	   *part = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bool		all = strcmp(part, "all") == 0;
	Relation	heap;
	Relation	rel;
	int64		n;

	if (!all && strcmp(part, "search") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid part of an index: \"%s\"", part),
				 errhint("Parts are \"search\", what every search reads, and \"all\".")));
	check_rights(index, true);
	rel = nv_inspect_open(index, AccessShareLock, &heap);
	n = all ? prewarm_all(rel) : nv_method_of(rel)->prewarm(rel);
	relation_close(rel, AccessShareLock);
	table_close(heap, AccessShareLock);
	PG_RETURN_INT64(n);
}
