/*-------------------------------------------------------------------------
 *
 * fuzz_recv.c
 *		Sends random and mutated binary values to a server, as any client
 *		may, and checks what comes back.
 *
 * usage: fuzz_recv CONNINFO TYPE COUNT SEED
 *
 * Each of COUNT values goes to the receive function of TYPE as a binary
 * parameter.  It must be refused with an error about the data, or come back
 * from the send function as the same bytes and survive a trip through its
 * text form.  Prints how many were accepted and refused; exit status 1 at the
 * first value that broke a rule, which is printed in hex.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#define MAX_BYTES (1 << 18)

static uint64_t random_state;

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators" */
static uint64_t
next_random(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(2685821657736338717);
}

static int
random_below(int n)
{
	return (int) (next_random() % (uint64_t) n);
}

typedef struct Value
{
	unsigned char bytes[MAX_BYTES];
	int			size;
} Value;

/* Append an integer of size bytes, high byte first. */
static void
put(Value *v, uint32_t x, int size)
{
	for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
		v->bytes[v->size++] = (unsigned char) (x >> shift);
}

/* A float's bits: mostly ordinary, now and then special. */
static uint32_t
random_float(void)
{
	static const uint32_t special[] = {
		0, 0x80000000, 1, 0x007fffff, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
		0x7fc00000, 0x7f800001, 0x3f800000, 0x477fe000, 0x477ff000
	};

	if (random_below(40) == 0)
		return special[random_below((int) (sizeof(special) / sizeof(special[0])))];
	/* exponent from 2^-16 to 2^15 */
	return (uint32_t) (next_random() & 0x807fffff) | (uint32_t) (111 + random_below(32)) << 23;
}

static int
random_dim(void)
{
	return random_below(1000) == 0 ? 16000 - random_below(3) : 1 + random_below(20);
}

static void
make_dense(Value *v, int element_size)
{
	int			dim = random_dim();

	put(v, (uint32_t) dim, 2);
	put(v, 0, 2);
	for (int i = 0; i < dim; i++)
		put(v, element_size == 4 ? random_float() : (uint32_t) random_below(0x7c00), element_size);
}

static void
make_sq8vec(Value *v)
{
	int			dim = random_dim();

	put(v, (uint32_t) dim, 2);
	put(v, random_below(2) ? 128 : 0, 2);
	put(v, random_float() & 0x7fffffff, 4);
	put(v, random_float(), 4);
	for (int i = 0; i < dim; i++)
		put(v, (uint32_t) random_below(256), 1);
}

static void
make_sparsevec(Value *v)
{
	int			nnz = random_below(20);
	int			index = -1;

	put(v, (uint32_t) (nnz * 50 + 1 + random_below(1000)), 4);
	put(v, (uint32_t) nnz, 4);
	put(v, 0, 4);
	for (int i = 0; i < nnz; i++)
		put(v, (uint32_t) (index += 1 + random_below(50)), 4);
	for (int i = 0; i < nnz; i++)
		put(v, random_float() | 1, 4);
}

static void
make_bm25stats(Value *v)
{
	int			lexemes = random_below(20);
	int			documents = 2 + random_below(1000);

	put(v, 0, 4);
	put(v, (uint32_t) documents, 4);
	put(v, (uint32_t) random_below(10), 4);
	put(v, (uint32_t) next_random(), 4);
	put(v, (uint32_t) lexemes, 4);
	for (int i = 0; i < lexemes; i++)
	{
		int			bytes = 1 + random_below(5);

		put(v, 0, 4);
		put(v, (uint32_t) (2 + random_below(documents - 1)), 4);
		put(v, (uint32_t) bytes, 4);
		/* in ascending order by the first */
		put(v, (uint32_t) ('!' + 4 * i + random_below(4)), 1);
		for (int b = 1; b < bytes; b++)
			put(v, (uint32_t) (' ' + random_below(95)), 1);
	}
}

static void
make_valid(Value *v, const char *type)
{
	v->size = 0;
	if (strcmp(type, "vector") == 0)
		make_dense(v, 4);
	else if (strcmp(type, "halfvec") == 0)
		make_dense(v, 2);
	else if (strcmp(type, "sq8vec") == 0)
		make_sq8vec(v);
	else if (strcmp(type, "bm25stats") == 0)
		make_bm25stats(v);
	else
		make_sparsevec(v);
}

