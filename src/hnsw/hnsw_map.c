/*-------------------------------------------------------------------------
 *
 * hnsw_map.c
 *		The map of attributes of an hnsw index.
 *
 *-------------------------------------------------------------------------
 */
#include "hnsw/hnsw_map.h"

#include "am/am_row.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nv_random.h"
#include "nv_testpoint.h"
#include "port/pg_bitutils.h"
#include "simd/simd.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

/*
 * Entries of words: the bucket, from 1 on, times WORD_LEAST, and a hash that is less than
 * that; without bounds, a hash from WORD_LEAST on; or one of these.
 */
#define WORD_ABSENT 0
#define WORD_NULL 1
#define WORD_LEAST 64

StaticAssertDecl((HNSW_MOST_BOUNDS + 2) * WORD_LEAST <= PG_UINT16_MAX, "buckets are too many");

/*
 * Entries of sets: some bits for each element (Bloom, 1970), and these.  All bits of
 * elements are set where the image does not list them.
 */
#define SET_BITS_EACH 5
#define SET_ELEMENT_BITS 60
#define SET_ELEMENTS ((UINT64CONST(1) << SET_ELEMENT_BITS) - 1)
#define SET_PRESENT (UINT64CONST(1) << 63)
#define SET_NULL (UINT64CONST(1) << 62)

/* Bounds are learned from so many rows at least, and at most. */
#define FEW_ROWS 1000
#define MOST_ROWS 16384

/* Whether words of this kind of attribute have entries of two bytes. */
static inline bool
is_word(const HnswIndex *ix, int column)
{
	return ix->attributes.columns[column].type->kind != NV_ATTRIBUTE_SET;
}

/* Where the entries of an attribute begin in a page. */
static inline char *
entries_of(const HnswIndex *ix, Page page, int column)
{
	return NV_PAGE_CONTENTS(page) + ix->map.columns[column];
}

/* The header of a page. */
static inline HnswMapHeader *
header_of(Page page)
{
	return (HnswMapHeader *) NV_PAGE_CONTENTS(page);
}

/* Whether the entries of a page are by bounds. */
bool
hnsw_map_is_learned(Page page)
{
	return header_of(page)->learned != 0;
}

/* ---- bounds ---- */

/* The block that has the bounds of an attribute. */
static inline BlockNumber
bounds_block(const HnswIndex *ix, int column)
{
	return 1 + ix->meta.mean_pages + column;
}

/* The bounds of an attribute, which stay as they are from the time when they are learned. */
static const HnswBounds *
bounds_of(HnswIndex *ix, int column)
{
	HnswBounds *bounds = ix->bounds[column];
	Buffer		buffer;

	if (bounds != NULL && bounds->learned)
		return bounds;
	if (bounds == NULL)
		bounds = ix->bounds[column] = MemoryContextAlloc(ix->context, sizeof(HnswBounds));
	bounds->learned = 0;
	buffer = nv_read_buffer(ix->rel, bounds_block(ix, column));
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_BOUNDS);
	memcpy(bounds, NV_PAGE_CONTENTS(BufferGetPage(buffer)), sizeof(HnswBounds));
	UnlockReleaseBuffer(buffer);
	if (bounds->n > HNSW_MOST_BOUNDS)
		nv_index_damaged(ix->rel, "block %u has %u bounds", bounds_block(ix, column), bounds->n);
	return bounds;
}

/* Whether bounds were learned. */
bool
hnsw_map_learned(HnswIndex *ix)
{
	return bounds_of(ix, 0)->learned != 0;
}

/* The bounds by which the entries of an attribute were made in a page; NULL: by none. */
static const HnswBounds *
bounds_for(HnswIndex *ix, int column, bool learned)
{
	const HnswBounds *bounds;

	if (!learned || !is_word(ix, column))
		return NULL;
	bounds = bounds_of(ix, column);
	if (!bounds->learned)
		nv_index_damaged(ix->rel, "its map of attributes is by bounds that are not there");
	return bounds;
}

