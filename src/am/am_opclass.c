/*-------------------------------------------------------------------------
 *
 * am_opclass.c
 *		Operator classes of the index methods.
 *
 *-------------------------------------------------------------------------
 */
#include "am/am_opclass.h"

#include "access/amvalidate.h"
#include "access/genam.h"
#include "access/htup_details.h"
#include "am/am_custom.h"
#include "am/am_row.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* The column of an index that holds its vectors. */
static Form_pg_attribute
vector_column(Relation rel)
{
	return TupleDescAttr(rel->rd_att, NV_VECTOR_COLUMN - 1);
}

/*
 * Whether a type is the one that this support function knows, or where there are many
 * vectors a row an array of it, whatever the search_path: they are in one schema, except
 * that bit is PostgreSQL's.
 */
static bool
is_type_of(Oid type, const NvElementType *element, Oid proc)
{
	HeapTuple	tuple;
	Form_pg_type form;
	bool		same;

	if (element->kind == NV_ELEMENT_BIT)
		return type == BITOID;
	if (OidIsValid(get_element_type(type)))
		type = get_element_type(type);
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", type);
	form = (Form_pg_type) GETSTRUCT(tuple);
	same = strcmp(NameStr(form->typname), element->name) == 0 &&
		form->typnamespace == get_func_namespace(proc);
	ReleaseSysCache(tuple);
	return same;
}

/* Whether it is that type itself, as a function of the user's takes it. */
static bool
is_custom_type(Oid type, const NvElementType *element, Oid proc)
{
	return !OidIsValid(get_element_type(type)) && is_type_of(type, element, proc);
}

/* Ask the support functions of an index's operator class. */
void
nv_opclass_of(Relation rel, NvElementKind *element, NvSpaceMetric *metric)
{
	FmgrInfo   *metric_proc;
	const NvSpaceMetric *m;
	const NvElementType *type;

	/* catalogs are looked into, so no page may be locked: see README */
	Assert(InterruptHoldoffCount == 0);
	if (!OidIsValid(index_getprocid(rel, NV_VECTOR_COLUMN, NV_METRIC_PROC)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("first column of %s index must be one of vectors",
						get_am_name(rel->rd_rel->relam)),
				 errhint("Name the column of vectors first, and those to filter by behind it.")));
	metric_proc = index_getprocinfo(rel, NV_VECTOR_COLUMN, NV_METRIC_PROC);
	/* pgvector's: our library in its place, or a session older than the update */
	if (metric_proc->fn_nargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("operator class of index \"%s\" is pgvector's",
						RelationGetRelationName(rel)),
				 errhint("ALTER EXTENSION vector UPDATE, then connect anew.")));
	m = (const NvSpaceMetric *) DatumGetPointer(FunctionCall1(metric_proc, PointerGetDatum(NULL)));
	type = (const NvElementType *)
		DatumGetPointer(FunctionCall1(index_getprocinfo(rel, NV_VECTOR_COLUMN, NV_TYPE_PROC),
									  PointerGetDatum(NULL)));
	if (m == NULL || type == NULL || !nv_metric_valid(type->kind, *m) ||
		(nv_opclass_many(rel) && *m != NV_SPACE_IP) ||
		(*m == NV_SPACE_CUSTOM &&
		 !is_custom_type(rel->rd_opcintype[NV_VECTOR_COLUMN - 1], type,
						 index_getprocid(rel, NV_VECTOR_COLUMN, NV_TYPE_PROC))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class of index \"%s\" has no distance that nanovec knows",
						RelationGetRelationName(rel))));
	*element = type->kind;
	*metric = *m;
}

/* Look at the type that the operator class is for. */
bool
nv_opclass_many(Relation rel)
{
	Assert(InterruptHoldoffCount == 0);
	return OidIsValid(get_element_type(rel->rd_opcintype[NV_VECTOR_COLUMN - 1]));
}

