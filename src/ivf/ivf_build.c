/*-------------------------------------------------------------------------
 *
 * ivf_build.c
 *		Builds an ivf index.
 *
 * A sample of the table gives the mean and the centroids (ivf_train.c).  Then all
 * rows are put into a sort by list (ivf_assign.c), and come out of it into groups, one
 * list after the other (ivf_write.c).  Nothing is logged before the end, when the
 * index is logged as a whole.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf_build.h"

#include "commands/progress.h"
#include "pgstat.h"
#include "storage/shmem.h"
#include "utils/float.h"
#include "utils/memutils.h"

/* All centroids of an index: those n that there are, and those to come. */
static float *
all_centroids(const IvfIndex *ix, const float *centroids, uint32 n)
{
	size_t		bytes = mul_size(sizeof(float) * ix->length, ix->meta.lists);
	float	   *all = palloc_extended(bytes, MCXT_ALLOC_HUGE);

	if (n > 0)
		memcpy(all, centroids, sizeof(float) * ix->length * (size_t) n);
	for (size_t i = (size_t) n * ix->length; i < (size_t) ix->meta.lists * ix->length; i++)
		all[i] = get_float4_nan();
	return all;
}

/* Add the lists to come, whose number depends on whether there are rows. */
static void
add_spares(IvfBuild *build)
{
	bool		empty = build->ntuples == 0;
	float	   *trained = build->centroids;

	ivf_plan_spares(build->rel, &build->meta, empty);
	ivf_open_new(&build->ix, build->rel, &build->meta, build->mean);
	build->centroids = all_centroids(&build->ix, trained, ivf_built_lists(&build->meta));
	pfree(trained);
}

/* Build an index: ambuild. */
IndexBuildResult *
ivf_build(Relation heap, Relation rel, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ivf build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	IvfBuild   *build = palloc0(sizeof(IvfBuild));

	if (RelationGetNumberOfBlocks(rel) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(rel));
	build->heap = heap;
	build->rel = rel;
	build->info = info;
	build->scratch = AllocSetContextCreate(context, "ivf build row", ALLOCSET_DEFAULT_SIZES);
	ivf_plan_index(rel, &build->meta);
	build->length = ivf_length(&build->meta);
	nv_space_init(&build->raw, build->meta.element, build->meta.metric,
				  build->meta.form == NV_FORM_BITS ? NV_FORM_BITS : NV_FORM_FLOAT4,
				  build->meta.dims, build->meta.dims, NULL, NULL);
	nv_query_alloc(&build->raw, &build->raw_query);

	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, IVF_PHASE_SAMPLE);
	ivf_train(build);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, IVF_PHASE_ASSIGN);
	result->heap_tuples = ivf_assign_rows(build);
	add_spares(build);
	ivf_write_head(&build->ix, MAIN_FORKNUM, build->mean, build->centroids);
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, IVF_PHASE_WRITE);
	ivf_write_groups(build);
	ivf_finish_meta(build);
	result->index_tuples = build->ntuples;
	nv_log_whole(rel, MAIN_FORKNUM);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}

/* Make the init fork of an unlogged index: ambuildempty. */
void
ivf_build_empty(Relation rel)
{
	IvfMeta		meta;
	IvfIndex	ix;

	ivf_plan_index(rel, &meta);
	ivf_plan_spares(rel, &meta, true);
	ivf_open_new(&ix, rel, &meta, NULL);
	ivf_write_head(&ix, INIT_FORKNUM, NULL, all_centroids(&ix, NULL, 0));
	nv_log_whole(rel, INIT_FORKNUM);
}
