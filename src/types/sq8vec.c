/*-------------------------------------------------------------------------
 *
 * sq8vec.c
 *		sq8vec: 8-bit codes on a grid of each vector's own.
 *
 * Element i is offset + scale * (code[i] - zero), computed in double
 * precision and rounded to float4.  zero is 0, or 128 for codes that came as
 * signed bytes (so that int8 embeddings keep their values to the bit).
 *
 * A vector that is quantized gets zero = 0, offset = its least element and
 * scale = (greatest - least) / 255: each element moves by at most scale / 2,
 * plus a rounding.
 *
 * Text form: "[x,y,...]", the elements.  Where quantizing these numbers anew
 * would not give the same value back, the grid follows:
 * "[x,y,...]@(scale,offset)", or "[x,y,...]@(scale,offset,128)" for signed
 * codes.  A value that neither form could bring back is refused: its scale is
 * so small beside its offset that codes make no difference.
 *
 * Binary form, in network byte order: int16 dim, int16 zero, float4 scale,
 * float4 offset, then dim code bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "types/dense.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define SIGNED_ZERO 128

typedef struct Sq8Header
{
	NvDenseHeader common;		/* extra is the zero point */
	float		scale;
	float		offset;
} Sq8Header;

/* Compute an element in double precision.  It is finite, since scale and offset are. */
static inline double
grid_value(double scale, double offset, int code)
{
	return offset + scale * code;
}

/* Round an element to float4; what is out of its range becomes infinite. */
static inline float
decode_code(const NvDense *v, uint8 code)
{
	return (float) grid_value(v->scale, v->offset, code - v->zero);
}

/* Read and check the grid of a value. */
static void
sq8vec_open(NvDense *v, const char *body)
{
	int16		zero;

	memcpy(&zero, body + offsetof(Sq8Header, common.extra) - VARHDRSZ, sizeof(zero));
	memcpy(&v->scale, body + offsetof(Sq8Header, scale) - VARHDRSZ, sizeof(float));
	memcpy(&v->offset, body + offsetof(Sq8Header, offset) - VARHDRSZ, sizeof(float));
	v->zero = zero;
	if ((zero != 0 && zero != SIGNED_ZERO) || !(v->scale >= 0 && isfinite(v->scale)) ||
		!isfinite(v->offset))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("invalid sq8vec grid: scale %g, offset %g, zero point %d",
						v->scale, v->offset, zero)));
}

/* Compute all elements. */
static void
sq8vec_decode(const NvDense *v, float *out)
{
	const uint8 *codes = v->data;

	for (int i = 0; i < v->dim; i++)
		out[i] = decode_code(v, codes[i]);
}

/*
 * Compute the distance between neighbors of 256 points from offset to greatest.
 *
 * The greatest point is rounded to float4, so that a scale computed from it
 * again may differ in its last bit.  Going round a few times finds, nearly
 * always, one that does not: then the text form needs no grid.
 */
static float
choose_scale(float offset, float greatest)
{
	float		scale = (float) (((double) greatest - (double) offset) / 255);

	for (int i = 0; i < 8; i++)
	{
		float		top = (float) grid_value(scale, offset, 255);
		float		again = (float) (((double) top - (double) offset) / 255);

		/* rounding up must not carry the greatest element out of range */
		if (isinf(top))
			again = nextafterf(scale, 0);
		else if (again == scale)
			break;
		scale = again;
	}
	return scale;
}

/* Choose the grid of in[dim] and round each element to it. */
static void
sq8vec_encode(const float *in, int dim, char *datum)
{
	Sq8Header  *header = (Sq8Header *) datum;
	uint8	   *codes = (uint8 *) (header + 1);
	float		least = in[0];
	float		greatest = in[0];

	for (int i = 1; i < dim; i++)
	{
		least = Min(least, in[i]);
		greatest = Max(greatest, in[i]);
	}
	/* neither is ever -0, which decoding could not give */
	header->offset = least + 0.0f;
	header->scale = choose_scale(header->offset, greatest + 0.0f);

	for (int i = 0; i < dim; i++)
	{
		double		code = 0;

		if (header->scale > 0)
		{
			code = rint(((double) in[i] - header->offset) / header->scale);
			code = Min(Max(code, 0), 255);
			/* where floats are coarser than the grid, the code of the number that it means */
			code = rint(((double) (float) grid_value(header->scale, header->offset, (int) code) -
						 header->offset) / header->scale);
		}
		codes[i] = (uint8) Min(Max(code, 0), 255);
	}
}

