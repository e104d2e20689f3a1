/*-------------------------------------------------------------------------
 *
 * ivf_plan.c
 *		Chooses how an ivf index is laid out: forms, lists and probes.
 *
 *-------------------------------------------------------------------------
 */
#include "ivf/ivf_build.h"

#include <math.h>

#include "am/am_opclass.h"
#include "commands/defrem.h"

/*
 * With fewer dimensions vectors are stored in full: codes of so few bits say
 * little, and records that are complete are as quick to read, exact, and no
 * larger than those of pgvector.
 */
#define LEAST_CODED_DIMS 48

/* Lists that the number of rows asks for: short ones, up to a million rows. */
#define ROWS_PER_LIST 150
#define MANY_ROWS 1e6

/*
 * Lists to come: an insert that is far from all centroids begins one of them,
 * with itself as the centroid.
 */
#define SPARE_LISTS 16
#define EMPTY_LISTS 128

/* Where records are small, pages that lists do not fill must not take too much of all. */
#define ROWS_PER_LIST_EXACT 256

/*
 * Lists that a search looks into by default: all of a few; in small tables
 * about as many as in large ones, since the nearest rows are as spread, but not
 * nearly all.
 */
#define FEW_LISTS 16
#define LEAST_PROBES 72
#define MOST_PROBES_PART 0.75

/* Choose how vectors are stored. */
static NvForm
choose_form(const NvElementType *type, int dims, IvfQuantizer quantizer)
{
	if (type->kind == NV_ELEMENT_BIT)
		return NV_FORM_BITS;
	if (quantizer == IVF_QUANTIZER_SQ8 && dims >= LEAST_CODED_DIMS)
		return NV_FORM_SQ8;
	return type->kind == NV_ELEMENT_HALFVEC ? NV_FORM_FLOAT2 : NV_FORM_FLOAT4;
}

/* All but the number of lists and what depends on it. */
void
ivf_plan_index(Relation rel, IvfMeta *meta)
{
	IvfOptions	options = ivf_options_of(rel);
	NvElementKind element;
	NvSpaceMetric metric;
	const NvElementType *type;
	NvAttributes attributes;

	nv_opclass_of(rel, &element, &metric);
	type = nv_element_type(element);
	if (!nv_space_has_codes(element, metric) && metric != NV_SPACE_HAMMING)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("access method %s does not support this metric of type %s",
						get_am_name(rel->rd_rel->relam), type->name)));
	memset(meta, 0, sizeof(*meta));
	meta->version = IVF_FORMAT_VERSION;
	meta->element = element;
	meta->metric = metric;
	meta->dims = nv_column_dims(rel, type);
	meta->form = choose_form(type, meta->dims, options.quantizer);
	nv_attributes_of(rel, &attributes);
	meta->attribute_bytes = attributes.image_bytes;
	meta->seed = IVF_SEED;
	meta->bits = ivf_code_bits(meta->form, meta->dims);
	meta->flat = ivf_is_flat(rel);
	meta->lists = meta->probes = 1;
}

/* Choose how many lists a search looks into by default. */
uint16
ivf_plan_probes(uint32 lists)
{
	double		wanted = Max(LEAST_PROBES, ceil(2.5 * sqrt(lists)));
	double		most = Max(FEW_LISTS, ceil(MOST_PROBES_PART * lists));

	return (uint16) Min(lists, Min(wanted, most));
}

/*
 * Of an index on an empty table all lists are to come; of another one some.
 * ivfflat looks into as many lists as it is told, which is one, and so that has
 * to hold all rows.
 */
void
ivf_plan_spares(Relation rel, IvfMeta *meta, bool empty)
{
	int			asked = ivf_options_of(rel).lists;

	if (empty)
	{
		meta->lists = meta->flat ? 1 : asked > 0 ? Min(asked, EMPTY_LISTS) : EMPTY_LISTS;
		meta->spares = meta->lists;
		meta->probes = ivf_plan_probes(meta->lists);
		return;
	}
	meta->spares = Min(SPARE_LISTS, IVF_MAX_LISTS - meta->lists);
	meta->lists += meta->spares;
}

/* Choose how many lists there are. */
uint32
ivf_plan_lists(Relation rel, const IvfMeta *meta, double rows)
{
	IvfOptions	options = ivf_options_of(rel);
	double		lists = rows / (meta->bits > 0 ? ROWS_PER_LIST : ROWS_PER_LIST_EXACT);

	if (options.lists > 0)
		return options.lists;
	if (rows > MANY_ROWS)
		lists = MANY_ROWS / rows * lists * sqrt(rows / MANY_ROWS);
	return (uint32) Min(IVF_MAX_LISTS, Max(1, rint(lists)));
}
