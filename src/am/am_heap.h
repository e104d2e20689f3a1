/*-------------------------------------------------------------------------
 *
 * am_heap.h
 *		Heaps in arrays: the first element comes before all others.
 *
 * Four children an element rather than two: half as many levels, and the keys
 * of children lie together in a cache line (LaMarca and Ladner, 1996).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_HEAP_H
#define NV_AM_HEAP_H

/*
 * Define, for an array x of n elements:
 *
 *	name_up(arg, x, i)			element i may come before those above it
 *	name_down(arg, x, n, i)		element i may come behind those below it
 *	name_build(arg, x, n)		nothing is in order yet
 *
 * before(a, b) compares pointers to elements; put(arg, x, i, element) is how an
 * element is written to its place, so that others may learn where it is.
 */
#define NV_DEFINE_HEAP(name, type, before, put) \
static void pg_attribute_unused() \
name##_up(void *arg, type *x, Size i) \
{ \
	type		moving = x[i]; \
\
	for (; i > 0 && before(&moving, &x[(i - 1) / 4]); i = (i - 1) / 4) \
		put(arg, x, i, x[(i - 1) / 4]); \
	put(arg, x, i, moving); \
} \
\
static void pg_attribute_unused() \
name##_down(void *arg, type *x, Size n, Size i) \
{ \
	type		moving = x[i]; \
\
	for (;;) \
	{ \
		Size		child = 4 * i + 1; \
		Size		end = Min(child + 4, n); \
		Size		first = child; \
\
		if (child >= n) \
			break; \
		while (++child < end) \
			first = before(&x[child], &x[first]) ? child : first; \
		if (!before(&x[first], &moving)) \
			break; \
		put(arg, x, i, x[first]); \
		i = first; \
	} \
	put(arg, x, i, moving); \
} \
\
static void pg_attribute_unused() \
name##_build(void *arg, type *x, Size n) \
{ \
	/* every element is written, if only to where it is */ \
	for (Size i = n; i-- > 0;) \
		name##_down(arg, x, n, i); \
}

/* For elements that nobody keeps track of. */
#define NV_HEAP_PUT(arg, x, i, element) ((x)[i] = (element))

#endif							/* NV_AM_HEAP_H */
