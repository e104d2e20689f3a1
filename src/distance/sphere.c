/*-------------------------------------------------------------------------
 *
 * sphere.c
 *		Spheres: what is within a distance of a vector.
 *
 *-------------------------------------------------------------------------
 */
#include "distance/sphere.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/typcache.h"

/* The fields of a sphere's type. */
enum
{
	CENTER,
	RADIUS,
	NFIELDS
};

/* ERROR when a field of a sphere is NULL. */
static void
check_given(bool isnull, const char *field)
{
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of a sphere must not be NULL", field)));
}

/* ERROR when the radius of a sphere is NaN. */
static void
check_radius(double radius)
{
	if (isnan(radius))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("radius of a sphere must not be NaN")));
}

/* Take a sphere apart. */
NvSphere
nv_sphere_open(Datum value)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {
		.t_len = HeapTupleHeaderGetDatumLength(header),
		.t_data = header
	};
	Datum		values[NFIELDS];
	bool		isnull[NFIELDS];
	bool		known = desc->natts == NFIELDS &&
		TupleDescAttr(desc, RADIUS)->atttypid == FLOAT8OID;
	NvSphere	sphere;

	if (known)
		heap_deform_tuple(&tuple, desc, values, isnull);
	ReleaseTupleDesc(desc);
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type of a sphere does not have a center and a radius"),
				 errhint("Somebody changed the type that the extension made.")));
	check_given(isnull[CENTER], "center");
	check_given(isnull[RADIUS], "radius");
	sphere.center = values[CENTER];
	sphere.radius = DatumGetFloat8(values[RADIUS]);
	check_radius(sphere.radius);
	return sphere;
}

/* sphere(): make one of a center and a radius. */
NV_FUNCTION(nanovec_sphere)
{
	Datum		values[NFIELDS];
	bool		isnull[NFIELDS] = {false, false};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE || desc->natts != NFIELDS)
		elog(ERROR, "sphere() does not return a sphere");
	values[CENTER] = PG_GETARG_DATUM(0);
	values[RADIUS] = PG_GETARG_DATUM(1);
	check_radius(PG_GETARG_FLOAT8(1));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, isnull)));
}

/* Whether the first argument is in the sphere that the second one is. */
static bool
is_inside(FunctionCallInfo fcinfo, PGFunction distance)
{
	NvSphere	sphere = nv_sphere_open(PG_GETARG_DATUM(1));

	return DatumGetFloat8(DirectFunctionCall2(distance, PG_GETARG_DATUM(0), sphere.center)) <
		sphere.radius;
}

#define IN_SPHERE(type, metric, distance) \
	extern Datum distance(PG_FUNCTION_ARGS); \
\
	NV_FUNCTION(nanovec_##type##_in_sphere_##metric) \
	{ \
		PG_RETURN_BOOL(is_inside(fcinfo, distance)); \
	}

#define IN_SPHERES(type) \
	IN_SPHERE(type, l2, type##_l2_distance) \
	IN_SPHERE(type, ip, type##_negative_inner_product) \
	IN_SPHERE(type, cosine, type##_cosine_distance) \
	IN_SPHERE(type, l1, type##_l1_distance)

IN_SPHERES(vector)
IN_SPHERES(halfvec)
IN_SPHERES(sq8vec)
IN_SPHERES(sparsevec)
IN_SPHERE(bit, hamming, hamming_distance)
IN_SPHERE(bit, jaccard, jaccard_distance)