/* The least entry of a bucket: that of the first bound which is not less than a word. */
static uint16
bucket_of(const HnswBounds *bounds, uint64 word)
{
	int			low = 0,
				high = (int) bounds->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (bounds->words[middle] < word)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint16) ((low + 1) * WORD_LEAST);
}

/* Take as bounds the words that split n of them into equal parts. */
static void
learn(HnswBounds *bounds, uint64 *words, uint32 n)
{
	bounds->n = 0;
	qsort(words, n, sizeof(uint64), nv_compare_words);
	for (uint32 i = 0; i < HNSW_MOST_BOUNDS && n > 0; i++)
	{
		uint64		word = words[(uint64) (i + 1) * n / (HNSW_MOST_BOUNDS + 1)];

		if (bounds->n == 0 || bounds->words[bounds->n - 1] != word)
			bounds->words[bounds->n++] = word;
	}
}

/* Write bounds to their page. */
static void
write_bounds(HnswIndex *ix, int column, const HnswBounds *bounds)
{
	Buffer		buffer = nv_read_buffer(ix->rel, bounds_block(ix, column));
	NvChange	change;
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_BOUNDS);
	nv_change_begin(&change, ix->rel, ix->logged);
	page = nv_change_page(&change, buffer, false);
	memcpy(NV_PAGE_CONTENTS(page), bounds, sizeof(HnswBounds));
	nv_change_finish(&change);
	UnlockReleaseBuffer(buffer);
}

/* Learn bounds from images. */
void
hnsw_map_learn(HnswIndex *ix, char *const *images, uint32 n)
{
	uint64	   *words;

	if (ix->attributes.n == 0 || n < FEW_ROWS)
		return;
	words = palloc(sizeof(uint64) * n);
	/* that of the first says for all that they are learned, so it comes last */
	for (int i = ix->attributes.n - 1; i >= 0; i--)
	{
		HnswBounds	bounds = {.learned = 1};
		uint32		nwords = 0;

		for (uint32 k = 0; is_word(ix, i) && k < n; k++)
		{
			if (!nv_attribute_is_null(images[k], i))
				words[nwords++] = nv_attribute_word(&ix->attributes, images[k], i);
		}
		learn(&bounds, words, nwords);
		write_bounds(ix, i, &bounds);
	}
	pfree(words);
}

/* Say what is wrong with the bounds of an attribute; NULL: nothing. */
static const char *
bounds_problem(Page page, bool learned)
{
	const HnswBounds *bounds = (const HnswBounds *) NV_PAGE_CONTENTS(page);

	if (!nv_page_is(page, NV_PAGE_HNSW_BOUNDS))
		return "not a page of bounds";
	if (bounds->learned > 1 || (learned && !bounds->learned))
		return "it does not say whether bounds were learned";
	if (bounds->n > HNSW_MOST_BOUNDS)
		return "there are more bounds than can be";
	for (uint32 i = 1; i < bounds->n; i++)
	{
		if (bounds->words[i - 1] >= bounds->words[i])
			return "bounds are not in order";
	}
	return NULL;
}

/* Check the bounds of all attributes. */
bool
hnsw_map_check_bounds(HnswIndex *ix, NvReport *report)
{
	bool		learned = false;
	bool		good = true;

	for (int i = 0; i < ix->attributes.n; i++)
	{
		Buffer		buffer = nv_read_buffer(ix->rel, bounds_block(ix, i));
		PGAlignedBlock copy;
		const char *problem;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		/* those of the first are learned last, and say for all that they are */
		problem = bounds_problem(copy.data, learned);
		if (problem != NULL)
			nv_report_problem(report, bounds_block(ix, i), "%s", problem);
		good &= problem == NULL;
		if (i == 0 && good)
			learned = ((const HnswBounds *) NV_PAGE_CONTENTS(copy.data))->learned != 0;
	}
	return learned && good;
}

/* ---- entries ---- */

/* The entry of a word, by bounds or by none. */
static uint16
word_entry(const HnswBounds *bounds, uint64 word)
{
	uint64		hash = nv_mix(word) >> 32;

	if (bounds == NULL)
		return (uint16) (WORD_LEAST + hash % (PG_UINT16_MAX + 1 - WORD_LEAST));
	return (uint16) (bucket_of(bounds, word) + hash % WORD_LEAST);
}