/* Ask the support function for the metric, if it is one of ours. */
bool
nv_opclass_is_custom(Relation rel)
{
	FmgrInfo   *proc;
	const NvSpaceMetric *metric;

	Assert(InterruptHoldoffCount == 0);
	if (!OidIsValid(index_getprocid(rel, NV_VECTOR_COLUMN, NV_METRIC_PROC)))
		return false;
	proc = index_getprocinfo(rel, NV_VECTOR_COLUMN, NV_METRIC_PROC);
	if (proc->fn_nargs != 1)
		return false;
	metric = (const NvSpaceMetric *) DatumGetPointer(FunctionCall1(proc, PointerGetDatum(NULL)));
	return metric != NULL && *metric == NV_SPACE_CUSTOM;
}

/* Find the operator to order by. */
Oid
nv_opclass_distance(Relation rel)
{
	Oid			family = rel->rd_opfamily[NV_VECTOR_COLUMN - 1];
	Oid			type = rel->rd_opcintype[NV_VECTOR_COLUMN - 1];
	Oid			operator;

	Assert(InterruptHoldoffCount == 0);
	operator = get_opfamily_member(family, type, type, NV_VECTOR_DISTANCE);
	if (!OidIsValid(operator))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("operator class of index \"%s\" has no operator to order by",
						RelationGetRelationName(rel)),
				 errhint("Its operator 1 is the distance, FOR ORDER BY float_ops.")));
	return operator;
}

/* Take the dimensions from the type of the column, or from that which its domain is made of. */
int
nv_column_dims(Relation rel, const NvElementType *type)
{
	int32		dims = vector_column(rel)->atttypmod;
	Oid			base = getBaseTypeAndTypmod(vector_column(rel)->atttypid, &dims);
	const char *array = nv_opclass_many(rel) ? "[]" : "";

	/* its values differ in length, and the operators of bit take them */
	if (base == VARBITOID)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type not supported for %s index", get_am_name(rel->rd_rel->relam)),
				 errhint("Declare the column as bit(n), or index an expression with a cast to bit(n).")));
	if (dims < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column does not have dimensions"),
				 errhint("Declare the column as %s(n)%s, or index an expression with a cast to %s(n)%s.",
						 type->name, array, type->name, array)));
	if (dims > type->max_dims)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("column cannot have more than %d dimensions for %s index",
						type->max_dims, get_am_name(rel->rd_rel->relam))));
	return dims;
}

/* Compare a metapage with the catalogs. */
bool
nv_column_agrees(Relation rel, uint8 element, uint8 metric, int dims)
{
	int			column_dims = vector_column(rel)->atttypmod;
	NvElementKind column_element;
	NvSpaceMetric column_metric;

	nv_opclass_of(rel, &column_element, &column_metric);
	return element == column_element && metric == column_metric &&
		(column_dims < 0 || dims == column_dims);
}

/* ---- support functions of operator classes ---- */

