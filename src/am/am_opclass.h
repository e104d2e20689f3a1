/*-------------------------------------------------------------------------
 *
 * am_opclass.h
 *		Operator classes of the index methods.
 *
 * An operator class of vectors has two support functions, which tell its metric and its
 * element type, and two operators, by the numbers of NvVectorStrategy.  One of attributes has a
 * support function that tells how values are summarized, and operators that conditions
 * use, by the numbers of NvAttributeStrategy.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_OPCLASS_H
#define NV_AM_OPCLASS_H

#include "nv_compat.h"

#include "am/am_attribute.h"
#include "am/am_vector.h"
#include "utils/rel.h"

typedef enum NvVectorStrategy
{
	NV_VECTOR_DISTANCE = 1,		/* for ordering */
	NV_VECTOR_SPHERE			/* whether a vector is in a sphere (../distance/sphere.h) */
} NvVectorStrategy;

/* Support functions of an operator class; of attributes, there is NV_ATTRIBUTE_PROC alone. */
#define NV_METRIC_PROC 1
#define NV_TYPE_PROC 2
#define NV_OPCLASS_PROCS NV_ATTRIBUTE_PROC

/* What the operator class of an index says.  ERROR if it is not one of ours. */
extern void nv_opclass_of(Relation rel, NvElementKind *element, NvSpaceMetric *metric);

/* Whether it is one of arrays: a row has many vectors. */
extern bool nv_opclass_many(Relation rel);

/*
 * Whether an index is measured by a function of the user's; false where nv_opclass_of()
 * raises an error.
 */
extern bool nv_opclass_is_custom(Relation rel);

/* The operator that an index orders by.  ERROR if there is none. */
extern Oid	nv_opclass_distance(Relation rel);

/*
 * The number of dimensions of an index's column.  ERROR when its type does not
 * say, or there are too many.
 */
extern int	nv_column_dims(Relation rel, const NvElementType *type);

/*
 * Whether what an index's metapage says is what its column and operator class
 * say.  The column's type may have lost its dimensions since the index was made.
 * ERROR if the operator class is not one of ours.
 */
extern bool nv_column_agrees(Relation rel, uint8 element, uint8 metric, int dims);

/* amvalidate: reports what is wrong as INFO. */
extern bool nv_opclass_validate(Oid opclass);

#endif							/* NV_AM_OPCLASS_H */
