/*-------------------------------------------------------------------------
 *
 * am_handler.c
 *		What the handlers of the index methods have in common.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_handler.h"

#include "am/am_opclass.h"
#include "am/am_row.h"
#include "am/am_scan.h"
#include "distance/sphere.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "storage/indexfsm.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/rel.h"
#include "utils/spccache.h"

/* Make the part of a handler's answer that all methods share. */
IndexAmRoutine *
nv_make_handler(const NvMethod *method)
{
	IndexAmRoutine *am = makeNode(IndexAmRoutine);

	am->ambuild = method->build;
	am->aminsert = nv_insert;
	am->ambeginscan = nv_begin_scan;
	am->amrescan = nv_rescan;
	am->amgettuple = nv_get_tuple;
	am->amendscan = nv_end_scan;
	am->amstrategies = 0;
	am->amsupport = NV_OPCLASS_PROCS;
	am->amcanorderbyop = true;
	am->amcanmulticol = true;
	am->amsearcharray = true;
	am->amsearchnulls = true;
	am->amoptionalkey = true;
	am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
	am->amkeytype = InvalidOid;
	NV_SET_CAN_BUILD_PARALLEL(am);
	am->amvacuumcleanup = nv_vacuum_cleanup;
	am->amvalidate = nv_opclass_validate;
	return am;
}

/* Whether a condition is that the vector is in one sphere. */
static bool
is_sphere(const IndexClause *clause)
{
	return clause->indexcol == NV_VECTOR_COLUMN - 1 &&
		IsA(linitial_node(RestrictInfo, clause->indexquals)->clause, OpExpr);
}

/* Whether there is one like that. */
static bool
has_sphere(const IndexPath *path)
{
	ListCell   *lc;

	foreach(lc, path->indexclauses)
	{
		if (is_sphere(lfirst(lc)))
			return true;
	}
	return false;
}

/* Whether rows come in the order of distances from what is known not to be a sphere's center. */
static bool
is_elsewhere(const IndexPath *path, const IndexClause *clause)
{
	const OpExpr *inside = (const OpExpr *) linitial_node(RestrictInfo, clause->indexquals)->clause;
	const Const *sphere = lsecond(inside->args);
	const Const *query;

	if (path->indexorderbys == NIL)
		return false;
	query = lsecond(((const OpExpr *) linitial(path->indexorderbys))->args);
	if (!IsA(sphere, Const) || sphere->constisnull || !IsA(query, Const) || query->constisnull)
		return false;
	return !datum_image_eq(nv_sphere_open(sphere->constvalue).center, query->constvalue, false, -1);
}

/* Take conditions apart. */
NvPathConditions
nv_path_conditions(PlannerInfo *root, const IndexPath *path)
{
	const IndexOptInfo *index = path->indexinfo;
	NvPathConditions conditions = {.sphere = has_sphere(path), .share = 1};
	List	   *quals = NIL;
	ListCell   *lc;

	foreach(lc, path->indexclauses)
	{
		const IndexClause *clause = lfirst(lc);

		if (is_sphere(clause))
			conditions.elsewhere |= is_elsewhere(path, clause);
		if (clause->indexcol < NV_VECTOR_COLUMN)
			continue;
		quals = list_concat(quals, clause->indexquals);
		conditions.nattributes++;
	}
	if (quals != NIL)
		conditions.share = Max(clauselist_selectivity(root, quals, index->rel->relid, JOIN_INNER,
													  NULL), 1 / Max(index->tuples, 1));
	return conditions;
}

/* Keep the planner from a path that has nothing to search for. */
bool
nv_cost_without_goal(IndexPath *path, const NvCosts *costs)
{
	if (path->indexorderbys != NIL || has_sphere(path))
		return false;
	NV_DISABLE_PATH(&path->path);
	*costs->startup = *costs->total = get_float8_infinity();
	*costs->selectivity = 0;
	*costs->correlation = 0;
	*costs->pages = 0;
	return true;
}

/* Count what a search reads behind a radius that it does not know. */
void
nv_cost_behind_radius(PlannerInfo *root, const IndexPath *path, double part, const NvCosts *costs)
{
	const RelOptInfo *rel = path->indexinfo->rel;
	double		rows;
	double		page_cost;

	if (!nv_wants_more_than_within(root, path))
		return;
	part = Min(part, 1);
	rows = part * rel->tuples;
	get_tablespace_page_costs(rel->reltablespace, &page_cost, NULL);
	*costs->startup += (*costs->total - *costs->startup) * part +
		Min(rows, rel->pages) * page_cost + rows * cpu_tuple_cost;
	*costs->total = Max(*costs->total, *costs->startup);
}

/* Tell how large the index is: amvacuumcleanup. */
IndexBulkDeleteResult *
nv_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	/* nothing was removed, and how many rows a partial index has is not known */
	if (info->analyze_only || stats == NULL)
		return stats;
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	IndexFreeSpaceMapVacuum(info->index);
	return stats;
}
