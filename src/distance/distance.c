/*-------------------------------------------------------------------------
 *
 * distance.c
 *		Distances of dense types: which kernel measures what, and what follows.
 *
 *-------------------------------------------------------------------------
 */
#include "distance/distance.h"

#include <float.h>
#include <math.h>

#include "distance/double_measure.h"
#include "simd/simd.h"

/*
 * A measure of a and b, which have the same type and dimensions.  NaN when
 * float cannot tell: then double precision decides.
 */
typedef double (*MeasureFunction) (const NvDense *a, const NvDense *b);

/* Below this, squares may have vanished; 0 itself may be one of them. */
#define LEAST_L2SQ 1e-30

/* Let double precision decide when a sum of squares vanished or overflowed. */
static double
check_l2sq(double x)
{
	return x >= LEAST_L2SQ && x <= FLT_MAX ? x : NAN;
}

/* Let double precision decide when a measure overflowed. */
static double
check_finite(double x)
{
	return isfinite(x) ? x : NAN;
}

/* Make a cosine of its sums; double precision decides when one vanished or overflowed. */
static double
check_cosine(const NvCosine *c)
{
	if (!(c->aa >= LEAST_L2SQ && c->aa <= FLT_MAX && c->bb >= LEAST_L2SQ && c->bb <= FLT_MAX))
		return NAN;
	return nv_cosine_of_sums(c->ab, c->aa, c->bb);
}

/*
 * An inner product near 0 may be one of products that vanished, unless the
 * vectors themselves are large enough to have a cosine.
 */
static double
check_ip(double x, const NvDense *a, const NvDense *b, MeasureFunction cosine)
{
	if (unlikely(fabs(x) < LEAST_L2SQ) && isnan(cosine(a, b)))
		return NAN;
	return check_finite(x);
}