#define TYPE_SUPPORT(name, kind) \
NV_FUNCTION(nanovec_##name##_support) \
{ \
	PG_RETURN_POINTER(nv_element_type(kind)); \
}

TYPE_SUPPORT(vector, NV_ELEMENT_VECTOR)
TYPE_SUPPORT(halfvec, NV_ELEMENT_HALFVEC)
TYPE_SUPPORT(sq8vec, NV_ELEMENT_SQ8VEC)
TYPE_SUPPORT(bit, NV_ELEMENT_BIT)
TYPE_SUPPORT(sparsevec, NV_ELEMENT_SPARSEVEC)

#define METRIC_SUPPORT(name, value) \
NV_FUNCTION(nanovec_##name##_metric) \
{ \
	static const NvSpaceMetric metric = value; \
\
	PG_RETURN_POINTER(&metric); \
}

METRIC_SUPPORT(l2, NV_SPACE_L2)
METRIC_SUPPORT(ip, NV_SPACE_IP)
METRIC_SUPPORT(cosine, NV_SPACE_COSINE)
METRIC_SUPPORT(l1, NV_SPACE_L1)
METRIC_SUPPORT(hamming, NV_SPACE_HAMMING)
METRIC_SUPPORT(jaccard, NV_SPACE_JACCARD)
METRIC_SUPPORT(custom, NV_SPACE_CUSTOM)

/* ---- validation ---- */

/* Report what is wrong with an operator family. */
static void
complain(bool *valid, const char *opfamily, const char *what)
{
	ereport(INFO,
			(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
			 errmsg("operator family %s %s", opfamily, what)));
	*valid = false;
}

/* Check the operator of a family that orders. */
static void
validate_distance(Form_pg_amop op, const char *family, bool *valid)
{
	if (op->amoppurpose != AMOP_ORDER)
		complain(valid, family, "contains an operator of strategy 1 that is not for ordering");
	else if (!opfamily_can_sort_type(op->amopsortfamily, FLOAT8OID))
		complain(valid, family, "contains an operator with a wrong ORDER BY operator family");
	if (op->amoplefttype != op->amoprighttype ||
		!check_amop_signature(op->amopopr, FLOAT8OID, op->amoplefttype, op->amoprighttype))
		complain(valid, family, "contains an operator with a wrong signature");
}

/* Check the operator of a family that takes a sphere. */
static void
validate_sphere(Form_pg_amop op, const char *family, bool *valid)
{
	if (op->amoppurpose != AMOP_SEARCH)
		complain(valid, family, "contains an operator of strategy 2 that is not for searching");
	if (get_typtype(op->amoprighttype) != TYPTYPE_COMPOSITE ||
		!check_amop_signature(op->amopopr, BOOLOID, op->amoplefttype, op->amoprighttype))
		complain(valid, family, "contains an operator with a wrong signature");
}

/* Check that a function of the user's can serve as a distance. */
static void
validate_custom(CatCList *operators, const char *family, bool *valid)
{
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (op->amopstrategy != NV_VECTOR_DISTANCE)
			continue;
		if (func_volatile(get_opcode(op->amopopr)) != PROVOLATILE_IMMUTABLE)
			complain(valid, family, "contains a distance function that is not IMMUTABLE");
		if (nv_custom_is_inlined(op->amopopr))
			complain(valid, family, "contains a distance function that is inlined in queries");
	}
}

/* Check the operators of a family. */
static void
validate_operators(CatCList *operators, const char *family, bool *valid)
{
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (op->amopstrategy == NV_VECTOR_DISTANCE)
			validate_distance(op, family, valid);
		else if (op->amopstrategy == NV_VECTOR_SPHERE)
			validate_sphere(op, family, valid);
		else
			complain(valid, family, "contains an operator with a strategy number other than 1 and 2");
	}
}

/* Check the support functions of a family for one type.  Returns whether the metric is custom. */
static bool
validate_procs(CatCList *procs, const char *family, Oid type, bool *valid)
{
	const NvElementType *element = NULL;
	const NvSpaceMetric *metric = NULL;
	Oid			type_proc = InvalidOid;

	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc proc = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);

		if (proc->amprocnum != NV_METRIC_PROC && proc->amprocnum != NV_TYPE_PROC)
			complain(valid, family, "contains a support function with a wrong number");
		else if (!check_amproc_signature(proc->amproc, INTERNALOID, true, 1, 1, INTERNALOID))
			complain(valid, family, "contains a support function with a wrong signature");
		else if (proc->amproclefttype == type && proc->amprocnum == NV_METRIC_PROC)
			metric = (const NvSpaceMetric *)
				DatumGetPointer(OidFunctionCall1(proc->amproc, PointerGetDatum(NULL)));
		else if (proc->amproclefttype == type)
		{
			type_proc = proc->amproc;
			element = (const NvElementType *)
				DatumGetPointer(OidFunctionCall1(type_proc, PointerGetDatum(NULL)));
		}
	}
	if (metric == NULL || element == NULL)
		complain(valid, family, "lacks a support function");
	else if (!nv_metric_valid(element->kind, *metric))
		complain(valid, family, "has a metric that does not suit its type");
	else if (!is_type_of(type, element, type_proc) ||
			 (*metric == NV_SPACE_CUSTOM && !is_custom_type(type, element, type_proc)))
		complain(valid, family, "has support functions for another type");
	return metric != NULL && *metric == NV_SPACE_CUSTOM;
}