const NvDenseType nv_sq8vec_type = {
	.kind = NV_ELEMENT_SQ8VEC,
	.name = "sq8vec",
	.header = sizeof(Sq8Header),
	.element = sizeof(uint8),
	.overflow = INFINITY,
	.open = sq8vec_open,
	.decode = sq8vec_decode,
	.encode = sq8vec_encode
};

#define DENSE_FUNCTION(name) sq8vec_##name
#define DENSE_TYPE nv_sq8vec_type
#define DENSE_QUANTIZED
#include "types/dense_sql.h"

/* Allocate a datum with a grid; its codes are not set yet. */
static Sq8Header *
make_sq8vec(int dim, float scale, float offset, int zero)
{
	Sq8Header  *header = nv_dense_alloc(&nv_sq8vec_type, dim);

	header->common.extra = (int16) zero;
	header->scale = scale;
	header->offset = offset;
	return header;
}

/* Where the codes of a datum begin. */
static inline uint8 *
sq8vec_codes_of(Sq8Header *header)
{
	return (uint8 *) (header + 1);
}

/* Whether quantizing the elements of v would give v back, bit for bit. */
static bool
is_canonical(const NvDense *v, const float *elements)
{
	Sq8Header  *again = nv_dense_alloc(&nv_sq8vec_type, v->dim);
	bool		same;

	sq8vec_encode(elements, v->dim, (char *) again);
	same = v->zero == 0 &&
		memcmp(&again->scale, &v->scale, sizeof(float)) == 0 &&
		memcmp(&again->offset, &v->offset, sizeof(float)) == 0 &&
		memcmp(sq8vec_codes_of(again), v->data, v->dim) == 0;
	pfree(again);
	return same;
}

/* Find the point of the grid nearest to x, as a number from code 0 on.  It may be any integer. */
static inline double
nearest_code(double x, double scale, double offset, int zero)
{
	return (scale > 0 ? rint((x - offset) / scale) : 0) + zero;
}

/* Whether the elements of v and its grid determine its codes. */
static bool
grid_determines_codes(const NvDense *v, const float *elements)
{
	const uint8 *codes = v->data;

	for (int i = 0; i < v->dim; i++)
	{
		if (nearest_code(elements[i], v->scale, v->offset, v->zero) != codes[i])
			return false;
	}
	return true;
}

/*
 * Check a value that did not come from sq8vec_encode(): its grid, that its
 * elements are finite, and that its text form can be read back.
 */
static bool
check_value(Sq8Header *header, struct Node *escontext)
{
	NvDense		v;
	float	   *elements;
	bool		in_range = true;
	bool		readable;

	if (!nv_check_finite(header->scale, "sq8vec", escontext) ||
		!nv_check_finite(header->offset, "sq8vec", escontext))
		return false;
	if (header->scale < 0)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sq8vec scale must not be negative")));
	if (header->common.extra != 0 && header->common.extra != SIGNED_ZERO)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sq8vec zero point must be 0 or %d, not %d",
						SIGNED_ZERO, header->common.extra)));

	v = nv_dense_open(PointerGetDatum(header), &nv_sq8vec_type);
	elements = nv_dense_floats(&v);
	for (int i = 0; i < v.dim; i++)
		in_range &= !isinf(elements[i]);
	readable = in_range && (grid_determines_codes(&v, elements) || is_canonical(&v, elements));
	pfree(elements);

	if (!in_range)
		ereturn(escontext, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("sq8vec elements are out of range for type real"),
				 errhint("Use a smaller scale or offset.")));
	if (!readable)
		ereturn(escontext, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sq8vec scale %g is too small for offset %g", v.scale, v.offset),
				 errdetail("Elements with different codes would be the same number.")));
	return true;
}

/* Parse "@(scale,offset)" or "@(scale,offset,128)" at *pos. */
static bool
parse_grid(const char *literal, char **pos, float *scale, float *offset, int *zero,
		   struct Node *escontext)
{
	char	   *p = *pos;

	if (p[0] != '@' || p[1] != '(')
		goto bad;
	p += 2;
	if (!nv_parse_float(literal, &p, "sq8vec", INFINITY, false, scale, escontext))
		return false;
	if (*p++ != ',')
		goto bad;
	if (!nv_parse_float(literal, &p, "sq8vec", INFINITY, false, offset, escontext))
		return false;
	*zero = 0;
	if (strncmp(p, ",128", 4) == 0)
	{
		*zero = SIGNED_ZERO;
		p += 4;
	}
	if (*p++ != ')')
		goto bad;
	*pos = p;
	return true;

bad:
	ereturn(escontext, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type sq8vec: \"%s\"", literal),
			 errdetail("The grid of an sq8vec is written \"@(scale,offset)\" "
					   "or \"@(scale,offset,128)\".")));
}

