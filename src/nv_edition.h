/*-------------------------------------------------------------------------
 *
 * nv_edition.h
 *		Under which name the library is installed, and what follows from it.
 *
 * The same code is installed as extension nanovec and, on request, as
 * extension vector for databases and clients of pgvector: there, defaults are
 * pgvector's.  nv_edition.c is the only file that is compiled twice.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_EDITION_H
#define NV_EDITION_H

typedef struct NvEdition
{
	const char *library;		/* what parallel workers load: nanovec or vector */
	int			hnsw_iterative_scan;	/* default of the setting, NvIterativeScan */
} NvEdition;

extern const NvEdition nv_edition;

#endif							/* NV_EDITION_H */
