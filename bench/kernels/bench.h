/*-------------------------------------------------------------------------
 *
 * bench.h
 *		What the parts of the kernel benchmark share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "simd/simd.h"

/* A function to measure; its loop knows its real type. */
typedef void (*Function) (void);

/* What the functions run on: two operands of every type, and outputs. */
typedef struct Inputs
{
	const nv_f32 *f32_a;
	const nv_f32 *f32_b;
	const nv_f16 *f16_a;
	const nv_f16 *f16_b;
	const uint8_t *u8_a;
	const uint8_t *u8_b;
	float	   *zeros;			/* stays zero under any transform */
	float	   *out;
	size_t		n;				/* the dimension asked for */
} Inputs;

/* Calls the function so many times on the same inputs, keeping every result. */
typedef void (*Loop) (Function f, const Inputs *in, size_t calls);

/* One function at one dimension, and what was measured of it. */
typedef struct Subject
{
	char		name[40];
	char		variant[24];
	Loop		loop;
	Function	function;
	size_t		n;
	double		bytes;			/* read by one call */
	Loop		before_loop;	/* run before each sample: see measure() */
	Function	before;
	int			before_us;
	size_t		before_calls;
	size_t		calls;			/* in one sample */
	double	   *samples;		/* nanoseconds for one call, by round */
	double		ns;				/* their median */
} Subject;

#define MAX_SUBJECTS 400

typedef struct SubjectList
{
	int			count;
	Subject		subjects[MAX_SUBJECTS];
} SubjectList;

extern double now_ns(void);
extern Subject *add_subject(SubjectList *list, const char *name, const char *variant, Loop loop,
							Function function, size_t n, double bytes);
extern void run_before(Subject *s, Loop loop, Function function, int us);
extern void measure(SubjectList *list, const Inputs *inputs, int rounds, int sample_us);
extern double median_ratio(const Subject *a, const Subject *b, int rounds);
extern void clear_list(SubjectList *list);

/* Read-only loops over two arrays of floats, in l1_read.c. */
typedef struct L1Form
{
	const char *name;
	const char *variant;		/* whose registers it uses */
	bool		folded;			/* false: only loads, for comparison */
	float		(*read) (const nv_f32 *a, const nv_f32 *b, size_t n);
} L1Form;

extern const L1Form l1_forms[];
extern const int num_l1_forms;

/* Functions of other libraries, in peers.c; NULL when absent. */
typedef struct Peers
{
	const char *blas_core;		/* which processor numpy's BLAS chose to be */
	Function	blas_dot;
	Function	simsimd_l2sq[2];	/* for AVX2, for AVX-512 */
	Function	simsimd_dot[2];
	Function	simsimd_cos[2];
} Peers;

typedef float (*BlasDot) (int64_t n, const float *x, int64_t incx, const float *y, int64_t incy);
typedef void (*SimsimdMetric) (const void *a, const void *b, uint64_t n, double *result);

extern Peers peers_load(const char *blas_path, const char *simsimd_path);

#endif							/* BENCH_H */
