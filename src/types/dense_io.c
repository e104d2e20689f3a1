/*-------------------------------------------------------------------------
 *
 * dense_io.c
 *		Text and binary forms of the dense types.
 *
 * The text form is "[1,2.5,-3]".  sq8vec adds its grid where the numbers
 * alone would not bring the same codes back; its own file has that.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <errno.h>
#include <math.h>

#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "types/decimal.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Report bad syntax; detail says what was wrong. */
static float *
syntax_error(const char *literal, const char *type_name, const char *detail,
			 struct Node *escontext)
{
	ereturn(escontext, NULL,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", type_name, literal),
			 detail != NULL ? errdetail("%s", detail) : 0));
}

/* Parse a number, the quick way if it is an ordinary one. */
bool
nv_parse_float(const char *literal, char **pos, const char *type_name,
			   float overflow, bool may_vanish, float *result, struct Node *escontext)
{
	char	   *start = *pos;
	float		value;

	if (likely(nv_read_decimal(start, pos, &value) && fabsf(value) < overflow))
	{
		*result = value;
		return true;
	}
	errno = 0;
	value = strtof(start, pos);	/* LC_NUMERIC is always C in a backend */
	if (*pos == start)
	{
		syntax_error(literal, type_name, NULL, escontext);
		return false;
	}

	/* an infinity that was spelled out is for nv_check_finite() to refuse */
	if ((errno == ERANGE && (isinf(value) || (value == 0 && !may_vanish))) ||
		(isfinite(value) && fabsf(value) >= overflow))
		ereturn(escontext, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s",
						pnstrdup(start, *pos - start), type_name)));
	*result = value;
	return nv_check_finite(value, type_name, escontext);
}

/* Parse the elements of a vector. */
float *
nv_parse_elements(const char *literal, char **pos, const NvDenseType *type,
				  int *dim, struct Node *escontext)
{
	char	   *p = nv_skip_spaces(*pos);
	float	   *elements;
	int			n = 0;

	if (*p != '[')
		return syntax_error(literal, type->name,
							"Vector contents must start with \"[\".", escontext);
	p = nv_skip_spaces(p + 1);
	if (*p == ']')
		ereturn(escontext, NULL,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must have at least 1 dimension", type->name)));

	/* each but the last takes a character and a comma */
	elements = palloc(Min(strlen(p) / 2 + 1, NV_MAX_DIM) * sizeof(float));
	for (;;)
	{
		if (n == NV_MAX_DIM)
			ereturn(escontext, NULL,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("%s cannot have more than %d dimensions", type->name, NV_MAX_DIM)));
		p = nv_skip_spaces(p);
		if (!nv_parse_float(literal, &p, type->name, type->overflow, true, &elements[n],
							escontext))
			return NULL;
		n++;
		p = nv_skip_spaces(p);
		if (*p != ',')
			break;
		p++;
	}
	if (*p != ']')
		return syntax_error(literal, type->name, NULL, escontext);

	*pos = p + 1;
	*dim = n;
	return elements;
}

/* Check that the input ends here. */
bool
nv_parse_end(const char *literal, char *pos, const char *type_name,
			 struct Node *escontext)
{
	if (*nv_skip_spaces(pos) == '\0')
		return true;
	syntax_error(literal, type_name, "Junk after closing right brace.", escontext);
	return false;
}

/* The input function: text to a value. */
Datum
nv_dense_in(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	char	   *literal = PG_GETARG_CSTRING(0);
	int32		typmod = PG_GETARG_INT32(2);
	char	   *pos = literal;
	int			dim;
	float	   *elements;
	void	   *datum;

	elements = nv_parse_elements(literal, &pos, type, &dim, fcinfo->context);
	if (elements == NULL ||
		!nv_parse_end(literal, pos, type->name, fcinfo->context) ||
		!nv_check_typmod(typmod, dim, fcinfo->context))
		PG_RETURN_NULL();

	datum = nv_dense_alloc(type, dim);
	type->encode(elements, dim, datum);
	pfree(elements);
	PG_RETURN_POINTER(datum);
}

