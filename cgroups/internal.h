/* cgroups/internal.h: what the files of this room share, and nobody else sees.
 *
 * Invariants
 *  1. Every struct cg_group points at a struct cg_full, every struct cg_layout at a
 *     struct cg_host; only this room makes them.
 *  2. A path of a group has at least one component, none of them "." or "..": an
 *     operation on a group can never mean a hierarchy's root.
 *  3. The functions under "pure" touch nothing but memory, for the unit tests.
 */
#ifndef RF_CGROUPS_INTERNAL_H
#define RF_CGROUPS_INTERNAL_H

#include "cgroups/cgroup.h"

#include <stdint.h>

#define CG_DEFAULT_PARENT "ringfence"
/* The mark of a parent directory that we made. cgroupfs keeps extended attributes of the trusted
 * class on v1 and v2 (xattr(7)); they die with the directory. */
#define CG_MARK "trusted.ringfence.made"

struct cg_full;
struct cg_unit; /* unit_group.c: what a unit of systemd is made of */

struct cg_host {
	struct cg_layout pub; /* first */
	struct cg_full *groups;
};

struct cg_full {
	struct cg_group pub;  /* first */
	const char **dirs;    /* absolute path of the group, by hierarchy */
	bool v2_new;          /* made by us: nothing is attached to it */
	bool v2_parent_new;   /* and its parent, which hands nothing down yet */
	bool *is_void;        /* could not be made and need not be (rootless): CG_NOWHERE */
	struct cg_unit *unit; /* to be made, or NULL */
	struct cg_full *next;
};

static inline struct cg_full *cg_full_of(struct cg_group *g)
{
	return (struct cg_full *)g;
}

/* --- pure: discover.c, group.c --- */
/* Octal escapes of mountinfo (\040 …), in place. */
void cg_unescape(char *s);
int cg_parse(struct arena *a, const char *mountinfo, const char *self,
	     struct cg_layout **ret_layout, struct err *e);
/* The group's path as recorded, for every hierarchy: "/a/b", or with exceptions
 * "/a/b;memory=/x/a/b". `want` absolute or relative to each hierarchy's own group. */
int cg_path_record(struct arena *a, const struct cg_layout *l, const char *want,
		   const char **ret_path, struct err *e);
/* Its share for one hierarchy, from the arena; "": none. */
const char *cg_path_in(struct arena *a, const struct cg_hierarchy *h, const char *recorded);
bool cg_path_valid(const char *path);
/* What a recorded path calls the hierarchy. */
const char *cg_path_key(struct arena *a, const struct cg_hierarchy *h);
/* Length of what two paths have in common, whole components. */
size_t cg_common_length(const char *a, const char *b);
/* True when the comma list ",a,b," has the word. */
bool cg_list_has(const char *list, const char *word);
/* Index of the v2 hierarchy or -1. */
int cg_v2_index(const struct cg_layout *l);

/* --- io.c: one file of a group --- */
/* open, one write, close. Returns 0 or a negative errno, no message. */
int cg_write(const char *dir, const char *file, const char *data);
/* Reads at most size-1 bytes, terminated, trailing newline cut. Length or negative errno. */
long cg_read(const char *dir, const char *file, char *buf, size_t size);
/* Milliseconds of the monotonic clock. */
int64_t cg_now_ms(void);

/* --- values.c: what is written where (pure) --- */
struct cg_value {
	const char *pointer; /* JSON pointer that asked */
	size_t hier;         /* index into the layout */
	const char *file, *data;
	const char *alt_file, *alt_data; /* tried when `file` doesn't exist, or NULL */
	bool neutral;    /* asks for what holds anyway: a missing file is no failure */
	bool keep_first; /* "? rest": the question mark stands for the file's first word */
	unsigned chain;  /* != 0: neighbours with this number are written in whatever order the
			    kernel takes them */
};
struct cg_values {
	struct cg_value *items;
	size_t n, cap;
};
struct cg_ask {
	const struct spec_resources *r;
	const char *prefix; /* "/linux/resources", or "" for a resources document */
	bool update;        /* fields that are zero mean "unchanged" */
	bool rootless;      /* device rules that can't be applied are left out */
	bool pids_zero;     /* pids.limit 0 is a limit (spec 1.3), not its absence */
};
int cg_values_build(struct arena *a, const struct cg_layout *l, const struct cg_ask *ask,
		    struct cg_values *ret_values, struct err *e);
/* cpu.shares (2 to 262144) as cpu.weight (1 to 10000). */
uint64_t cg_shares_to_weight(uint64_t shares);
/* blkio weight (10 to 1000) as io.weight (1 to 10000). */
uint64_t cg_blkio_to_io_weight(uint64_t weight);

/* --- stats_parse.c: texts of control files (pure). Bad lines are left out. --- */
/* One number, "max" as the largest. */
bool cg_parse_u64(const char *text, uint64_t *ret_v);
/* The number in the line "key number". */
bool cg_parse_key(const char *text, const char *key, uint64_t *ret_v);
int cg_parse_flat(struct arena *a, const char *text, struct cg_counter **ret_items, size_t *ret_n);
/* The column'th of the blank-separated numbers of each line; with lines false, all of them. */
int cg_parse_columns(struct arena *a, const char *text, bool lines, size_t column,
		     struct cg_u64s *ret);