/* Round elements[dim] to a given grid, which is the value's own if it was printed with it. */
static Sq8Header *
encode_on_grid(const float *elements, int dim, float scale, float offset, int zero,
			   struct Node *escontext)
{
	Sq8Header  *header = make_sq8vec(dim, scale, offset, zero);
	uint8	   *codes = sq8vec_codes_of(header);

	for (int i = 0; i < dim; i++)
	{
		double		code = nearest_code(elements[i], scale, offset, zero);

		/* a scale of 0 makes a grid of one point */
		if (code < 0 || code > 255 || (scale == 0 && elements[i] != offset))
			ereturn(escontext, NULL,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("element %d is not on the grid of the sq8vec", i + 1),
					 errdetail("With this scale and offset elements range from %g to %g.",
							   grid_value(scale, offset, -zero),
							   grid_value(scale, offset, 255 - zero))));
		codes[i] = (uint8) code;
	}
	return check_value(header, escontext) ? header : NULL;
}

/* The input function: elements, or codes with their grid. */
NV_FUNCTION(sq8vec_in)
{
	char	   *literal = PG_GETARG_CSTRING(0);
	char	   *pos = literal;
	int			dim;
	float	   *elements;
	float		scale,
				offset;
	int			zero;
	Sq8Header  *header;

	elements = nv_parse_elements(literal, &pos, &nv_sq8vec_type, &dim, fcinfo->context);
	if (elements == NULL)
		PG_RETURN_NULL();
	if (*pos != '@')
	{
		header = nv_dense_alloc(&nv_sq8vec_type, dim);
		sq8vec_encode(elements, dim, (char *) header);
	}
	else
	{
		if (!parse_grid(literal, &pos, &scale, &offset, &zero, fcinfo->context))
			PG_RETURN_NULL();
		header = encode_on_grid(elements, dim, scale, offset, zero, fcinfo->context);
		if (header == NULL)
			PG_RETURN_NULL();
	}
	pfree(elements);

	if (!nv_parse_end(literal, pos, "sq8vec", fcinfo->context) ||
		!nv_check_typmod(PG_GETARG_INT32(2), dim, fcinfo->context))
		PG_RETURN_NULL();
	PG_RETURN_POINTER(header);
}

/* The output function: elements, with the grid where they do not determine it. */
NV_FUNCTION(sq8vec_out)
{
	NvDense		v = NV_GETARG_DENSE(0, &nv_sq8vec_type);
	float	   *elements = nv_dense_floats(&v);
	/* the grid is two numbers and "@(,,128)" */
	char	   *text = palloc(NV_TEXT_ROOM(v.dim) + 2 * FLOAT_SHORTEST_DECIMAL_LEN + 8);
	char	   *end = nv_print_elements(elements, v.dim, text);

	if (!is_canonical(&v, elements))
	{
		*end++ = '@';
		*end++ = '(';
		end += float_to_shortest_decimal_bufn(v.scale, end);
		*end++ = ',';
		end += float_to_shortest_decimal_bufn(v.offset, end);
		strcpy(end, v.zero == 0 ? ")" : ",128)");
	}
	pfree(elements);
	nv_dense_close(&v);
	PG_RETURN_CSTRING(text);
}

/* The binary input function. */
NV_FUNCTION(sq8vec_recv)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int16		dim = (int16) pq_getmsgint(buf, sizeof(int16));
	int16		zero = (int16) pq_getmsgint(buf, sizeof(int16));
	float		scale = pq_getmsgfloat4(buf);
	float		offset = pq_getmsgfloat4(buf);
	Sq8Header  *header;

	nv_check_dim("sq8vec", dim);
	nv_check_typmod(PG_GETARG_INT32(2), dim, NULL);
	header = make_sq8vec(dim, scale, offset, zero);
	pq_copymsgbytes(buf, (char *) sq8vec_codes_of(header), dim);
	check_value(header, NULL);
	PG_RETURN_POINTER(header);
}

