/*-------------------------------------------------------------------------
 *
 * measure.c
 *		Times functions in turns.
 *
 *-------------------------------------------------------------------------
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec * 1e9 + (double) t.tv_nsec;
}

Subject *
add_subject(SubjectList *list, const char *name, const char *variant, Loop loop,
			Function function, size_t n, double bytes)
{
	Subject    *s = &list->subjects[list->count++];

	if (list->count > MAX_SUBJECTS)
		abort();
	memset(s, 0, sizeof(*s));
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->variant, sizeof(s->variant), "%s", variant);
	s->loop = loop;
	s->function = function;
	s->n = n;
	s->bytes = bytes;
	return s;
}

/* Have a function run so long before each sample of this one. */
void
run_before(Subject *s, Loop loop, Function function, int us)
{
	s->before_loop = loop;
	s->before = function;
	s->before_us = us;
}

static double
run(Loop loop, Function function, const Inputs *inputs, size_t n, size_t calls)
{
	Inputs		in = *inputs;
	double		start;

	in.n = n;
	start = now_ns();
	loop(function, &in, calls);
	return now_ns() - start;
}

/* How many calls take so long. */
static size_t
calibrate(Loop loop, Function function, const Inputs *inputs, size_t n, double ns)
{
	size_t		calls = 16;

	while (run(loop, function, inputs, n, calls) < ns)
		calls *= 2;
	return calls;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static double
median(double *values, int count)
{
	qsort(values, (size_t) count, sizeof(double), compare_doubles);
	return values[count / 2];
}

/*
 * Measure all subjects of the list in turns: each round takes one sample of
 * each, after a few calls that are not measured.  Before those, if asked for,
 * runs a function of choice: some CPUs lower their clock for instructions that
 * take much power and raise it again only after most of a millisecond, so this
 * decides the clock that the sample runs at.
 */
void
measure(SubjectList *list, const Inputs *inputs, int rounds, int sample_us)
{
	double	   *sorted = malloc(sizeof(double) * (size_t) rounds);

	for (int i = 0; i < list->count; i++)
	{
		Subject    *s = &list->subjects[i];

		s->samples = malloc(sizeof(double) * (size_t) rounds);
		s->calls = calibrate(s->loop, s->function, inputs, s->n, sample_us * 1e3);
		if (s->before != NULL)
			s->before_calls = calibrate(s->before_loop, s->before, inputs, s->n,
										s->before_us * 1e3);
	}
	for (int r = 0; r < rounds; r++)
	{
		for (int i = 0; i < list->count; i++)
		{
			Subject    *s = &list->subjects[i];

			if (s->before != NULL)
				run(s->before_loop, s->before, inputs, s->n, s->before_calls);
			run(s->loop, s->function, inputs, s->n, s->calls / 8);
			s->samples[r] = run(s->loop, s->function, inputs, s->n, s->calls) / (double) s->calls;
		}
	}
	for (int i = 0; i < list->count; i++)
	{
		memcpy(sorted, list->subjects[i].samples, sizeof(double) * (size_t) rounds);
		list->subjects[i].ns = median(sorted, rounds);
	}
	free(sorted);
}

/*
 * How many times as long a takes as b: the median of the ratio in each round,
 * which the noise of a whole round does not change.
 */
double
median_ratio(const Subject *a, const Subject *b, int rounds)
{
	double	   *ratios = malloc(sizeof(double) * (size_t) rounds);
	double		result;

	for (int r = 0; r < rounds; r++)
		ratios[r] = a->samples[r] / b->samples[r];
	result = median(ratios, rounds);
	free(ratios);
	return result;
}

void
clear_list(SubjectList *list)
{
	for (int i = 0; i < list->count; i++)
		free(list->subjects[i].samples);
	list->count = 0;
}
