/*-------------------------------------------------------------------------
 *
 * nv_edition.c
 *		Compiled with NV_PGVECTOR_ALIAS for extension vector, and without for
 *		extension nanovec.
 *
 *-------------------------------------------------------------------------
 */
#include "nv_compat.h"

#include "nv_edition.h"
#include "nv_guc.h"

const NvEdition nv_edition = {
#ifdef NV_PGVECTOR_ALIAS
	.library = "vector",
	.hnsw_iterative_scan = NV_ITERATIVE_OFF,
#else
	.library = "nanovec",
	.hnsw_iterative_scan = NV_ITERATIVE_STRICT,
#endif
};
