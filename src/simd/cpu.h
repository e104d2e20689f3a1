/*-------------------------------------------------------------------------
 *
 * cpu.h
 *		CPU features that kernels depend on.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_CPU_H
#define NV_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NV_CPU_NEON			(1u << 0)
#define NV_CPU_POPCNT		(1u << 1)
#define NV_CPU_F16C			(1u << 2)
#define NV_CPU_FMA			(1u << 3)
#define NV_CPU_AVX2			(1u << 4)
#define NV_CPU_AVX512F		(1u << 5)
#define NV_CPU_AVX512BW		(1u << 6)
#define NV_CPU_AVX512DQ		(1u << 7)
#define NV_CPU_AVX512VL		(1u << 8)
#define NV_CPU_AVX512VNNI	(1u << 9)
#define NV_CPU_VPOPCNTDQ	(1u << 10)

/* Features of this CPU that the operating system lets programs use. */
extern uint32_t nv_cpu_detect(void);

/*
 * Remove from features those named in list (separated by spaces or commas),
 * and those that need a removed one.  An unknown name is skipped and copied
 * to bad[badsize], which is the empty string otherwise.
 */
extern uint32_t nv_cpu_disable(uint32_t features, const char *list, char *bad, size_t badsize);

/* The name of a feature bit, or NULL if there is no such feature. */
extern const char *nv_cpu_feature_name(uint32_t bit);

#endif							/* NV_CPU_H */