/* The binary output function. */
NV_FUNCTION(sq8vec_send)
{
	NvDense		v = NV_GETARG_DENSE(0, &nv_sq8vec_type);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint16(&buf, (uint16) v.dim);
	pq_sendint16(&buf, (uint16) v.zero);
	pq_sendfloat4(&buf, v.scale);
	pq_sendfloat4(&buf, v.offset);
	pq_sendbytes(&buf, v.data, v.dim);
	nv_dense_close(&v);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* sq8vec(codes smallint[], scale, offset): codes are all in -128..127, or all in 0..255. */
NV_FUNCTION(sq8vec_from_codes)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *elements;
	int			dim;
	int			zero = 0;
	Sq8Header  *header;
	uint8	   *codes;

	nv_check_dim("sq8vec", nv_array_dim(array));
	deconstruct_array(array, INT2OID, sizeof(int16), true, TYPALIGN_SHORT, &elements, NULL, &dim);

	for (int i = 0; i < dim; i++)
	{
		if (DatumGetInt16(elements[i]) < 0)
			zero = SIGNED_ZERO;
	}
	header = make_sq8vec(dim, (float) PG_GETARG_FLOAT8(1), (float) PG_GETARG_FLOAT8(2), zero);
	codes = sq8vec_codes_of(header);
	for (int i = 0; i < dim; i++)
	{
		int			code = DatumGetInt16(elements[i]) + zero;

		if (code < 0 || code > 255)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("code %d is out of range for type sq8vec", code - zero),
					 errhint("Codes range from 0 to 255, or from -128 to 127.")));
		codes[i] = (uint8) code;
	}
	check_value(header, NULL);
	pfree(elements);
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_POINTER(header);
}

/* sq8vec(codes bytea, scale, offset, signed): each code is a byte. */
NV_FUNCTION(sq8vec_from_bytes)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	Size		size = VARSIZE_ANY_EXHDR(bytes);
	bool		is_signed = PG_GETARG_BOOL(3);
	int			zero = is_signed ? SIGNED_ZERO : 0;
	Sq8Header  *header;
	uint8	   *codes;

	nv_check_dim("sq8vec", (int64) size);
	header = make_sq8vec((int) size, (float) PG_GETARG_FLOAT8(1), (float) PG_GETARG_FLOAT8(2), zero);
	codes = sq8vec_codes_of(header);
	memcpy(codes, VARDATA_ANY(bytes), size);
	for (Size i = 0; is_signed && i < size; i++)
		codes[i] ^= 0x80;		/* two's complement to offset by 128 */
	check_value(header, NULL);
	PG_FREE_IF_COPY(bytes, 0);
	PG_RETURN_POINTER(header);
}

/* Return the codes as they came in, which are signed if the zero point is 128. */
NV_FUNCTION(sq8vec_codes)
{
	NvDense		v = NV_GETARG_DENSE(0, &nv_sq8vec_type);
	const uint8 *codes = v.data;
	Datum	   *elements = palloc(v.dim * sizeof(Datum));
	ArrayType  *result;

	for (int i = 0; i < v.dim; i++)
		elements[i] = Int16GetDatum((int16) (codes[i] - v.zero));
	result = construct_array(elements, v.dim, INT2OID, sizeof(int16), true, TYPALIGN_SHORT);
	pfree(elements);
	nv_dense_close(&v);
	PG_RETURN_ARRAYTYPE_P(result);
}

/* The scale of the grid. */
NV_FUNCTION(sq8vec_scale)
{
	NvDense		v = NV_GETARG_DENSE(0, &nv_sq8vec_type);
	float		scale = v.scale;

	nv_dense_close(&v);
	PG_RETURN_FLOAT4(scale);
}

/* The offset of the grid. */
NV_FUNCTION(sq8vec_offset)
{
	NvDense		v = NV_GETARG_DENSE(0, &nv_sq8vec_type);
	float		offset = v.offset;

	nv_dense_close(&v);
	PG_RETURN_FLOAT4(offset);
}

/* The casts from and to the other dense types. */
NV_FUNCTION(vector_to_sq8vec)
{
	return nv_dense_convert(fcinfo, &nv_vector_type, &nv_sq8vec_type);
}

NV_FUNCTION(halfvec_to_sq8vec)
{
	return nv_dense_convert(fcinfo, &nv_halfvec_type, &nv_sq8vec_type);
}

NV_FUNCTION(sq8vec_to_vector)
{
	return nv_dense_convert(fcinfo, &nv_sq8vec_type, &nv_vector_type);
}

NV_FUNCTION(sq8vec_to_halfvec)
{
	return nv_dense_convert(fcinfo, &nv_sq8vec_type, &nv_halfvec_type);
}
