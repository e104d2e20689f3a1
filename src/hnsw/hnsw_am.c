/*-------------------------------------------------------------------------
 *
 * hnsw_am.c
 *		The hnsw index access method: handler, options, costs, validation.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw.h"

#include <float.h>
#include <math.h>

#include "access/amapi.h"
#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "commands/vacuum.h"
#include "nv_guc.h"
#include "optimizer/optimizer.h"
#include "utils/float.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

/* Support functions of an operator class. */
#define HNSW_METRIC_PROC 1
#define HNSW_TYPE_PROC 2

static relopt_kind hnsw_relopts;

static relopt_enum_elt_def storage_values[] = {
	{"auto", HNSW_STORAGE_AUTO},
	{"float4", HNSW_STORAGE_FLOAT4},
	{"float2", HNSW_STORAGE_FLOAT2},
	{"sq8", HNSW_STORAGE_SQ8},
	{NULL, 0}
};

void
hnsw_init(void)
{
	hnsw_relopts = add_reloption_kind();
	add_int_reloption(hnsw_relopts, "m", "Most neighbors of a vector above the lowest level; "
					  "twice as many on it", HNSW_DEFAULT_M, HNSW_MIN_M, HNSW_MAX_M,
					  AccessExclusiveLock);
	add_int_reloption(hnsw_relopts, "ef_construction",
					  "Candidates kept while a vector's neighbors are searched",
					  HNSW_DEFAULT_EF_CONSTRUCTION, HNSW_MIN_EF_CONSTRUCTION,
					  HNSW_MAX_EF_CONSTRUCTION, AccessExclusiveLock);
	add_enum_reloption(hnsw_relopts, "storage", "How vectors are stored in the index",
					   storage_values, HNSW_STORAGE_AUTO,
					   "Valid values are \"auto\", \"float4\", \"float2\" and \"sq8\".",
					   AccessExclusiveLock);
}

static bytea *
parse_options(Datum reloptions, bool validate)
{
#define OPTION(name, type) \
	{.optname = #name, .opttype = type, .offset = offsetof(HnswOptions, name)}
	static const relopt_parse_elt table[] = {
		OPTION(m, RELOPT_TYPE_INT),
		OPTION(ef_construction, RELOPT_TYPE_INT),
		OPTION(storage, RELOPT_TYPE_ENUM),
	};

	return (bytea *) build_reloptions(reloptions, validate, hnsw_relopts, sizeof(HnswOptions),
									  table, lengthof(table));
}

HnswOptions
hnsw_options_of(Relation rel)
{
	HnswOptions options = {
		.m = HNSW_DEFAULT_M,
		.ef_construction = HNSW_DEFAULT_EF_CONSTRUCTION,
		.storage = HNSW_STORAGE_AUTO
	};

	if (rel->rd_options != NULL)
		options = *(HnswOptions *) rel->rd_options;
	return options;
}

void
hnsw_operator_class(Relation rel, NvElementKind *element, NvSpaceMetric *metric)
{
	const NvSpaceMetric *m = (const NvSpaceMetric *)
		DatumGetPointer(FunctionCall1(index_getprocinfo(rel, 1, HNSW_METRIC_PROC),
									  PointerGetDatum(NULL)));
	const NvElementType *type = (const NvElementType *)
		DatumGetPointer(FunctionCall1(index_getprocinfo(rel, 1, HNSW_TYPE_PROC),
									  PointerGetDatum(NULL)));

	if (m == NULL || type == NULL || !nv_metric_valid(type->kind, *m))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class of index \"%s\" has no distance that hnsw knows",
						RelationGetRelationName(rel))));
	*element = type->kind;
	*metric = *m;
}

/* ---- support functions of operator classes ---- */

#define TYPE_SUPPORT(name, kind) \
NV_FUNCTION(hnsw_##name##_support) \
{ \
	PG_RETURN_POINTER(nv_element_type(kind)); \
}

TYPE_SUPPORT(vector, NV_ELEMENT_VECTOR)
TYPE_SUPPORT(halfvec, NV_ELEMENT_HALFVEC)
TYPE_SUPPORT(sq8vec, NV_ELEMENT_SQ8VEC)
TYPE_SUPPORT(bit, NV_ELEMENT_BIT)
TYPE_SUPPORT(sparsevec, NV_ELEMENT_SPARSEVEC)

#define METRIC_SUPPORT(name, value) \
NV_FUNCTION(nanovec_##name##_metric) \
{ \
	static const NvSpaceMetric metric = value; \
\
	PG_RETURN_POINTER(&metric); \
}

METRIC_SUPPORT(l2, NV_SPACE_L2)
METRIC_SUPPORT(ip, NV_SPACE_IP)
METRIC_SUPPORT(cosine, NV_SPACE_COSINE)
METRIC_SUPPORT(l1, NV_SPACE_L1)
METRIC_SUPPORT(hamming, NV_SPACE_HAMMING)
METRIC_SUPPORT(jaccard, NV_SPACE_JACCARD)

/* ---- validation ---- */

static void
complain(bool *valid, const char *opfamily, const char *what)
{
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family \"%s\" of access method hnsw %s", opfamily, what)));
	*valid = false;
}

