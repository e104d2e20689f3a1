/*-------------------------------------------------------------------------
 *
 * bench_client.c
 *		Asks a server for nearest neighbours as fast as it answers, and
 *		records each latency.
 *
 * A prepared statement with one parameter, sent and answered in binary: what
 * a driver written in C would do, so that the client is not what is measured.
 *
 * usage: bench_client [OPTION ...] CONNINFO
 *	-s SQL		statement; $1 is the query vector, the first column an integer id
 *	-q FILE		queries: int32 n, int32 dims, float4[n][dims] in host order;
 *				without it the statement has no parameter
 *	-t TYPE		vector or halfvec, the parameter's binary form (default vector)
 *	-i SQL		run once per connection before the statement; may be repeated
 *	-k K		ids kept per query (default 10)
 *	-c CLIENTS	connections, each in a thread of its own (default 1)
 *	-w PASSES	untimed passes over all queries on each connection (default 1)
 *	-n PASSES	timed passes (default 1)
 *	-o FILE		results: int32 n, int32 k, int64 ids[n][k] (-1 where there was no
 *				row) of the first connection, then int64 m, double seconds of
 *				all timed passes of the slowest connection, double latency[m] in
 *				microseconds
 *
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_CLIENTS 64
#define MAX_SETUP 16

typedef struct Options
{
	const char *conninfo;
	const char *statement;
	const char *setup[MAX_SETUP];
	int			num_setup;
	int			halfvec;
	int			k;
	int			clients;
	int			warm_passes;
	int			passes;
	/* queries, encoded as binary parameters of parameter_size bytes each */
	int			num_queries;
	int			parameter_size;
	char	   *parameters;
	pthread_barrier_t start;
} Options;

typedef struct Client
{
	pthread_t	thread;
	Options    *options;
	int64_t    *ids;			/* num_queries x k, or NULL */
	double	   *latency;		/* passes x num_queries, in microseconds */
	double		seconds;
} Client;