/* Write elements as the shortest text that reads back as the same floats. */
char *
nv_print_elements(const float *elements, int dim, char *text)
{
	*text++ = '[';
	for (int i = 0; i < dim; i++)
	{
		if (i > 0)
			*text++ = ',';
		text += float_to_shortest_decimal_bufn(elements[i], text);
	}
	*text++ = ']';
	*text = '\0';
	return text;
}

/* The output function: a value to text. */
Datum
nv_dense_out(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);
	float	   *elements = nv_dense_floats(&v);
	char	   *text = palloc(NV_TEXT_ROOM(v.dim));

	nv_print_elements(elements, v.dim, text);
	pfree(elements);
	nv_dense_close(&v);
	PG_RETURN_CSTRING(text);
}

/* Copy elements from the message, where each is in network byte order. */
static void
read_elements(StringInfo buf, int dim, Size element, char *out)
{
	const char *in = pq_getmsgbytes(buf, (int) (dim * element));

	if (element == sizeof(uint32))
	{
		for (int i = 0; i < dim; i++)
		{
			uint32		bits;

			memcpy(&bits, in + i * sizeof(bits), sizeof(bits));
			bits = pg_ntoh32(bits);
			memcpy(out + i * sizeof(bits), &bits, sizeof(bits));
		}
	}
	else
	{
		for (int i = 0; i < dim; i++)
		{
			uint16		bits;

			memcpy(&bits, in + i * sizeof(bits), sizeof(bits));
			bits = pg_ntoh16(bits);
			memcpy(out + i * sizeof(bits), &bits, sizeof(bits));
		}
	}
}

/*
 * Binary form of vector and halfvec, in network byte order: int16 dim, int16
 * unused, then the elements (float4 or IEEE binary16).
 */
Datum
nv_dense_recv(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int16		dim = (int16) pq_getmsgint(buf, sizeof(int16));
	int16		unused = (int16) pq_getmsgint(buf, sizeof(int16));
	char	   *datum;
	NvDense		v;
	float	   *elements;

	nv_check_dim(type->name, dim);
	nv_check_typmod(typmod, dim, NULL);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	datum = nv_dense_alloc(type, dim);
	read_elements(buf, dim, type->element, datum + type->header);

	v = nv_dense_open(PointerGetDatum(datum), type);
	elements = nv_dense_floats(&v);
	for (int i = 0; i < dim; i++)
		nv_check_finite(elements[i], type->name, NULL);
	pfree(elements);
	PG_RETURN_POINTER(datum);
}

/* The binary output function. */
Datum
nv_dense_send(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	NvDense		v = NV_GETARG_DENSE(0, type);
	StringInfoData buf;

	pq_begintypsend(&buf);
	enlargeStringInfo(&buf, (int) (4 + v.dim * type->element));
	pq_writeint16(&buf, (uint16) v.dim);
	pq_writeint16(&buf, 0);
	for (int i = 0; i < v.dim; i++)
	{
		const char *element = (const char *) v.data + i * type->element;

		/* a float4 goes out as the integer with the same bits */
		if (type->element == sizeof(uint32))
		{
			uint32		bits;

			memcpy(&bits, element, sizeof(bits));
			pq_writeint32(&buf, bits);
		}
		else
		{
			uint16		bits;

			memcpy(&bits, element, sizeof(bits));
			pq_writeint16(&buf, bits);
		}
	}
	nv_dense_close(&v);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* The input function of type modifiers. */
Datum
nv_dense_typmod_in(FunctionCallInfo fcinfo, const NvDenseType *type)
{
	PG_RETURN_INT32(nv_typmod_in(PG_GETARG_ARRAYTYPE_P(0), type->name, NV_MAX_DIM));
}
