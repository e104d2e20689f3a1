/*-------------------------------------------------------------------------
 *
 * am_vector.h
 *		How the index methods hold vectors and measure them.
 *
 * A "space" is what one index measures with: an element type and a metric,
 * which come from its operator class; a number of dimensions; a form, in
 * which vectors are stored; and, where codes serve, a rotation.  The index
 * methods see bytes, distances and bounds, never elements.
 *
 * Distances inside an index are floats that order as the metric does and are
 * cheaper: squared for L2, and for cosine, which is L2 of unit vectors; the
 * rest as SQL shows them.
 *
 * Vectors may be moved by -mean (not for the inner product) and rotated before
 * they are stored: distances do not change, one scale fits all coordinates, and
 * codes follow by subtraction.
 *
 * A form may lose precision.  Every stored vector carries "error", at least
 * its distance from the original, so that the triangle inequality gives a
 * lower bound of the exact distance.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_VECTOR_H
#define NV_AM_VECTOR_H

#include "nv_compat.h"

#include "quant/residual_code.h"
#include "types/dense.h"
#include "types/sparse.h"

/* Metrics of operator classes; numbers are stored in metapages. */
typedef enum NvSpaceMetric
{
	NV_SPACE_L2 = 1,
	NV_SPACE_IP,
	NV_SPACE_COSINE,
	NV_SPACE_L1,
	NV_SPACE_HAMMING,
	NV_SPACE_JACCARD,
	NV_SPACE_CUSTOM				/* a function of the user's: see am_custom.h */
} NvSpaceMetric;

/* Forms; numbers are stored in metapages. */
typedef enum NvForm
{
	NV_FORM_FLOAT4 = 1,
	NV_FORM_FLOAT2,
	NV_FORM_SQ8,
	NV_FORM_BITS,
	NV_FORM_SPARSE,
	NV_FORM_SQ16
} NvForm;

/*
 * A form that is chosen for some rows may lose too much of others, which lie far
 * from these.  Vectors of sq8 can be "fine": twice as many bytes, the upper halves
 * of 16-bit codes and then the lower ones, so that their first half is where that of
 * others is.  Their length tells.
 */

/* Whether vectors of this form are dense. */
static inline bool
nv_form_is_dense(NvForm form)
{
	return (form >= NV_FORM_FLOAT4 && form <= NV_FORM_SQ8) || form == NV_FORM_SQ16;
}

typedef struct NvElementType
{
	NvElementKind kind;
	const char *name;
	int			max_dims;		/* in an index */
	const NvDenseType *dense;	/* or NULL */
} NvElementType;

/* am_vector.c: types and spaces */

/* An element type, as support functions of operator classes return it; NULL if there is none. */
extern const NvElementType *nv_element_type(NvElementKind kind);

/* Whether values of the type can be measured by the metric. */
extern bool nv_metric_valid(NvElementKind kind, NvSpaceMetric metric);

/* A vector as stored.  data has any alignment. */
typedef struct NvStored
{
	const void *data;
	uint32		bytes;
	float		scale;
	float		offset;
	float		error;
	uint32		sum;			/* sq8: of the codes */
	union
	{
		uint32		square;		/* sq8: of the squares of the codes */
		float		norm2;		/* other dense forms: the square of the norm */
	};
} NvStored;

/* A vector to measure from: what a scan looks for or an insert places. */
typedef struct NvQuery
{
	float	   *elements;		/* dense: space->length of them */
	NvStored	raw;			/* others: as stored */
	float		norm;			/* dense: Euclidean norm of elements */
	bool		none;			/* stands for NULL; what is measured then has no meaning */
} NvQuery;

typedef struct NvSpace NvSpace;
typedef struct NvCustom NvCustom;

struct NvSpace
{
	const NvElementType *type;
	NvSpaceMetric metric;
	NvForm		form;
	int			dims;			/* of the values */
	int			length;			/* elements of a stored dense vector */
	bool		ip;				/* whether distances are negative inner products */
	const float *mean;			/* dims, or NULL */
	const float *factors;		/* the rotation, or NULL */
	float		mean_norm;
	float	   *scratch;		/* 2 * length, dense */
	NvCustom   *custom;			/* the user's function, where that is the metric */

