/*-------------------------------------------------------------------------
 *
 * dense.h
 *		What vector, halfvec and sq8vec share.
 *
 * A dense type is a varlena that holds a number of dimensions and one
 * element per dimension.  It is described by an NvDenseType; the functions
 * below do the work for any of them, and the file of each type (vector.c,
 * halfvec.c, sq8vec.c) is a list of one-line SQL entry points.
 *
 * Functions raise ERRORs as said at each; memory is palloc'd in the current
 * context and belongs to the caller.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_DENSE_H
#define NV_DENSE_H

#include "nv_compat.h"

#include "utils/array.h"

#define NV_MAX_DIM 16000

typedef struct NvDenseType NvDenseType;

/*
 * One value of a dense type, ready to read.  data points into the datum (or
 * into a detoasted copy of it) and has any alignment.  scale and offset are
 * those of an sq8vec, whose element i is offset + scale * (data[i] - zero);
 * see sq8vec.c.
 */
typedef struct NvDense
{
	const NvDenseType *type;
	int			dim;
	const void *data;
	int			zero;
	float		scale;
	float		offset;
	void	   *copy;			/* what detoasting palloc'd, or NULL */
} NvDense;

/*
 * The types that an index can hold; the first three are dense.  Numbers are stored
 * in metapages.
 */
typedef enum NvElementKind
{
	NV_ELEMENT_VECTOR = 1,
	NV_ELEMENT_HALFVEC,
	NV_ELEMENT_SQ8VEC,
	NV_ELEMENT_BIT,
	NV_ELEMENT_SPARSEVEC
} NvElementKind;

struct NvDenseType
{
	NvElementKind kind;
	const char *name;			/* SQL name, for messages */
	Size		header;			/* bytes before the elements, varlena header included */
	Size		element;		/* bytes per element */
	float		overflow;		/* least magnitude that does not fit, or INFINITY */

	/* If not NULL: fill in what the header says beyond dim; check it (DATA_CORRUPTED). */
	void		(*open) (NvDense *v, const char *header);
	/* Decode all elements of v into out[v->dim]. */
	void		(*decode) (const NvDense *v, float *out);
	/*
	 * Encode in[dim], all finite, behind a header of which dim is already
	 * set.  Elements that do not fit become infinite; nothing is raised.
	 */
	void		(*encode) (const float *in, int dim, char *datum);
};

/* The fixed part of every dense datum, as stored. */
typedef struct NvDenseHeader
{
	int32		vl_len_;
	int16		dim;
	int16		extra;			/* vector, halfvec: 0.  sq8vec: zero point */
} NvDenseHeader;

extern const NvDenseType nv_vector_type;
extern const NvDenseType nv_halfvec_type;
extern const NvDenseType nv_sq8vec_type;

/* dense.c: looking at values and making them */

/* nv_dense_open() of any datum; the inline form below is for the usual ones. */
extern NvDense nv_dense_open_any(Datum d, const NvDenseType *type);

/*
 * Open a datum.  No copy is made of a value that is stored inline, whatever
 * its varlena header.  The result points into the datum; nv_dense_close()
 * frees the copy, if one was made.  ERROR (DATA_CORRUPTED) when the datum's
 * size does not agree with its dimensions.
 */
static inline NvDense
nv_dense_open(Datum d, const NvDenseType *type)
{
	const NvDenseHeader *header = (const NvDenseHeader *) DatumGetPointer(d);

	if (likely(!VARATT_IS_EXTENDED(header) && type->open == NULL &&
			   VARSIZE(header) > type->header &&
			   header->dim >= 1 && header->dim <= NV_MAX_DIM &&
			   VARSIZE(header) == type->header + header->dim * type->element))
	{
		NvDense		v = {
			.type = type,
			.dim = header->dim,
			.data = (const char *) header + type->header
		};

		return v;
	}
	return nv_dense_open_any(d, type);
}

/* Free the copy, if opening made one. */
static inline void
nv_dense_close(NvDense *v)
{
	if (unlikely(v->copy != NULL))
		pfree(v->copy);
}

/* Argument n of an SQL function, likewise. */
#define NV_GETARG_DENSE(n, type) nv_dense_open(PG_GETARG_DATUM(n), type)

/* The elements of v as floats, palloc'd. */
extern float *nv_dense_floats(const NvDense *v);

/*
 * A new value of dim elements, in[dim].  ERROR when dim is out of range
 * (see nv_check_dim), when an element is NaN or infinite (DATA_EXCEPTION),
 * or does not fit the type (NUMERIC_VALUE_OUT_OF_RANGE).
 */
extern Datum nv_dense_make(const NvDenseType *type, const float *in, int dim);