/* The bits of elements, by their hashes. */
static uint64
element_bits(const uint16 *hashes, int n)
{
	uint64		bits = 0;

	for (int i = 0; i < n; i++)
	{
		uint64		random = nv_mix(hashes[i] + 1);

		for (int k = 0; k < SET_BITS_EACH; k++, random >>= 12)
			bits |= UINT64CONST(1) << ((random & 0xfff) % SET_ELEMENT_BITS);
	}
	return bits;
}

/* The entry of a set. */
static uint64
set_entry(const NvAttributeSet *set)
{
	return SET_PRESENT |
		(set->n == NV_SET_IS_BITS ? SET_ELEMENTS : element_bits(set->hashes, set->n));
}

/* The entry of an attribute, as a number of 8 bytes. */
static uint64
entry_of(HnswIndex *ix, bool learned, const char *image, int column)
{
	bool		null = image != NULL && nv_attribute_is_null(image, column);

	if (image == NULL)
		return WORD_ABSENT;
	if (is_word(ix, column))
		return null ? WORD_NULL :
			word_entry(bounds_for(ix, column, learned),
					   nv_attribute_word(&ix->attributes, image, column));
	else
	{
		NvAttributeSet set = nv_attribute_set(&ix->attributes, image, column);

		return null ? SET_NULL : set_entry(&set);
	}
}

/* Set the entries of place i of a page. */
static void
set_entries(HnswIndex *ix, Page page, uint32 i, const char *image)
{
	Assert(i < ix->map.entries);
	for (int c = 0; c < ix->attributes.n; c++)
	{
		uint64		entry = entry_of(ix, hnsw_map_is_learned(page), image, c);

		if (is_word(ix, c))
			((uint16 *) entries_of(ix, page, c))[i] = (uint16) entry;
		else
			((uint64 *) entries_of(ix, page, c))[i] = entry;
	}
}

/* The place of a slot's entries in their page. */
static inline uint32
place_of(const HnswIndex *ix, uint32 slot)
{
	return slot % hnsw_group_slots(&ix->meta);
}

/* Lock the page of a slot's entries. */
void
hnsw_map_begin(HnswIndex *ix, NvChange *change, uint32 slot, HnswMapChange *map)
{
	bool		fresh;

	map->buffer = InvalidBuffer;
	map->page = NULL;
	if (ix->attributes.n == 0)
		return;
	map->buffer = nv_read_buffer(ix->rel, hnsw_map_block(&ix->meta, slot));
	LockBuffer(map->buffer, BUFFER_LOCK_EXCLUSIVE);
	/* whoever adds it to the file leaves it to the first who needs it */
	fresh = PageIsNew(BufferGetPage(map->buffer));
	if (!fresh)
		nv_page_check(ix->rel, map->buffer, NV_PAGE_HNSW_MAP);
	map->page = nv_change_page(change, map->buffer, fresh);
	if (fresh)
	{
		nv_page_init(map->page, NV_PAGE_HNSW_MAP);
		header_of(map->page)->learned = hnsw_map_learned(ix);
	}
}

/* Set entries in the page that changes. */
void
hnsw_map_set(HnswIndex *ix, HnswMapChange *map, uint32 slot, const char *image)
{
	if (map->buffer != InvalidBuffer)
		set_entries(ix, map->page, place_of(ix, slot), image);
}

/* Unlock the page. */
void
hnsw_map_end(HnswMapChange *map)
{
	if (map->buffer != InvalidBuffer)
		UnlockReleaseBuffer(map->buffer);
}

/* Fill a page with the entries of a group. */
void
hnsw_map_fill(HnswIndex *ix, Page page, uint32 first, HnswImageOf image, void *arg)
{
	header_of(page)->learned = hnsw_map_learned(ix);
	for (uint32 i = 0; i < hnsw_group_slots(&ix->meta); i++)
		set_entries(ix, page, i, image(arg, first + i));
}