static void
die(const char *what, const char *detail)
{
	fprintf(stderr, "bench_client: %s: %s\n", what, detail);
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

/* IEEE binary16 of a float in the normal range; the rest becomes 0 or the limit. */
static uint16_t
to_half(float x)
{
	uint32_t	bits;
	uint32_t	magnitude;

	memcpy(&bits, &x, sizeof(bits));
	magnitude = bits & 0x7fffffff;
	if (magnitude < 0x38800000)
		return (uint16_t) ((bits >> 16) & 0x8000);
	if (magnitude >= 0x477ff000)
		return (uint16_t) (((bits >> 16) & 0x8000) | 0x7bff);
	magnitude += 0xfff + ((magnitude >> 13) & 1);
	return (uint16_t) (((bits >> 16) & 0x8000) | ((magnitude - 0x38000000) >> 13));
}

/* Encode one query in the binary form of vector or halfvec. */
static void
encode_query(const float *query, int dims, int halfvec, char *out)
{
	uint16_t	header[2] = {htons((uint16_t) dims), 0};

	memcpy(out, header, sizeof(header));
	out += sizeof(header);
	for (int i = 0; i < dims; i++)
	{
		if (halfvec)
		{
			uint16_t	element = htons(to_half(query[i]));

			memcpy(out + 2 * i, &element, 2);
		}
		else
		{
			uint32_t	element;

			memcpy(&element, &query[i], 4);
			element = htonl(element);
			memcpy(out + 4 * i, &element, 4);
		}
	}
}

static void
load_queries(Options *o, const char *name)
{
	FILE	   *file = fopen(name, "rb");
	int32_t		head[2];
	float	   *query;

	if (file == NULL || fread(head, sizeof(int32_t), 2, file) != 2 || head[0] < 1 || head[1] < 1)
		die("can't read queries", name);
	o->num_queries = head[0];
	o->parameter_size = 4 + head[1] * (o->halfvec ? 2 : 4);
	o->parameters = malloc((size_t) o->num_queries * (size_t) o->parameter_size);
	query = malloc((size_t) head[1] * sizeof(float));
	for (int i = 0; i < o->num_queries; i++)
	{
		if (fread(query, sizeof(float), (size_t) head[1], file) != (size_t) head[1])
			die("too few queries", name);
		encode_query(query, head[1], o->halfvec, o->parameters + (size_t) i * o->parameter_size);
	}
	free(query);
	fclose(file);
}

static PGconn *
open_connection(const Options *o)
{
	PGconn	   *conn = PQconnectdb(o->conninfo);
	PGresult   *result;

	if (PQstatus(conn) != CONNECTION_OK)
		die("connection failed", PQerrorMessage(conn));
	for (int i = 0; i < o->num_setup; i++)
	{
		result = PQexec(conn, o->setup[i]);
		if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
			die(o->setup[i], PQerrorMessage(conn));
		PQclear(result);
	}
	result = PQprepare(conn, "q", o->statement, 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(o->statement, PQerrorMessage(conn));
	PQclear(result);
	return conn;
}

/* Run query i; returns microseconds, and the ids of the answer if asked. */
static double
run_query(PGconn *conn, const Options *o, int i, int64_t *ids)
{
	const char *value = o->parameters + (size_t) i * o->parameter_size;
	const int	format = 1;
	double		start = now();
	double		elapsed;
	PGresult   *result = PQexecPrepared(conn, "q", o->parameters != NULL, &value,
										&o->parameter_size, &format, 1);

	elapsed = (now() - start) * 1e6;
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		die(o->statement, PQerrorMessage(conn));
	for (int row = 0; ids != NULL && row < o->k; row++)
	{
		uint32_t	part[2] = {0, 0};

		ids[row] = -1;
		if (row >= PQntuples(result))
			continue;
		if (PQgetlength(result, row, 0) == 4)
		{
			memcpy(&part[1], PQgetvalue(result, row, 0), 4);
			ids[row] = (int32_t) ntohl(part[1]);
		}
		else if (PQgetlength(result, row, 0) == 8)
		{
			memcpy(part, PQgetvalue(result, row, 0), 8);
			ids[row] = (int64_t) ((uint64_t) ntohl(part[0]) << 32 | ntohl(part[1]));
		}
		else
			die(o->statement, "the first column must be an integer or bigint");
	}
	PQclear(result);
	return elapsed;
}

static void *
run_client(void *arg)
{
	Client	   *client = arg;
	Options    *o = client->options;
	PGconn	   *conn = open_connection(o);
	double		start;
	double	   *latency = client->latency;

	for (int pass = 0; pass < o->warm_passes; pass++)
	{
		for (int i = 0; i < o->num_queries; i++)
			run_query(conn, o, i, NULL);
	}

	/* the clients start together, and on different queries */
	pthread_barrier_wait(&o->start);
	start = now();
	for (int pass = 0; pass < o->passes; pass++)
	{
		int			shift = (int) ((long) (client->ids == NULL) * random() % o->num_queries);

		for (int n = 0; n < o->num_queries; n++)
		{
			int			i = (n + shift) % o->num_queries;

			*latency++ = run_query(conn, o, i,
								   client->ids != NULL && pass == 0 ?
								   client->ids + (size_t) i * o->k : NULL);
		}
	}
	client->seconds = now() - start;
	PQfinish(conn);
	return NULL;
}

static void
write_results(const Options *o, const Client *clients, const char *name)
{
	FILE	   *file = fopen(name, "wb");
	int32_t		head[2] = {o->num_queries, o->k};
	size_t		per_client = (size_t) o->passes * (size_t) o->num_queries;
	int64_t		total = (int64_t) per_client * o->clients;
	double		seconds = 0;

	if (file == NULL)
		die("can't write", name);
	for (int c = 0; c < o->clients; c++)
		seconds = clients[c].seconds > seconds ? clients[c].seconds : seconds;
	fwrite(head, sizeof(int32_t), 2, file);
	fwrite(clients[0].ids, sizeof(int64_t), (size_t) o->num_queries * (size_t) o->k, file);
	fwrite(&total, sizeof(total), 1, file);
	fwrite(&seconds, sizeof(seconds), 1, file);
	for (int c = 0; c < o->clients; c++)
		fwrite(clients[c].latency, sizeof(double), per_client, file);
	if (fclose(file) != 0)
		die("can't write", name);
}

static void
parse_options(int argc, char **argv, Options *o, const char **queries, const char **out)
{
	int			c;

	while ((c = getopt(argc, argv, "s:q:t:i:k:c:w:n:o:")) != -1)
	{
		switch (c)
		{
			case 's':
				o->statement = optarg;
				break;
			case 'q':
				*queries = optarg;
				break;
			case 't':
				o->halfvec = strcmp(optarg, "halfvec") == 0;
				break;
			case 'i':
				if (o->num_setup == MAX_SETUP)
					die("too many", "-i");
				o->setup[o->num_setup++] = optarg;
				break;
			case 'k':
				o->k = atoi(optarg);
				break;
			case 'c':
				o->clients = atoi(optarg);
				break;
			case 'w':
				o->warm_passes = atoi(optarg);
				break;
			case 'n':
				o->passes = atoi(optarg);
				break;
			case 'o':
				*out = optarg;
				break;
			default:
				exit(2);
		}
	}
	if (optind != argc - 1 || o->statement == NULL || *out == NULL || o->k < 1 ||
		o->clients < 1 || o->clients > MAX_CLIENTS || o->passes < 1)
		die("usage", "bench_client -s SQL -o FILE [-q FILE] [OPTION ...] CONNINFO");
	o->conninfo = argv[optind];
}

int
main(int argc, char **argv)
{
	static Options o = {.k = 10, .clients = 1, .warm_passes = 1, .passes = 1};
	static Client clients[MAX_CLIENTS];
	const char *queries = NULL;
	const char *out = NULL;

	parse_options(argc, argv, &o, &queries, &out);
	if (queries != NULL)
		load_queries(&o, queries);
	else
		o.num_queries = 1000;

	pthread_barrier_init(&o.start, NULL, (unsigned) o.clients);
	for (int c = 0; c < o.clients; c++)
	{
		clients[c].options = &o;
		if (c == 0)
			clients[c].ids = malloc((size_t) o.num_queries * (size_t) o.k * sizeof(int64_t));
		clients[c].latency = malloc((size_t) o.passes * (size_t) o.num_queries * sizeof(double));
		if (pthread_create(&clients[c].thread, NULL, run_client, &clients[c]) != 0)
			die("can't start", "a thread");
	}
	for (int c = 0; c < o.clients; c++)
		pthread_join(clients[c].thread, NULL);
	write_results(&o, clients, out);
	return 0;
}