/* "0-2,5", at most 65536 numbers. */
int cg_parse_list(struct arena *a, const char *text, struct cg_u64s *ret);
/* Lines "8:0 Read 512"; v2: lines "8:0 rbytes=1 wbytes=2 …" for three keys. */
int cg_parse_blkio(struct arena *a, const char *text, struct cg_io_list *ret);
int cg_parse_io_stat(struct arena *a, const char *text, const char *const keys[3],
		     struct cg_io_list *ret);
void cg_parse_pressure(const char *text, struct cg_pressure *ret);

/* --- device rules: device_rules.c (pure), device_v1.c, device_bpf.c --- */
enum { CG_DEV_M = 1, CG_DEV_R = 2, CG_DEV_W = 4, CG_DEV_ALL = 7 };
#define CG_DEV_ANY (-1)
struct cg_dev {
	bool allow;
	char type;            /* 'a' 'b' 'c' */
	int64_t major, minor; /* or CG_DEV_ANY */
	unsigned access;      /* CG_DEV_* */
};
/* The spec's rules, checked, with the default devices at the end. Starting point: all denied. */
int cg_dev_rules(struct arena *a, const struct cg_ask *ask, struct cg_dev **ret_rules,
		 size_t *ret_n, struct err *e);
/* As v1 can say it: a default and exceptions (whose `allow` is the opposite of it).
 * ERR_UNSUPPORTED with the rule's index in the pointer when v1 can't. */
struct cg_dev_v1 {
	bool allow_all;
	struct cg_dev *items;
	size_t n;
};
int cg_dev_for_v1(struct arena *a, const struct cg_ask *ask, const struct cg_dev *rules, size_t n,
		  struct cg_dev_v1 *ret, struct err *e);
int cg_dev_v1_apply(const char *dir, const struct cg_dev_v1 *d, const char *pointer, struct err *e);
struct bpf_insn;
/* The program of the rules; *ret_code from the arena. */
int cg_bpf_build(struct arena *a, const struct cg_dev *rules, size_t n, struct bpf_insn **ret_code,
		 size_t *ret_len, struct err *e);
/* fresh: the group was made by us, no program is attached to it yet. */
int cg_bpf_apply(int group_fd, bool fresh, const struct bpf_insn *code, size_t n,
		 const char *pointer, struct err *e);

/* --- unit_group.c --- */
int cg_unit_init(struct arena *a, const struct cg_layout *l, const struct cg_want *w,
		 struct cg_unit **ret_unit, const char **ret_path, struct err *e);
/* "user NAME" */
const char *cg_unit_record(struct arena *a, const struct cg_unit *u);
/* One line for `explain`. */
const char *cg_unit_detail(struct arena *a, const struct cg_unit *u);
/* True when the unit is to be stopped at the end: a slice that was there before is not. */
bool cg_unit_ours(const struct cg_unit *u);
struct cg_values;
struct cg_dev_v1;
/* The unit with pid in it. devices: v1's, or NULL. */
int cg_unit_make(struct cg_group *g, pid_t pid, const struct cg_values *values,
		 const struct cg_dev_v1 *devices, struct err *e);
/* Gives a group below the unit's all the controllers that systemd gave the unit. */
int cg_unit_hand_down(struct cg_group *g, const char *pointer, struct err *e);
/* Tells systemd what was written. */
int cg_unit_update(struct cg_group *g, const struct cg_values *values, struct err *e);
/* Lets systemd move a process where we may not: the container's group, or sub below. */
int cg_unit_join(struct cg_group *g, pid_t pid, const char *sub, struct err *e);

/* --- delegate.c --- */
/* The recorded path of the group that this caller may have: `asked` (recorded), or when that is
 * NULL a place of his own; with empty places, "" when he may have none at all. */
int cg_delegated_path(struct arena *a, const struct cg_layout *l, const char *id, const char *asked,
		      const char **ret_path, struct err *e);

/* --- group.c --- */
/* The directory of a group in a hierarchy that it is void in: there is none of that name. */
#define CG_NOWHERE "/proc/0"
int cg_group_check_free(struct cg_group *g, struct err *e);
int cg_group_make(struct cg_group *g, struct err *e);
/* Hands controllers down to the group's directory on v2: those in `need` (",memory,") must come,
 * the others come if they can. */
int cg_group_enable(struct cg_group *g, const char *need, const char *pointer, struct err *e);

/* --- apply.c: writes values --- */
int cg_apply(struct cg_group *g, const struct cg_value *v, size_t n, struct err *e);
/* Values from i on that belong together. */
size_t cg_chain_len(const struct cg_values *v, size_t i);

/* --- before.c: what the values replace --- */
int cg_before_read(struct arena *a, struct cg_group *g, const struct cg_values *values,
		   struct cg_before **ret, struct err *e);
/* What brings back what `text`, the file's content, says where `data` is written (pure). */
const char *cg_before_text(struct arena *a, const char *file, const char *data, const char *text);

/* --- freeze.c --- */
/* Waits until a key of the v2 directory's cgroup.events is as wanted. -ETIMEDOUT. */
int cg_wait_event(const char *dir, const char *key, bool want, int64_t deadline);

/* --- kill.c --- */
/* Sends SIGKILL to whatever is directly in the directory (no freezing). Number of pids. */
int cg_kill_direct(int dirfd);
/* False only when no group is below. */
bool cg_has_children(int dirfd);

#endif