/* Compare the entries of a slot with its image. */
bool
hnsw_map_agrees(HnswIndex *ix, Page page, uint32 slot, const char *image)
{
	uint32		i = place_of(ix, slot);

	for (int c = 0; c < ix->attributes.n; c++)
	{
		const char *entries = entries_of(ix, page, c);

		if (entry_of(ix, hnsw_map_is_learned(page), image, c) !=
			(is_word(ix, c) ? ((const uint16 *) entries)[i] : ((const uint64 *) entries)[i]))
			return false;
	}
	return true;
}

/* ---- searching the map ---- */

/* A condition, as one on entries. */
typedef struct EntryTest
{
	int			column;
	bool		word;
	uint16		low;			/* of words: a range, */
	uint16		high;
	const uint8 *among;			/* or a bitmap of entries, if it is not NULL */
	uint64		mask;			/* of sets: these bits are these, */
	uint64		value;
	uint64	   *masks;			/* or all bits of one of these masks are set */
	int			nmasks;
} EntryTest;

/* A bitmap of the entries of some words. */
static const uint8 *
entries_among(const HnswBounds *bounds, const NvCondition *c)
{
	uint8	   *among = nv_bitmap_alloc(PG_UINT16_MAX);

	for (int i = 0; i < c->nwords; i++)
		nv_set_bit(among, word_entry(bounds, c->words[i]));
	return among;
}

/* Make a test of the entries of words. */
static void
test_words(EntryTest *test, const NvCondition *c, const HnswBounds *bounds)
{
	test->low = WORD_LEAST;
	test->high = PG_UINT16_MAX;
	if (c->kind == NV_CONDITION_NULL)
		test->low = test->high = WORD_NULL;
	else if (c->kind == NV_CONDITION_AMONG && c->nwords == 1)
		test->low = test->high = word_entry(bounds, c->words[0]);
	else if (c->kind == NV_CONDITION_AMONG)
		test->among = entries_among(bounds, c);
	else if (c->kind == NV_CONDITION_RANGE && c->low == c->high)
		test->low = test->high = word_entry(bounds, c->low);
	else if (c->kind == NV_CONDITION_RANGE && bounds != NULL)
	{
		test->low = bucket_of(bounds, c->low);
		test->high = bucket_of(bounds, c->high) + WORD_LEAST - 1;
	}
}

/* Where more elements than this are asked for, most sets would seem to have one. */
#define MOST_MASKS 16

/* Make a test of the entries of sets. */
static void
test_sets(EntryTest *test, const NvCondition *c)
{
	uint64		bits = element_bits(c->elements.hashes, c->elements.n);

	test->mask = test->value = SET_PRESENT;
	switch (c->kind)
	{
		case NV_CONDITION_NULL:
			test->mask = test->value = SET_NULL;
			break;
		case NV_CONDITION_OVERLAPS:
			if (c->elements.n > MOST_MASKS)
				break;
			test->masks = palloc(sizeof(uint64) * Max(c->elements.n, 1));
			test->nmasks = c->elements.n;
			for (int i = 0; i < c->elements.n; i++)
				test->masks[i] = element_bits(&c->elements.hashes[i], 1);
			break;
		case NV_CONDITION_CONTAINS:
		case NV_CONDITION_SAME:
			test->mask = test->value = bits | SET_PRESENT;
			break;
		default:
			break;
	}
}

/* Make the tests of a filter, for entries by bounds or by none. */
static EntryTest *
make_tests(HnswIndex *ix, const NvFilter *filter, bool learned)
{
	EntryTest  *tests = palloc0(sizeof(EntryTest) * Max(filter->n, 1));

	for (int i = 0; i < filter->n; i++)
	{
		const NvCondition *c = &filter->conditions[i];

		tests[i].column = c->column;
		tests[i].word = is_word(ix, c->column);
		if (tests[i].word)
			test_words(&tests[i], c, bounds_for(ix, c->column, learned));
		else
			test_sets(&tests[i], c);
	}
	return tests;
}

/* Which entries are in a bitmap. */
static void
mask_among(const uint16 *x, uint32 n, const uint8 *among, uint64 *bits)
{
	for (uint32 i = 0; i < n; i += 64)
	{
		uint64		word = 0;

		for (int k = 0; k < 64; k++)
			word |= (uint64) nv_bit(among, x[i + k]) << k;
		bits[i / 64] = word;
	}
}

