/*-------------------------------------------------------------------------
 *
 * nv_guc.h
 *		Settings.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_GUC_H
#define NV_GUC_H

typedef enum NvIterativeScan
{
	NV_ITERATIVE_OFF,
	NV_ITERATIVE_RELAXED,
	NV_ITERATIVE_STRICT
} NvIterativeScan;

#define HNSW_MIN_EF_SEARCH 1
#define HNSW_MAX_EF_SEARCH 1000

#define IVF_MIN_LISTS 1
#define IVF_MAX_LISTS 32768

extern int	hnsw_ef_search;
extern int	hnsw_iterative_scan;	/* NvIterativeScan */
extern int	hnsw_max_scan_tuples;
extern double hnsw_scan_mem_multiplier;

/* Settings of ivf, and of ivfflat. */
typedef struct IvfSettings
{
	int			probes;			/* 0: as the build chose */
	int			iterative_scan; /* NvIterativeScan */
	int			max_probes;
} IvfSettings;

extern IvfSettings ivf_settings;
extern IvfSettings ivfflat_settings;

/*
 * Define them all; called once, at load.  Raises
 * ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE when another library has done so.
 */
extern void nv_guc_init(void);

#endif							/* NV_GUC_H */