/*
 * The same for the result of arithmetic on finite elements: one that does
 * not fit raises "value out of range: overflow", as float4 does.
 */
extern Datum nv_dense_make_result(const NvDenseType *type, const float *in, int dim);

/* A new datum with its headers set and its elements not; dim is valid. */
extern void *nv_dense_alloc(const NvDenseType *type, int dim);

/* ERROR when dim < 1 (DATA_EXCEPTION) or > NV_MAX_DIM (PROGRAM_LIMIT_EXCEEDED). */
extern void nv_check_dim(const char *type_name, int64 dim);

/* ERROR (DATA_EXCEPTION), or false if soft, when a given typmod is not dim. */
extern bool nv_check_typmod(int32 typmod, int dim, struct Node *escontext);

/* ERROR (DATA_EXCEPTION), or false if soft, when x is NaN or infinite. */
extern bool nv_check_finite(float x, const char *type_name, struct Node *escontext);

/* ERROR (DATA_EXCEPTION) when a and b differ in dimensions. */
extern void nv_check_same_dims(const NvDense *a, const NvDense *b);

/* The typmod that a list of type modifiers means; max is the largest. */
extern int32 nv_typmod_in(ArrayType *modifiers, const char *type_name, int max);

/* dense_io.c: text and binary forms.  These are whole SQL functions. */
extern Datum nv_dense_in(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_out(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_recv(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_send(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_typmod_in(FunctionCallInfo fcinfo, const NvDenseType *type);

/*
 * Parse "[x, y, ...]" at *pos up to and with the closing bracket, and set
 * *pos behind it.  Returns the elements, palloc'd, all finite and such as
 * fit the type, and their number in *dim.  literal is the whole input, for
 * messages.  ERROR, or NULL if soft, on anything else.
 */
extern float *nv_parse_elements(const char *literal, char **pos, const NvDenseType *type,
								int *dim, struct Node *escontext);

/*
 * Write the elements as text, to text[NV_TEXT_ROOM(dim)]; returns the end,
 * where a NUL is.
 */
extern char *nv_print_elements(const float *elements, int dim, char *text);

#define NV_TEXT_ROOM(dim) ((Size) (dim) * FLOAT_SHORTEST_DECIMAL_LEN + 3)

/* ERROR (INVALID_TEXT_REPRESENTATION), or soft, unless only spaces follow. */
extern bool nv_parse_end(const char *literal, char *pos, const char *type_name,
						 struct Node *escontext);

/*
 * Parse one number at *pos, and set *pos behind it.  Raises as
 * nv_parse_elements(); a result that does not fit is one of magnitude
 * >= overflow, or infinite, or one that became 0 unless that is allowed.
 */
extern bool nv_parse_float(const char *literal, char **pos, const char *type_name,
						   float overflow, bool may_vanish, float *result,
						   struct Node *escontext);

/* Skip white space, as C and JSON know it. */
static inline char *
nv_skip_spaces(char *pos)
{
	while (unlikely(*pos == ' ' || (*pos >= '\t' && *pos <= '\r')))
		pos++;
	return pos;
}

/* dense_ops.c: arithmetic, comparison, pieces.  Whole SQL functions. */
extern Datum nv_dense_add(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_sub(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_mul(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_concat(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_subvector(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_binary_quantize(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_l2_normalize(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_l2_norm(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_dims(FunctionCallInfo fcinfo, const NvDenseType *type);
/* Negative, 0 or positive, as arguments 0 and 1 compare. */
extern int	nv_dense_cmp(FunctionCallInfo fcinfo, const NvDenseType *type);

/* dense_cast.c: casts.  Whole SQL functions. */
extern Datum nv_dense_enforce_typmod(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_from_array(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_to_float4(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_convert(FunctionCallInfo fcinfo, const NvDenseType *from,
							  const NvDenseType *to);

/*
 * The number of elements of an array, 0 if it is empty.  ERROR when it has
 * more than one dimension (DATA_EXCEPTION) or a NULL (NULL_VALUE_NOT_ALLOWED).
 */
extern int	nv_array_dim(ArrayType *array);

/*
 * The elements of such an array of int4, float4, float8 or numeric as floats,
 * palloc'd.  ERROR (NUMERIC_VALUE_OUT_OF_RANGE) when a numeric does not fit.
 */
extern float *nv_array_floats(ArrayType *array);

/* dense_agg.c: avg.  Whole SQL functions. */
extern Datum nv_dense_accum(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_combine(FunctionCallInfo fcinfo, const NvDenseType *type);
extern Datum nv_dense_avg(FunctionCallInfo fcinfo, const NvDenseType *type);

#endif							/* NV_DENSE_H */