/* Overwrite a field of 2 or 4 bytes with a number that programs trip over. */
static void
mutate_field(Value *v)
{
	static const uint32_t nasty[] = {
		0, 1, 2, 127, 128, 255, 256, 16000, 16001, 0x7fff, 0x8000, 0xffff, 1000000000, 1000000001,
		0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff
	};
	int			size = random_below(2) ? 2 : 4;
	int			end = v->size;

	if (v->size < size)
		return;
	/* the fields at the start are the interesting ones */
	v->size = random_below(2) ? 2 * random_below(8) : random_below(end - size + 1);
	if (v->size + size <= end)
		put(v, nasty[random_below((int) (sizeof(nasty) / sizeof(nasty[0])))], size);
	v->size = end;
}

static void
mutate(Value *v)
{
	switch (random_below(5))
	{
		case 0:					/* flip a bit */
			if (v->size > 0)
				v->bytes[random_below(v->size)] ^= (unsigned char) (1 << random_below(8));
			break;
		case 1:					/* cut off */
			v->size = random_below(v->size + 1);
			break;
		case 2:					/* add bytes */
			for (int n = 1 + random_below(8); n > 0; n--)
				put(v, (uint32_t) random_below(256), 1);
			break;
		default:
			mutate_field(v);
	}
}

static void
make_value(Value *v, const char *type)
{
	int			kind = random_below(10);

	make_valid(v, type);
	if (kind == 0)				/* nothing but noise */
	{
		v->size = random_below(64);
		for (int i = 0; i < v->size; i++)
			v->bytes[i] = (unsigned char) next_random();
	}
	for (; kind > 3; kind -= 3)
		mutate(v);
}

static void
fail(const Value *v, const char *why)
{
	printf("%s\nvalue: ", why);
	for (int i = 0; i < v->size && i < 200; i++)
		printf("%02x", v->bytes[i]);
	printf(" (%d bytes)\n", v->size);
	exit(1);
}

/* An error may say that data is wrong or too large; nothing else. */
static int
is_data_error(const char *state)
{
	return state != NULL &&
		(strncmp(state, "22", 2) == 0 || strncmp(state, "54", 2) == 0 ||
		 strcmp(state, "08P01") == 0);
}

static PGresult *
send_value(PGconn *conn, const char *statement, const Value *v)
{
	const char *values[1] = {(const char *) v->bytes};
	const int	lengths[1] = {v->size};
	const int	formats[1] = {1};

	return PQexecPrepared(conn, statement, 1, values, lengths, formats, 1);
}

/* True if the value was accepted. */
static int
check_value(PGconn *conn, const Value *v)
{
	PGresult   *result = send_value(conn, "echo", v);
	int			accepted = PQresultStatus(result) == PGRES_TUPLES_OK;

	if (!accepted)
	{
		if (!is_data_error(PQresultErrorField(result, PG_DIAG_SQLSTATE)))
			fail(v, PQerrorMessage(conn));
		PQclear(result);
		return 0;
	}
	if (PQgetlength(result, 0, 0) != v->size ||
		memcmp(PQgetvalue(result, 0, 0), v->bytes, (size_t) v->size) != 0)
		fail(v, "a value came back changed");
	PQclear(result);

	result = send_value(conn, "text", v);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail(v, PQerrorMessage(conn));
	if (PQgetvalue(result, 0, 0)[0] != 1)
		fail(v, "a value's text form reads back as something else");
	PQclear(result);
	return 1;
}

static void
prepare(PGconn *conn, const char *name, const char *format, const char *type)
{
	char		sql[512];
	PGresult   *result;

	snprintf(sql, sizeof(sql), format, type, type, type, type, type, type);
	result = PQprepare(conn, name, sql, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		exit(2);
	}
	PQclear(result);
}

int
main(int argc, char **argv)
{
	static Value value;
	PGconn	   *conn;
	int			accepted = 0;
	int			count;

	if (argc != 5)
	{
		fprintf(stderr, "usage: fuzz_recv CONNINFO TYPE COUNT SEED\n");
		return 2;
	}
	count = atoi(argv[3]);
	random_state = strtoull(argv[4], NULL, 10) * 2 + 1;
	conn = PQconnectdb(argv[1]);
	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "%s", PQerrorMessage(conn));
		return 2;
	}
	prepare(conn, "echo", "SELECT $1::%s", argv[2]);
	/* the same bytes again, which also tells -0 from 0 */
	prepare(conn, "text", "SELECT %s_send($1::%s::text::%s) = %s_send($1::%s)", argv[2]);

	for (int i = 0; i < count; i++)
	{
		make_value(&value, argv[2]);
		accepted += check_value(conn, &value);
	}
	printf("%s: %d accepted, %d refused\n", argv[2], accepted, count - accepted);
	PQfinish(conn);
	return 0;
}
