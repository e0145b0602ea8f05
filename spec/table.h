/* spec/table.h: how a JSON object becomes a C struct, as tables.
 *
 * A struct spec_table describes one kind of object: each field names a JSON
 * key, what it must be, and where it goes. spec/table.c interprets them. Only
 * this room includes this header.
 */
#ifndef RF_SPEC_TABLE_H
#define RF_SPEC_TABLE_H

#include "common/arena.h"
#include "common/err.h"
#include "spec/json.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spec_kind {
	SPEC_STRING,  /* const char * */
	SPEC_STRINGS, /* struct spec_strings */
	SPEC_PAIRS,   /* struct spec_pairs: an object of strings */
	SPEC_BOOL,    /* bool */
	SPEC_OBOOL,   /* struct opt_bool */
	SPEC_I32,     /* int32_t */
	SPEC_I64,     /* int64_t */
	SPEC_U32,     /* uint32_t */
	SPEC_U64,     /* uint64_t */
	SPEC_OI64,    /* struct opt_i64 */
	SPEC_OU64,    /* struct opt_u64 */
	SPEC_U32S,    /* struct spec_u32s */
	SPEC_ENUM,    /* an enum whose first word is 1 */
	SPEC_LETTER,  /* char: a word of one letter */
	SPEC_OBJECT,  /* a struct by sub-table; at offset 0 it spreads into the parent */
	SPEC_LIST,    /* {T *items; size_t n}: an array of objects */
	SPEC_MAP,     /* the same from an object: each key goes to the sub-table's key_at */
	SPEC_COUNT,   /* size_t: only the number of an array's elements is kept */
	SPEC_IGNORED, /* an object that is for other platforms; only its presence counts */
	SPEC_KINDS
};

/* NULL when s is well shaped, else what is wrong ("must be …"). */
typedef const char *(*spec_shape)(const char *s);

struct spec_table;
struct spec_field {
	const char *name;
	enum spec_kind kind;
	bool required;
	bool ranged;    /* min and max hold; otherwise the kind's own range does */
	size_t at;      /* offset in the table's struct */
	size_t present; /* 1 + offset of a bool that becomes true when the key is there; 0: none */
	const struct spec_table *sub;
	const char *const *words; /* strings must be one of these, NULL-terminated */
	spec_shape shape;
	int64_t min;
	uint64_t max;
};

struct spec_table {
	const struct spec_field *fields;
	size_t n, size; /* number of fields; size of the struct, for lists */
	size_t key_at;  /* SPEC_MAP: offset of the const char * that takes the key */
	bool closed;    /* unknown keys are errors: what they ask for can't be ignored */
	void (*finish)(void *object); /* derives fields from others */
};

#define SPEC_FIELD(T, member, json, k, ...)                                           \
	{                                                                             \
		.name = (json), .kind = (k), .at = offsetof(T, member), ##__VA_ARGS__ \
	}
#define SPEC_REQUIRED .required = true
#define SPEC_SUB(t) .sub = &(t)
#define SPEC_RANGE(lo, hi) .ranged = true, .min = (lo), .max = (hi)
#define SPEC_PRESENT(T, member) .present = 1 + offsetof(T, member)
#define SPEC_TABLE(T, f, ...)                                                                    \
	{                                                                                        \
		.fields = (f), .n = sizeof(f) / sizeof((f)[0]), .size = sizeof(T), ##__VA_ARGS__ \
	}

/* Shapes that several tables use (spec/table_shape.c). */
const char *spec_shape_nonempty(const char *s);
const char *spec_shape_cpulist(const char *s);
const char *spec_shape_pagesize(const char *s);
const char *spec_shape_mb(const char *s);
const char *spec_shape_rlimit(const char *s);
const char *spec_shape_access(const char *s);
const char *spec_shape_line(const char *s);

/* The roots, and tables that more than one file uses. */
extern const struct spec_table spec_table_config, spec_table_process, spec_table_linux,
	spec_table_resources, spec_table_seccomp, spec_table_vm, spec_table_id_map;
extern const char *const spec_ns_words[];

/* Fills *object (zeroed by the caller) from the document's root. Unknown keys go to *unknown and
 * *n_unknown, which may be NULL. ERR_SPEC. */
int spec_table_read(struct arena *a, const char *name, const struct json *root,
		    const struct spec_table *t, void *object, struct spec_unknown **ret_unknown,
		    size_t *ret_n_unknown, struct err *e);

/* Where a document came from: kept beside the structs so that later checks can name positions.
 * Opaque to the rooms above. */
struct spec_source {
	const char *name;
	const struct json *root;
};

#endif