/* A family and its access method, for messages. */
static char *
opfamily_name(Oid family)
{
	HeapTuple	tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family));
	Form_pg_opfamily form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator family %u", family);
	form = (Form_pg_opfamily) GETSTRUCT(tuple);
	name = psprintf("\"%s\" of access method %s", NameStr(form->opfname),
					get_am_name(form->opfmethod));
	ReleaseSysCache(tuple);
	return name;
}

/* Check the operators of a family of attributes. */
static void
validate_attribute_operators(CatCList *operators, const char *family, bool *valid)
{
	for (int i = 0; i < operators->n_members; i++)
	{
		Form_pg_amop op = (Form_pg_amop) GETSTRUCT(&operators->members[i]->tuple);

		if (!(op->amopstrategy >= NV_ATTRIBUTE_LESS && op->amopstrategy <= NV_ATTRIBUTE_NOT_EQUAL) &&
			!(op->amopstrategy >= NV_ATTRIBUTE_OVERLAPS && op->amopstrategy <= NV_ATTRIBUTE_SAME))
			complain(valid, family, "contains an operator with a strategy number of no meaning");
		if (op->amoppurpose != AMOP_SEARCH)
			complain(valid, family, "contains an operator for ordering beside one for searching");
		if (!check_amop_signature(op->amopopr, BOOLOID, op->amoplefttype, op->amoprighttype))
			complain(valid, family, "contains an operator with a wrong signature");
	}
}

/* Check the support functions of a family of attributes. */
static void
validate_attribute_procs(CatCList *procs, const char *family, bool *valid)
{
	for (int i = 0; i < procs->n_members; i++)
	{
		Form_pg_amproc proc = (Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple);

		if (proc->amprocnum != NV_ATTRIBUTE_PROC)
			complain(valid, family, "contains a support function with a wrong number");
		else if (!check_amproc_signature(proc->amproc, INTERNALOID, true, 1, 1, INTERNALOID))
			complain(valid, family, "contains a support function with a wrong signature");
	}
}

/* Whether a family is one of attributes, as some support function says. */
static bool
is_of_attributes(CatCList *procs)
{
	for (int i = 0; i < procs->n_members; i++)
	{
		if (((Form_pg_amproc) GETSTRUCT(&procs->members[i]->tuple))->amprocnum == NV_ATTRIBUTE_PROC)
			return true;
	}
	return false;
}

/* Check an operator class: amvalidate. */
bool
nv_opclass_validate(Oid opclass)
{
	HeapTuple	tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
	Form_pg_opclass form;
	char	   *family;
	CatCList   *operators;
	CatCList   *procs;
	bool		valid = true;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator class %u", opclass);
	form = (Form_pg_opclass) GETSTRUCT(tuple);
	family = opfamily_name(form->opcfamily);
	operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(form->opcfamily));
	procs = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(form->opcfamily));
	if (operators->n_members == 0)
		complain(&valid, family, "lacks an operator");
	if (is_of_attributes(procs))
	{
		validate_attribute_operators(operators, family, &valid);
		validate_attribute_procs(procs, family, &valid);
	}
	else
	{
		validate_operators(operators, family, &valid);
		if (validate_procs(procs, family, form->opcintype, &valid))
			validate_custom(operators, family, &valid);
	}
	ReleaseCatCacheList(procs);
	ReleaseCatCacheList(operators);
	ReleaseSysCache(tuple);
	return valid;
}
