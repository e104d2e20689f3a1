/*-------------------------------------------------------------------------
 *
 * sphere.h
 *		Spheres: what is within a distance of a vector.
 *
 * A sphere is a value of a composite type, sphere_vector and so on, of a center and a
 * radius, as VectorChord has them.  A value is inside when its distance from the center is
 * less than the radius.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_SPHERE_H
#define NV_SPHERE_H

#include "nv_compat.h"

typedef struct NvSphere
{
	Datum		center;			/* of the element type */
	double		radius;			/* a number; infinite ones too */
} NvSphere;

/*
 * Take a sphere apart; the center is in memory of the current context, or part of the
 * value.  ERROR: NULL_VALUE_NOT_ALLOWED or INVALID_PARAMETER_VALUE, when center or radius
 * is NULL, or the radius NaN; DATATYPE_MISMATCH, when the type is not what it was made.
 */
extern NvSphere nv_sphere_open(Datum value);

#endif							/* NV_SPHERE_H */