/* Which entries have all bits of one of some masks. */
static void
mask_any(const uint64 *x, uint32 n, const EntryTest *test, uint64 *bits)
{
	uint64		more[HNSW_MAP_ENTRIES / 64];

	memset(bits, 0, n / 8);
	for (int i = 0; i < test->nmasks; i++)
	{
		nv_kern.mask_equal_u64(x, n, test->masks[i], test->masks[i], more);
		for (uint32 k = 0; k < n / 64; k++)
			bits[k] |= more[k];
	}
}

/* Which slots of a page pass a test. */
static void
run_test(const HnswIndex *ix, Page page, const EntryTest *test, uint64 *bits)
{
	const char *entries = entries_of(ix, page, test->column);
	uint32		n = ix->map.entries;

	if (test->among != NULL)
		mask_among((const uint16 *) entries, n, test->among, bits);
	else if (test->word)
		nv_kern.mask_range_u16((const uint16 *) entries, n, test->low, test->high, bits);
	else if (test->masks != NULL)
		mask_any((const uint64 *) entries, n, test, bits);
	else
		nv_kern.mask_equal_u64((const uint64 *) entries, n, test->mask, test->value, bits);
}

/* Which slots of a page pass all tests. */
static void
run_tests(const HnswIndex *ix, Page page, const EntryTest *tests, int n, uint64 *bits)
{
	uint64		more[HNSW_MAP_ENTRIES / 64];

	/* without conditions on attributes, any slot may hold a row */
	memset(bits, 0xff, sizeof(more));
	for (int i = 0; i < n; i++)
	{
		run_test(ix, page, &tests[i], more);
		for (uint32 k = 0; k < ix->map.entries / 64; k++)
			bits[k] &= more[k];
	}
}

/* Put bits into a bitmap that has zeros there, from any bit on; returns how many are set. */
static uint32
put_bits(uint8 *bitmap, uint32 first, const uint64 *bits, uint32 n)
{
	uint32		set = 0;

	for (uint32 i = 0; i < n; i += 64)
	{
		uint32		at = first + i;
		uint64		word = bits[i / 64];

		/* places behind the slots of the group are never filled */
		if (n - i < 64)
			word &= (UINT64CONST(1) << (n - i)) - 1;
		if (word == 0)
			continue;
		set += pg_popcount64(word);
		nv_set_bitmap_word(bitmap, at - at % 8, word << (at % 8));
		if (at % 8 > 0)
			bitmap[at / 8 + 8] |= (uint8) (word >> (64 - at % 8));
	}
	return set;
}

/* Look through all pages of the map. */
void
hnsw_map_search(HnswIndex *ix, const NvFilter *filter, HnswPassing *passing)
{
	uint32		group;
	EntryTest  *plain;
	EntryTest  *learned = NULL;

	memset(passing, 0, sizeof(*passing));
	if (filter->never)
		return;
	group = hnsw_group_slots(&ix->meta);
	plain = make_tests(ix, filter, false);
	passing->nslots = hnsw_count_slots(ix);
	/* put_bits() writes words */
	passing->slots = nv_bitmap_alloc(passing->nslots + group + 128);
	for (uint32 first = 0; first < passing->nslots; first += group)
	{
		Buffer		buffer = nv_read_buffer(ix->rel, hnsw_map_block(&ix->meta, first));
		Page		page = BufferGetPage(buffer);
		uint64		bits[HNSW_MAP_ENTRIES / 64];

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (PageIsNew(page))
		{
			UnlockReleaseBuffer(buffer);
			continue;
		}
		nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_MAP);
		if (hnsw_map_is_learned(page) && learned == NULL)
			learned = make_tests(ix, filter, true);
		run_tests(ix, page, hnsw_map_is_learned(page) ? learned : plain, filter->n, bits);
		UnlockReleaseBuffer(buffer);
		passing->n += put_bits(passing->slots, first, bits, group);
	}
}