	float		(*from_query) (const NvSpace *space, const NvQuery *query, const NvStored *v);
	float		(*between) (const NvSpace *space, const NvStored *a, const NvStored *b);

	/* see nv_space_step() */
	float		(*step) (const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
						 float *t, float *greatest);
};

/* Whether the metric is one that residual codes can estimate. */
static inline bool
nv_space_has_codes(NvElementKind kind, NvSpaceMetric metric)
{
	return kind <= NV_ELEMENT_SQ8VEC && metric <= NV_SPACE_COSINE;
}

/*
 * Whether vectors are measured by a function of the user's.  That may do anything, so
 * whoever measures holds no content lock of a page: see README, "Locks".
 */
static inline bool
nv_space_is_custom(const NvSpace *space)
{
	return space->metric == NV_SPACE_CUSTOM;
}

/*
 * Set up a space.  mean[dims] and factors (nv_rotation_factors, for so many
 * elements) stay the caller's; without a mean it is 0, and without factors nothing
 * is rotated, and length is dims.  scratch is palloc'd.  A space that is measured by a
 * function of the user's can measure only after nv_custom_open().
 */
extern void nv_space_init(NvSpace *space, NvElementKind kind, NvSpaceMetric metric, NvForm form,
						  int dims, int length, const float *mean, const float *factors);

/*
 * Have a space of dense vectors without a mean measure by another metric: L2, inner product or
 * L1.  What is stored stays valid; queries have to be set again.
 */
extern void nv_space_change_metric(NvSpace *space, NvSpaceMetric metric);

/*
 * A space as metapages describe it, and the floats that it keeps at hand: the
 * mean, if it has one, and behind it the rotation, where vectors are rotated.
 */
typedef struct NvSpaceSpec
{
	NvElementKind kind;
	NvSpaceMetric metric;
	NvForm		form;
	int			dims;
	bool		has_mean;
	int			length;			/* rotated, with zeros up to so many elements; 0: as it is */
	uint64		seed;			/* of the rotation */
} NvSpaceSpec;

/* Elements of a stored dense vector. */
static inline int
nv_spec_length(const NvSpaceSpec *spec)
{
	return spec->length > 0 ? spec->length : spec->dims;
}

/* How many floats the mean and the rotation are. */
extern Size nv_spec_floats(const NvSpaceSpec *spec);

/* Compute the rotation, and write it behind the mean that is in floats[] already. */
extern void nv_spec_rotation(const NvSpaceSpec *spec, float *floats);

/* Set up the space of a spec, by nv_space_init().  The floats stay the caller's. */
extern void nv_spec_init(const NvSpaceSpec *spec, const float *floats, NvSpace *space);

/* am_measure.c: set from_query, between and step, for nv_space_init() */
extern void nv_space_choose_measures(NvSpace *space);

/* am_query.c: vectors to measure from */

/* Room for the elements of a query, palloc'd. */
extern void nv_query_alloc(const NvSpace *space, NvQuery *query);

/*
 * Make a query of a value of the element type.  Its memory is the query's
 * and palloc'd memory of the current context.  false, when the metric has no
 * distance for it: a zero vector and cosine; the query is then all zero.
 * ERROR (DATA_EXCEPTION) when its dimensions are not those of the space.
 */
extern bool nv_query_set(const NvSpace *space, Datum value, NvQuery *query);

/* Move elements, x[length], padded with zeros, by -mean, and rotate them. */
extern void nv_space_move(const NvSpace *space, float *x);

/* The elements of a query as floats, as nv_stored_floats() has those of a vector. */
extern void nv_query_floats(const NvSpace *space, const NvQuery *query, float *out);

/* Make a query that stands for NULL, with elements that are all zero. */
extern void nv_query_set_zero(const NvSpace *space, NvQuery *query);

/* Make a query of a stored vector. */
extern void nv_query_set_stored(const NvSpace *space, const NvStored *v, NvQuery *query);

/* am_stored.c: vectors as they are stored */