static void
validate_operators(CatCList *operators, const char *family, bool *valid)
{
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (op->amopstrategy != 1)
			complain(valid, family, "contains an operator with a strategy number other than 1");
		if (op->amoppurpose != AMOP_ORDER)
			complain(valid, family, "contains an operator that is not for ordering");
		if (op->amoplefttype != op->amoprighttype ||
			!check_amop_signature(op->amopopr, FLOAT8OID, op->amoplefttype, op->amoprighttype))
			complain(valid, family, "contains an operator with a wrong signature");
		if (op->amoppurpose == AMOP_ORDER &&
			!opfamily_can_sort_type(op->amopsortfamily, FLOAT8OID))
			complain(valid, family, "contains an operator with a wrong ORDER BY operator family");
	}
}

static void
validate_procs(CatCList *procs, const char *family, Oid type, bool *valid)
{
	const NvElementType *element = NULL;
	const NvSpaceMetric *metric = NULL;

	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc proc = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);

		if (proc->amprocnum != HNSW_METRIC_PROC && proc->amprocnum != HNSW_TYPE_PROC)
			complain(valid, family, "contains a support function with a wrong number");
		else if (!check_amproc_signature(proc->amproc, INTERNALOID, true, 1, 1, INTERNALOID))
			complain(valid, family, "contains a support function with a wrong signature");
		else if (proc->amproclefttype == type && proc->amprocnum == HNSW_METRIC_PROC)
			metric = (const NvSpaceMetric *)
				DatumGetPointer(OidFunctionCall1(proc->amproc, PointerGetDatum(NULL)));
		else if (proc->amproclefttype == type)
			element = (const NvElementType *)
				DatumGetPointer(OidFunctionCall1(proc->amproc, PointerGetDatum(NULL)));
	}
	if (metric == NULL || element == NULL)
		complain(valid, family, "lacks a support function");
	else if (!nv_metric_valid(element->kind, *metric))
		complain(valid, family, "has a metric that does not suit its type");
	else if (strcmp(format_type_be(type), element->name) != 0)
		complain(valid, family, "has support functions for another type");
}

static char *
opfamily_name(Oid family)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	name = pstrdup(NameStr(((Form_pg_opfamily) GETSTRUCT(tuple))->opfname));
	ReleaseSysCache(tuple);
	return name;
}

static bool
validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	char	   *family;
	CatCList   *operators;
	CatCList   *procs;
	bool		valid = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	family = opfamily_name(form->opcfamily);
	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(form->opcfamily));
	procs = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(form->opcfamily));
	if (operators->n_members == 0)
		complain(&valid, family, "lacks an operator");
	validate_operators(operators, family, &valid);
	validate_procs(procs, family, form->opcintype, &valid);
	ReleaseCatCacheList(procs);
	ReleaseCatCacheList(operators);
	ReleaseSysCache(tuple);
	return valid;
}

/* ---- costs ---- */

static void
cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
			  Selectivity *selectivity, double *correlation, double *pages)
{
	GenericCosts costs;
	double		tuples = Max(path->indexinfo->tuples, 1);
	double		visits;
	double		page_cost;
	double		visit_cost;
	Relation	index;
	int			m;

	memset(&costs, 0, sizeof(costs));
	/* without an order there is nothing to search for */
	if (path->indexorderbys == NIL)
	{
		*startup = *total = get_float8_infinity();
		*selectivity = 0;
		*correlation = 0;
		*pages = 0;
		return;
	}

	genericcostestimate(root, path, loop_count, &costs);
	index = index_open(path->indexinfo->indexoid, NoLock);
	m = hnsw_options_of(index).m;
	index_close(index, NoLock);

	/* a search visits each candidate it keeps, and a few nodes on the way down */
	visits = Min(hnsw_ef_search + 3 * log(tuples) / log(2 * m), tuples);
	get_tablespace_page_costs(path->indexinfo->reltablespace, &page_cost, NULL);
	visit_cost = page_cost + 2 * m * cpu_operator_cost + cpu_index_tuple_cost;
	*startup = visits * visit_cost;
	/* rows beyond ef_search cost a visit each */
	*total = *startup + Max(0, costs.numIndexTuples - hnsw_ef_search) * visit_cost;
	*selectivity = costs.indexSelectivity;
	*correlation = 0;
	*pages = Min(costs.numIndexPages, visits);
}

static char *
phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case HNSW_PHASE_LOAD:
			return "loading vectors";
		case HNSW_PHASE_LINK:
			return "linking neighbors";
		case HNSW_PHASE_WRITE:
			return "writing pages";
		case HNSW_PHASE_INSERT:
			return "inserting beyond memory";
	}
	return NULL;
}

NV_FUNCTION(hnswhandler)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->amstrategies = 0;
	am->amsupport = 2;
	am->amcanorderbyop = true;
	am->amoptionalkey = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	am->amkeytype = InvalidOid;
	NV_SET_CAN_BUILD_PARALLEL(am);

	am->ambuild = hnsw_build;
	am->ambuildempty = hnsw_build_empty;
	am->aminsert = hnsw_insert;
	am->ambulkdelete = hnsw_bulk_delete;
	am->amvacuumcleanup = hnsw_vacuum_cleanup;
	am->amcostestimate = cost_estimate;
	am->amoptions = parse_options;
	am->ambuildphasename = phase_name;
	am->amvalidate = validate;
	am->ambeginscan = hnsw_begin_scan;
	am->amrescan = hnsw_rescan;
	am->amgettuple = hnsw_get_tuple;
	am->amendscan = hnsw_end_scan;
	PG_RETURN_POINTER(am);
}
