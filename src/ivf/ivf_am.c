/*-------------------------------------------------------------------------
 *
 * ivf_am.c
 *		The ivf and ivfflat index access methods: handlers and costs.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf.h"

#include <math.h>

#include "am/am_handler.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

/* A search reads the records of about this many entries, after the codes of all. */
#define REFINED_ENTRIES 128

/* Estimating this many codes costs as much as an operator. */
#define CODES_PER_OPERATOR 8

/* So does testing this many images of attributes by one condition. */
#define IMAGES_PER_OPERATOR 16

/* Both access methods: ivfflat differs in its options only. */
static const NvMethod ivf_method = {
	.build = ivf_build,
	.insert = &ivf_insert_method,
	.search = &ivf_search_method,
	.check = ivf_check,
	.info = ivf_info,
	.prewarm = ivf_prewarm
};

/* Register the method, and the options of ivf and of ivfflat. */
void
ivf_init(void)
{
	nv_method_register(&ivf_method);
	ivf_options_init();
}

/* ---- costs ---- */

/* What a search looks at. */
typedef struct SearchSize
{
	double		lists;			/* that there are */
	double		part;			/* of them */
	double		tested;			/* entries whose attributes are tested against conditions */
	double		coded;			/* whose codes are */
	double		passing;		/* that pass the conditions */
} SearchSize;

/*
 * Find out what a search looks at, which finds so many rows.  Codes are looked at by blocks
 * of which some entry passes the conditions on attributes.
 */
static SearchSize
size_search(const IvfIndex *ix, double tuples, const NvPathConditions *conditions, double rows)
{
	double		share = conditions->share;
	double		lists = ix->meta.spares < ix->meta.lists ? ivf_built_lists(&ix->meta) :
		ix->meta.lists;
	double		part = ivf_probes(ix) / lists;
	SearchSize	size = {.lists = lists};

	if (conditions->nattributes > 0)
		part = Max(ivf_lists_to_pass(ivf_probes(ix), ivf_probes(ix), share) / lists,
				   IVF_LEAST_PASSING / (share * tuples));
	/* all rows within a radius are returned, and lists are looked into as for so many rows */
	if (conditions->elsewhere)
		part = 1;
	else if (conditions->sphere)
		part = Max(part, rows * IVF_INSIDE_PART / (tuples * share));
	size.part = Min(1, part);
	size.tested = size.coded = size.part * tuples;
	size.passing = size.tested * share;
	if (conditions->nattributes > 0)
		size.coded *= 1 - pow(1 - share, NV_FASTSCAN_BLOCK);
	return size;
}

/*
 * A search reads the code pages of its lists, and then the records of some
 * entries; or all records of its lists, where there are no codes.  Rows beyond
 * those make it look into more lists.
 */
static void
cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count, Cost *startup, Cost *total,
			  Selectivity *selectivity, double *correlation, double *pages)
{
	NvCosts		out = {startup, total, selectivity, correlation, pages};
	GenericCosts costs;
	double		tuples = Max(path->indexinfo->tuples, 1);
	NvPathConditions conditions;
	double		page_cost;
	double		visited;
	SearchSize	size;
	Relation	index;
	IvfIndex	ix;
	bool		known;

	if (nv_cost_without_goal(path, &out))
		return;
	memset(&costs, 0, sizeof(costs));
	genericcostestimate(root, path, loop_count, &costs);
	index = index_open(path->indexinfo->indexoid, NoLock);
	known = ivf_peek(&ix, index);
	index_close(index, NoLock);
	*selectivity = costs.indexSelectivity;
	*correlation = 0;
	if (!known)
	{
		/* damaged, or of another version: other plans must not fail because of that */
		*startup = *total = costs.indexTotalCost;
		*pages = costs.numIndexPages;
		return;
	}
	conditions = nv_path_conditions(root, path);
	size = size_search(&ix, tuples, &conditions, costs.numIndexTuples);
	/* all of the index: those of the rows that match are spread over it */
	visited = size.part * Max(path->indexinfo->pages, 1);
	*startup = size.lists * cpu_operator_cost / CODES_PER_OPERATOR +
		size.tested * conditions.nattributes * cpu_operator_cost / IMAGES_PER_OPERATOR;
	if (ix.meta.bits > 0 && ivf_probes(&ix) < size.lists)
	{
		double		beside = ix.layout.code_block + NV_FASTSCAN_BLOCK * ix.meta.attribute_bytes;

		visited = visited * (sizeof(IvfGroup) + beside) /
			(beside + NV_FASTSCAN_BLOCK * ix.layout.record.bytes);
		visited += Min(REFINED_ENTRIES, size.passing);
		*startup += size.coded * cpu_operator_cost / CODES_PER_OPERATOR;
		*startup += Min(REFINED_ENTRIES, size.passing) * cpu_index_tuple_cost;
	}
	else
		*startup += size.passing * (cpu_index_tuple_cost + cpu_operator_cost);

	get_tablespace_page_costs(path->indexinfo->reltablespace, NULL, &page_cost);
	*startup += Min(visited, Max(path->indexinfo->pages, 1)) * page_cost;
	/* all rows would take all lists, which each round reads */
	*total = *startup + costs.numIndexTuples * (cpu_index_tuple_cost + cpu_operator_cost) +
		*startup * (ivf_rounds(costs.numIndexTuples, (Size) work_mem * 1024) / size.part - 1) *
		Min(1, costs.numIndexTuples / (tuples * conditions.share));
	if (ix.settings->iterative_scan != NV_ITERATIVE_OFF)
		nv_cost_behind_radius(root, path, ix.settings->max_probes / Max(size.lists, 1), &out);
	*pages = Min(costs.numIndexPages, visited);
}

/* What pg_stat_progress_create_index calls a phase: ambuildphasename. */
static char *
phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case IVF_PHASE_SAMPLE:
			return "sampling table";
		case IVF_PHASE_TRAIN:
			return "performing k-means";
		case IVF_PHASE_ASSIGN:
			return "assigning tuples";
		case IVF_PHASE_WRITE:
			return "loading tuples";
	}
	return NULL;
}

/* Make the answer of a handler; only the options differ. */
static IndexAmRoutine *
make_handler(amoptions_function options)
{
	IndexAmRoutine *am = nv_make_handler(&ivf_method);

	am->ambuildempty = ivf_build_empty;
	am->ambulkdelete = ivf_bulk_delete;
	am->amcostestimate = cost_estimate;
	am->amoptions = options;
	am->ambuildphasename = phase_name;
	return am;
}

/* The handler of access method ivf. */
NV_FUNCTION(ivfhandler)
{
	PG_RETURN_POINTER(make_handler(ivf_parse_options));
}

/* The handler of access method ivfflat. */
NV_FUNCTION(ivfflathandler)
{
	PG_RETURN_POINTER(make_handler(ivf_parse_flat_options));
}