/* Bytes of a stored vector; of the largest, where they differ. */
extern uint32 nv_space_max_bytes(const NvSpace *space);

/*
 * The same for a form, before there is a space; a dense vector is stored with
 * so many elements (nv_spec_length).
 */
extern uint32 nv_form_max_bytes(NvForm form, int dims, int length);

/*
 * The query in stored form, written to data[nv_space_max_bytes()]; v points
 * there.
 */
extern void nv_query_store(const NvSpace *space, const NvQuery *query, char *data, NvStored *v);

/* Store the query as a fine vector, in a space of sq8.  data has room for twice as many bytes. */
extern void nv_query_store_fine(const NvSpace *space, const NvQuery *query, char *data,
								NvStored *v);

/* Whether a stored vector is fine. */
static inline bool
nv_stored_fine(const NvSpace *space, const NvStored *v)
{
	return space->form == NV_FORM_SQ8 && v->bytes > (uint32) space->length;
}

/*
 * A stored vector as floats, out[]: the elements of a dense one (length of
 * them), the bits of a bit string as 0 and 1 (dims).  Not for sparse ones.
 */
extern void nv_stored_floats(const NvSpace *space, const NvStored *v, float *out);

/* Whether what a stored vector says of its data is true; data is at hand. */
extern bool nv_stored_valid(const NvSpace *space, const NvStored *v);

/* A copy of a stored vector, palloc'd. */
extern NvStored nv_stored_copy(const NvStored *v);

/* The square of the norm of a stored dense vector; for the inner product only. */
extern float nv_stored_norm2(const NvSpace *space, const NvStored *v);

/* Whether two stored vectors are the same to the bit. */
static inline bool
nv_stored_equal(const NvStored *a, const NvStored *b)
{
	return a->bytes == b->bytes && a->scale == b->scale && a->offset == b->offset &&
		memcmp(a->data, b->data, a->bytes) == 0;
}

/* am_bound.c: how wrong a distance may be */

/*
 * At most the distance, as SQL computes it, of a value to the query, when
 * the stored form of the value has this distance and error.
 */
extern double nv_space_lower_bound(const NvSpace *space, const NvQuery *query, float distance,
								   float error);

/*
 * A quick test of whether the lower bound of a stored vector can be within a
 * horizon.  It cannot if its distance is more than base + slope * error, or more than
 * the square of that.  The test lets a few pass whose bound is beyond the horizon.
 */
typedef struct NvCutoff
{
	float		base;
	float		slope;
	bool		squared;
} NvCutoff;

extern void nv_space_cutoff(const NvSpace *space, const NvQuery *query, double horizon,
						   NvCutoff *cutoff);

/* Whether a vector's lower bound is certainly beyond the horizon. */
static inline bool
nv_beyond(const NvCutoff *cutoff, float distance, float error)
{
	float		most = cutoff->base + cutoff->slope * error;

	return distance > (cutoff->squared ? most * most : most);
}

/* Whether nv_space_lower_bound() is the distance itself. */
static inline bool
nv_space_is_exact(const NvSpace *space)
{
	return space->form == NV_FORM_BITS && !nv_space_is_custom(space);
}

/* Distances, as the space has them. */
static inline float
nv_distance_from_query(const NvSpace *space, const NvQuery *query, const NvStored *v)
{
	return space->from_query(space, query, v);
}

/*
 * The step from a stored vector v to the query, t = query - part * v, and the
 * greatest magnitude in it.  Returns its squared norm.  t[length], and up to the
 * next multiple of NV_CODE_ROOM, is the caller's.  Dense forms only.
 */
#define NV_CODE_ROOM 64

static inline float
nv_space_step(const NvSpace *space, const NvQuery *query, const NvStored *v, float part,
			  float *t, float *greatest)
{
	return space->step(space, query, v, part, t, greatest);
}

/* The distance of two stored vectors. */
static inline float
nv_distance_between(const NvSpace *space, const NvStored *a, const NvStored *b)
{
	return space->between(space, a, b);
}

#endif							/* NV_AM_VECTOR_H */