/* The four measures of a type whose kernels take two plain arrays. */
#define PLAIN_MEASURES(type, kernel) \
static double \
type##_l2sq(const NvDense *a, const NvDense *b) \
{ \
	return check_l2sq(nv_kern.l2sq_##kernel(a->data, b->data, a->dim)); \
} \
\
static double \
type##_cosine(const NvDense *a, const NvDense *b) \
{ \
	NvCosine	parts; \
\
	nv_kern.cos_##kernel(a->data, b->data, a->dim, &parts); \
	return check_cosine(&parts); \
} \
\
static double \
type##_ip(const NvDense *a, const NvDense *b) \
{ \
	return check_ip(nv_kern.ip_##kernel(a->data, b->data, a->dim), a, b, type##_cosine); \
} \
\
static double \
type##_l1(const NvDense *a, const NvDense *b) \
{ \
	return check_finite(nv_kern.l1_##kernel(a->data, b->data, a->dim)); \
}

PLAIN_MEASURES(vector, f32)
PLAIN_MEASURES(halfvec, f16)

/*
 * For sq8vec, sums of products of codes are exact integers, and the measures
 * follow from them.  With x = ox + sx * c and y = oy + sy * d over n elements:
 *
 *	sum x y = n ox oy + ox sy sum d + oy sx sum c + sx sy sum c d
 */
typedef struct Sq8Sums
{
	double		n;
	double		sx,
				ox,
				sy,
				oy;
	NvCodeSums	codes;
} Sq8Sums;

/* Compute the sums over the codes of two values. */
static Sq8Sums
sq8vec_sums(const NvDense *a, const NvDense *b)
{
	Sq8Sums		s;

	StaticAssertStmt(NV_MAX_DIM <= NV_U8_MAX_N, "code sums could overflow");
	s.n = a->dim;
	s.sx = a->scale;
	s.ox = a->offset - (double) a->scale * a->zero;
	s.sy = b->scale;
	s.oy = b->offset - (double) b->scale * b->zero;
	nv_kern.sums_u8(a->data, b->data, a->dim, &s.codes);
	return s;
}

/* The sum x y. */
static double
sq8vec_product(const Sq8Sums *s)
{
	return s->n * s->ox * s->oy + s->ox * s->sy * s->codes.b + s->oy * s->sx * s->codes.a +
		s->sx * s->sy * s->codes.ab;
}

/*
 * sum x x, of one side: the sums of sq8vec_product() in the same order, so that
 * equal vectors have a cosine of 1.  0 where the sums cancel, that is, where all
 * elements are tiny beside the offset of their grid.
 */
static double
sq8vec_square(double n, double offset, double scale, double sum, double sum_squares)
{
	double		apart = n * offset * offset + scale * scale * sum_squares;
	double		square = n * offset * offset + offset * scale * sum + offset * scale * sum +
		scale * scale * sum_squares;

	return square > 1e-6 * apart ? square : 0;
}

/* The squared Euclidean distance, from the sums. */
static double
sq8vec_l2sq(const NvDense *a, const NvDense *b)
{
	Sq8Sums		s = sq8vec_sums(a, b);
	double		apart = s.ox - s.oy;
	double		result;

	/* sum (apart + sx c - sy d)^2; exact when the grids are the same */
	if (s.sx == s.sy)
		result = s.sx * s.sx * ((double) s.codes.aa - 2.0 * s.codes.ab + (double) s.codes.bb);
	else
		result = s.sx * s.sx * s.codes.aa - 2 * s.sx * s.sy * s.codes.ab +
			s.sy * s.sy * s.codes.bb;
	if (apart != 0)
		result += s.n * apart * apart + 2 * apart * (s.sx * s.codes.a - s.sy * s.codes.b);
	return Max(result, 0);
}

/* The inner product, from the sums. */
static double
sq8vec_ip(const NvDense *a, const NvDense *b)
{
	Sq8Sums		s = sq8vec_sums(a, b);

	return sq8vec_product(&s);
}

/* The cosine, from the sums. */
static double
sq8vec_cosine(const NvDense *a, const NvDense *b)
{
	Sq8Sums		s = sq8vec_sums(a, b);
	double		xx = sq8vec_square(s.n, s.ox, s.sx, s.codes.a, s.codes.aa);
	double		yy = sq8vec_square(s.n, s.oy, s.sy, s.codes.b, s.codes.bb);

	if (!(xx > 0 && yy > 0))
		return NAN;
	return nv_cosine_of_sums(sq8vec_product(&s), xx, yy);
}

/* The taxicab distance, which needs the codes themselves. */
static double
sq8vec_l1(const NvDense *a, const NvDense *b)
{
	double		ox = a->offset - (double) a->scale * a->zero;
	double		oy = b->offset - (double) b->scale * b->zero;

	return check_finite(nv_kern.l1_u8(a->data, b->data, a->dim, a->scale, b->scale,
									  (float) (ox - oy)));
}

static const MeasureFunction element_rows[][NV_NUM_MEASURES] = {
	[NV_ELEMENT_VECTOR] = {vector_l2sq, vector_ip, vector_cosine, vector_l1},
	[NV_ELEMENT_HALFVEC] = {halfvec_l2sq, halfvec_ip, halfvec_cosine, halfvec_l1},
	[NV_ELEMENT_SQ8VEC] = {sq8vec_l2sq, sq8vec_ip, sq8vec_cosine, sq8vec_l1},
};

/* The measure is the distance. */
static double
finish_same(double x)
{
	return x;
}

/* The distance is the root of the measure. */
static double
finish_root(double x)
{
	return sqrt(x);
}

/* The distance is the measure negated, so that more similar is nearer. */
static double
finish_negate(double x)
{
	return -x;
}

/* Rounding may carry a cosine a little beyond 1. */
static double
clamp_cosine(double x)
{
	if (x > 1)
		return 1;
	if (x < -1)
		return -1;
	return x;
}

/* The distance is 1 less the cosine. */
static double
finish_cosine(double x)
{
	return 1 - clamp_cosine(x);
}

/* The distance is the angle, as a part of a half turn. */
static double
finish_angle(double x)
{
	return acos(clamp_cosine(x)) / M_PI;
}

typedef struct DistanceRow
{
	NvMeasure	measure;
	double		(*finish) (double x);
} DistanceRow;

static const DistanceRow distance_rows[] = {
	[NV_DISTANCE_L2] = {NV_MEASURE_L2SQ, finish_root},
	[NV_DISTANCE_L2_SQUARED] = {NV_MEASURE_L2SQ, finish_same},
	[NV_DISTANCE_IP] = {NV_MEASURE_IP, finish_same},
	[NV_DISTANCE_NEGATIVE_IP] = {NV_MEASURE_IP, finish_negate},
	[NV_DISTANCE_COSINE] = {NV_MEASURE_COSINE, finish_cosine},
	[NV_DISTANCE_SPHERICAL] = {NV_MEASURE_IP, finish_angle},
	[NV_DISTANCE_L1] = {NV_MEASURE_L1, finish_same},
};

/* A measure in double precision, of decoded elements. */
static pg_noinline double
measure_in_double(const NvDense *a, const NvDense *b, NvMeasure measure)
{
	float	   *x = nv_dense_floats(a);
	float	   *y = nv_dense_floats(b);
	double		result = nv_measure_float4(x, y, a->dim, measure);

	pfree(x);
	pfree(y);
	return result;
}

/* Finish a measure. */
double
nv_finish_distance(double measure, NvDistanceKind kind)
{
	return distance_rows[kind].finish(measure);
}

/* Look up the measure. */
NvMeasure
nv_distance_measure(NvDistanceKind kind)
{
	return distance_rows[kind].measure;
}

/* Measure with the kernel of the type, in double precision where floats fail, and finish. */
double
nv_dense_distance(const NvDense *a, const NvDense *b, NvDistanceKind kind)
{
	NvMeasure	measure = distance_rows[kind].measure;
	double		x;

	Assert(a->type == b->type && a->dim == b->dim);
	x = element_rows[a->type->kind][measure] (a, b);
	if (unlikely(isnan(x)))
		x = measure_in_double(a, b, measure);
	return distance_rows[kind].finish(x);
}
