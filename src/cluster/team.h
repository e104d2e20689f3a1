/*-------------------------------------------------------------------------
 *
 * team.h
 *		Several processes that assign rows to centroids together.
 *
 * The leader has rows and centroids in shared memory; workers do nothing but
 * measure.  Without workers everything is in the leader's memory, and the
 * answers are the same.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_TEAM_H
#define NV_TEAM_H

#include "nv_compat.h"

typedef struct NvTeam NvTeam;

/*
 * Start a team with room for "rows" rows of dims floats, and k centroids.  With
 * nworkers > 0, and when they can be had, this backend is in parallel mode
 * until nv_team_end().  Memory of the current context, and shared memory.
 */
extern NvTeam *nv_team_start(size_t rows, int dims, int k, int nworkers);
extern void nv_team_end(NvTeam *team);

/* The rows, for the leader to fill. */
extern float *nv_team_rows(NvTeam *team);

/* From now on rows are assigned to these k centroids; they are copied. */
extern void nv_team_set_centroids(NvTeam *team, const float *centroids, int k);

/*
 * Assign the first n rows: as nv_assign() (see assigner.h), with results in
 * cluster[n] and distances[n].  Can be interrupted.
 */
extern void nv_team_assign(NvTeam *team, size_t n, uint32 *cluster, float *distances);

/*
 * Both in one, for NvKmeansOptions: arg is the team.  Rows that are not the team's are
 * assigned by this backend alone.
 */
extern void nv_team_assign_to(void *arg, const float *x, size_t n, int dims,
							  const float *centroids, int k, uint32 *cluster,
							  float *distances);

#endif							/* NV_TEAM_H */
