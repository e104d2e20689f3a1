/*-------------------------------------------------------------------------
 *
 * distance_cost.c
 *		Tells the planner what a distance costs.
 *
 * A distance over many dimensions costs much more than the comparison of two
 * integers that cpu_operator_cost stands for.  Knowing this the planner
 * chooses parallel scans where they pay.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"

/* The dimensions that are assumed where the arguments do not tell theirs. */
#define DEFAULT_DIM 512

/*
 * What a call costs in units of cpu_operator_cost, and how many dimensions cost as
 * much as one of these.  Fitted to sequential scans of float4 rows of 384
 * and 1536 dimensions (60 and 180 operators); most of it is memory traffic.
 * See docs/design-notes.md.
 */
#define CALL_OPERATORS 15.0
#define DIMS_PER_OPERATOR 9.0

/*
 * MaxSim: vectors that are assumed in a row, since nothing tells how many there are, and
 * elements of these that cost as much as an operator, with those of a query of some 32
 * vectors.  Half of that is fetching a row's array from where long values are.
 */
#define MAXSIM_VECTORS 40
#define ELEMENTS_PER_OPERATOR 1.0

/* Find the dimensions of the arguments of a call in their type modifiers. */
static int
argument_dims(Node *call)
{
	List	   *args = NIL;
	ListCell   *lc;

	if (call != NULL && IsA(call, FuncExpr))
		args = ((FuncExpr *) call)->args;
	else if (call != NULL && IsA(call, OpExpr))
		args = ((OpExpr *) call)->args;

	foreach(lc, args)
	{
		int32		typmod = exprTypmod(lfirst(lc));

		if (typmod > 0)
			return typmod;
	}
	return DEFAULT_DIM;
}

/* Planner support function of the distances of types whose typmod is dims. */
NV_FUNCTION(nanovec_distance_support)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *cost = (SupportRequestCost *) request;

		cost->startup = 0;
		cost->per_tuple = cpu_operator_cost *
			(CALL_OPERATORS + argument_dims(cost->node) / DIMS_PER_OPERATOR);
		PG_RETURN_POINTER(cost);
	}
	PG_RETURN_POINTER(NULL);
}

/* Planner support function of MaxSim. */
NV_FUNCTION(nanovec_maxsim_support)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *cost = (SupportRequestCost *) request;

		cost->startup = 0;
		cost->per_tuple = cpu_operator_cost *
			(CALL_OPERATORS + MAXSIM_VECTORS * argument_dims(cost->node) / ELEMENTS_PER_OPERATOR);
		PG_RETURN_POINTER(cost);
	}
	PG_RETURN_POINTER(NULL);
}