/* ---- learning later ---- */

/* Copy the images of level 0, of about MOST_ROWS nodes. */
static char **
sample_images(HnswIndex *ix, uint32 *n)
{
	uint32		nslots = hnsw_count_slots(ix);
	uint32		step = Max(nslots / MOST_ROWS, 1);
	char	  **images = palloc(sizeof(char *) * (nslots / step + 1));

	*n = 0;
	for (uint32 slot = 0; slot < nslots; slot += step)
	{
		HnswRef		ref;

		NV_VACUUM_DELAY_POINT();
		if (!hnsw_read(ix, slot, &ref))
			continue;
		if (ref.node->level == 0)
		{
			images[*n] = palloc(ix->meta.attribute_bytes);
			memcpy(images[(*n)++], HNSW_IMAGE(&ix->layout, ref.node), ix->meta.attribute_bytes);
		}
		hnsw_release(&ref);
	}
	return images;
}

/* Make the entries of a page anew, by bounds.  No insert runs meanwhile. */
static void
improve_page(HnswIndex *ix, uint32 first)
{
	uint32		group = hnsw_group_slots(&ix->meta);
	Size		bytes = ix->meta.attribute_bytes;
	char	   *images = palloc(bytes * group);
	bool	   *there = palloc0(sizeof(bool) * group);
	uint32		nslots = hnsw_count_slots(ix);
	NvChange	change;
	HnswMapChange map;

	for (uint32 i = 0; i < group && first + i < nslots; i++)
	{
		HnswRef		ref;

		if (!hnsw_read(ix, first + i, &ref))
			continue;
		there[i] = ref.node->level == 0;
		if (there[i])
			memcpy(images + i * bytes, HNSW_IMAGE(&ix->layout, ref.node), bytes);
		hnsw_release(&ref);
	}
	nv_change_begin(&change, ix->rel, ix->logged);
	hnsw_map_begin(ix, &change, first, &map);
	header_of(map.page)->learned = 1;
	for (uint32 i = 0; i < group; i++)
		set_entries(ix, map.page, i, there[i] ? images + i * bytes : NULL);
	nv_change_finish(&change);
	hnsw_map_end(&map);
	pfree(images);
	pfree(there);
}

/* Whether the entries of a page are not by bounds. */
static bool
may_improve(HnswIndex *ix, uint32 first)
{
	Buffer		buffer = nv_read_buffer(ix->rel, hnsw_map_block(&ix->meta, first));
	bool		old;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	old = !PageIsNew(BufferGetPage(buffer));
	if (old)
	{
		nv_page_check(ix->rel, buffer, NV_PAGE_HNSW_MAP);
		old = !hnsw_map_is_learned(BufferGetPage(buffer));
	}
	UnlockReleaseBuffer(buffer);
	return old;
}

/* Learn bounds if there are none, and use them everywhere: a crash may have come between. */
static void
improve(Relation rel)
{
	HnswIndex	ix;

	hnsw_open(&ix, rel);
	if (!hnsw_map_learned(&ix))
	{
		uint32		n;
		char	  **images = sample_images(&ix, &n);

		NV_TEST_POINT("map_sampled");
		LockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
		NV_TEST_POINT("map_learns");
		hnsw_map_learn(&ix, images, n);
		UnlockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
	}
	if (!hnsw_map_learned(&ix))
		return;
	NV_TEST_POINT("map_learned");
	for (uint32 first = 0; first < hnsw_count_slots(&ix); first += hnsw_group_slots(&ix.meta))
	{
		NV_VACUUM_DELAY_POINT();
		if (!may_improve(&ix, first))
			continue;
		LockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
		improve_page(&ix, first);
		UnlockPage(rel, HNSW_UPDATE_LOCK, ExclusiveLock);
		NV_TEST_POINT("map_page_improved");
	}
}

/* Do so in memory of its own. */
void
hnsw_map_improve(Relation rel)
{
	MemoryContext context;
	MemoryContext old;

	if (IndexRelationGetNumberOfKeyAttributes(rel) == NV_VECTOR_COLUMN)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "hnsw map", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	improve(rel);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
