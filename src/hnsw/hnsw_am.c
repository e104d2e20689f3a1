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

#include "access/reloptions.h"
#include "am/am_handler.h"
#include "commands/progress.h"
#include "nv_guc.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

static relopt_kind hnsw_relopts;

static relopt_enum_elt_def storage_values[] = {
	{"auto", HNSW_STORAGE_AUTO},
	{"float4", HNSW_STORAGE_FLOAT4},
	{"float2", HNSW_STORAGE_FLOAT2},
	{"sq8", HNSW_STORAGE_SQ8},
	{"sq16", HNSW_STORAGE_SQ16},
	{NULL, 0}
};

static const NvMethod hnsw_method = {
	.build = hnsw_build,
	.check = hnsw_check,
	.info = hnsw_info
};

/* Register the method and its options. */
void
hnsw_init(void)
{
	nv_method_register(&hnsw_method);
	hnsw_relopts = add_reloption_kind();
	add_int_reloption(hnsw_relopts, "m", "Neighbors that a new vector gets on each level; "
					  "it keeps at most twice as many", HNSW_DEFAULT_M, HNSW_MIN_M, HNSW_MAX_M,
					  AccessExclusiveLock);
	add_int_reloption(hnsw_relopts, "ef_construction",
					  "Candidates kept while a vector's neighbors are searched",
					  HNSW_DEFAULT_EF_CONSTRUCTION, HNSW_MIN_EF_CONSTRUCTION,
					  HNSW_MAX_EF_CONSTRUCTION, AccessExclusiveLock);
	add_enum_reloption(hnsw_relopts, "storage", "How vectors are stored in the index",
					   storage_values, HNSW_STORAGE_AUTO,
					   "Valid values are \"auto\", \"sq8\", \"sq16\", \"float2\" and \"float4\".",
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

/* ---- costs ---- */

/*
 * A search visits each candidate it keeps, and a few nodes on the way down; rows
 * beyond ef_search cost a visit each.  The nearer the visited pages come to being
 * the whole index, the less their order matters, as in a bitmap scan of a table;
 * what was read then is at hand.
 */
static void
cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
			  Selectivity *selectivity, double *correlation, double *pages)
{
	NvCosts		out = {startup, total, selectivity, correlation, pages};
	GenericCosts costs;
	double		tuples = Max(path->indexinfo->tuples, 1);
	double		index_pages = Max(path->indexinfo->pages, 1);
	double		visits;
	double		read;			/* the part of the index that a search reads */
	double		random_cost;
	double		seq_cost;
	double		visit_cost;		/* without reading the page */
	Relation	index;
	int			m;

	if (nv_cost_without_order(path, &out))
		return;
	memset(&costs, 0, sizeof(costs));
	genericcostestimate(root, path, loop_count, &costs);
	index = index_open(path->indexinfo->indexoid, NoLock);
	m = hnsw_options_of(index).m;
	index_close(index, NoLock);

	visits = Min(hnsw_ef_search + 3 * log(tuples) / log(2 * m), tuples);
	read = Min(visits / index_pages, 1);
	get_tablespace_page_costs(path->indexinfo->reltablespace, &random_cost, &seq_cost);
	visit_cost = 2 * m * cpu_operator_cost + cpu_index_tuple_cost;
	*startup = visits * visit_cost +
		read * index_pages * (random_cost - (random_cost - seq_cost) * sqrt(read));
	*total = *startup + Max(0, costs.numIndexTuples - hnsw_ef_search) *
		(visit_cost + (1 - read) * random_cost);
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
	IndexAmRoutine *am = nv_make_handler(&hnsw_method);

	am->ambuildempty = hnsw_build_empty;
	am->aminsert = hnsw_insert;
	am->ambulkdelete = hnsw_bulk_delete;
	am->amcostestimate = cost_estimate;
	am->amoptions = parse_options;
	am->ambuildphasename = phase_name;
	am->ambeginscan = hnsw_begin_scan;
	am->amrescan = hnsw_rescan;
	am->amgettuple = hnsw_get_tuple;
	am->amendscan = hnsw_end_scan;
	PG_RETURN_POINTER(am);
}
