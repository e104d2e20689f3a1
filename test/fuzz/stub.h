/*-------------------------------------------------------------------------
 *
 * stub.h
 *		Just enough of a PostgreSQL backend to call the functions of the types.
 *
 * What is here behaves as the backend's own, with these simplifications: all
 * memory is one context, which stub_reset() empties; nothing is ever toasted
 * or compressed; a numeric is its decimal text.
 *
 *-------------------------------------------------------------------------
 */
#ifndef STUB_H
#define STUB_H

#include "nv_compat.h"

#include "utils/array.h"

/*
 * Call an SQL function.  True if it returned, with what in *result; false if it
 * raised an error, whose code is in stub_sqlstate and text in stub_message.
 */
extern bool stub_call(PGFunction function, int nargs, const Datum *args, Datum *result);

extern int	stub_sqlstate;
extern char stub_message[];

/* Free everything palloc'd.  Pointers from before are not to be used any more. */
extern void stub_reset(void);

#endif							/* STUB_H */
