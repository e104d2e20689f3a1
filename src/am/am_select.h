/*-------------------------------------------------------------------------
 *
 * am_select.h
 *		Selection: the least elements of an array, without sorting it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NV_AM_SELECT_H
#define NV_AM_SELECT_H

/*
 * Define static void name(type *x, int n, int k), which moves the k least of n
 * elements to the front, 0 < k < n, the greatest of them last (Hoare, 1961).
 * before(a, b) is a total order of pointers to elements.
 */
#define NV_DEFINE_SELECT(name, type, before) \
static void \
name(type *x, int n, int k) \
{ \
	int			low = 0, \
				high = n - 1; \
\
	while (low < high) \
	{ \
		type		pivot = x[(low + high) / 2]; \
		int			i = low, \
					j = high; \
\
		while (i <= j) \
		{ \
			while (before(&x[i], &pivot)) \
				i++; \
			while (before(&pivot, &x[j])) \
				j--; \
			if (i <= j) \
			{ \
				type		swap = x[i]; \
\
				x[i++] = x[j]; \
				x[j--] = swap; \
			} \
		} \
		if (k - 1 <= j) \
			high = j; \
		else if (k - 1 >= i) \
			low = i; \
		else \
			break; \
	} \
}

#endif							/* NV_AM_SELECT_H */
