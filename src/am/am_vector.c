/*-------------------------------------------------------------------------
 *
 * am_vector.c
 *		Element types, and the spaces in which an index measures them.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_vector.h"

#include <math.h>

#include "quant/rotation.h"

static const NvElementType element_types[] = {
	{NV_ELEMENT_VECTOR, "vector", NV_MAX_DIM, &nv_vector_type},
	{NV_ELEMENT_HALFVEC, "halfvec", NV_MAX_DIM, &nv_halfvec_type},
	{NV_ELEMENT_SQ8VEC, "sq8vec", NV_MAX_DIM, &nv_sq8vec_type},
	{NV_ELEMENT_BIT, "bit", 64000, NULL},
	{NV_ELEMENT_SPARSEVEC, "sparsevec", NV_SPARSE_MAX_DIM, NULL},
};

/* Find a type by its number. */
const NvElementType *
nv_element_type(NvElementKind kind)
{
	if (kind < NV_ELEMENT_VECTOR || kind > NV_ELEMENT_SPARSEVEC)
		return NULL;
	return &element_types[kind - NV_ELEMENT_VECTOR];
}

/* Whether a type has an operator class with this metric. */
bool
nv_metric_valid(NvElementKind kind, NvSpaceMetric metric)
{
	/* an sq8vec cannot be made again of its elements, to be handed to a function */
	if (metric == NV_SPACE_CUSTOM)
		return kind != NV_ELEMENT_SQ8VEC;
	switch (kind)
	{
		case NV_ELEMENT_VECTOR:
		case NV_ELEMENT_HALFVEC:
		case NV_ELEMENT_SPARSEVEC:
			return metric >= NV_SPACE_L2 && metric <= NV_SPACE_L1;
		case NV_ELEMENT_SQ8VEC:
			return metric >= NV_SPACE_L2 && metric <= NV_SPACE_COSINE;
		case NV_ELEMENT_BIT:
			return metric == NV_SPACE_HAMMING || metric == NV_SPACE_JACCARD;
	}
	return false;
}

/* Set up what a space of dense vectors has beside others. */
static void
init_dense(NvSpace *space)
{
	/* behind the elements come zeros, and only where they are rotated */
	Assert(space->length == space->dims ||
		   (space->length > space->dims && space->factors != NULL));
	Assert(space->factors == NULL || space->length % NV_ROTATION_STEP == 0);
	space->scratch = palloc(2 * sizeof(float) * space->length);
	if (space->mean != NULL)
		space->mean_norm = sqrtf(nv_kern.ip_f32(space->mean, space->mean, space->dims));
}

/* Set up a space, of dense vectors or of others. */
void
nv_space_init(NvSpace *space, NvElementKind kind, NvSpaceMetric metric, NvForm form, int dims,
			  int length, const float *mean, const float *factors)
{
	memset(space, 0, sizeof(*space));
	space->type = nv_element_type(kind);
	Assert(nv_metric_valid(kind, metric));
	Assert(nv_form_is_dense(form) == (space->type->dense != NULL));
	Assert(dims >= 1 && dims <= space->type->max_dims);
	Assert(metric != NV_SPACE_IP || mean == NULL || kind <= NV_ELEMENT_SQ8VEC);
	space->metric = metric;
	space->ip = metric == NV_SPACE_IP;
	space->form = form;
	space->dims = dims;
	space->length = space->type->dense != NULL ? length : 0;
	space->mean = mean;
	space->factors = factors;
	if (space->type->dense != NULL)
		init_dense(space);
	nv_space_choose_measures(space);
}

/* Change the metric of a space of dense vectors. */
void
nv_space_change_metric(NvSpace *space, NvSpaceMetric metric)
{
	Assert(space->type->dense != NULL && space->mean == NULL);
	Assert(metric != NV_SPACE_COSINE && nv_metric_valid(space->type->kind, metric));
	space->metric = metric;
	space->ip = metric == NV_SPACE_IP;
	nv_space_choose_measures(space);
}

/* Count the floats of the mean and of the rotation. */
Size
nv_spec_floats(const NvSpaceSpec *spec)
{
	Size		n = spec->has_mean ? spec->dims : 0;

	return n + NV_ROTATION_ROUNDS * (Size) spec->length;
}

/* Compute the rotation from its seed. */
void
nv_spec_rotation(const NvSpaceSpec *spec, float *floats)
{
	if (spec->length > 0)
		nv_rotation_factors(spec->seed, spec->length, floats + (spec->has_mean ? spec->dims : 0));
}

/* Set up the space that a metapage describes. */
void
nv_spec_init(const NvSpaceSpec *spec, const float *floats, NvSpace *space)
{
	const float *rotation = floats + (spec->has_mean ? spec->dims : 0);

	nv_space_init(space, spec->kind, spec->metric, spec->form, spec->dims,
				  nv_spec_length(spec), spec->has_mean ? floats : NULL,
				  spec->length > 0 ? rotation : NULL);
}
