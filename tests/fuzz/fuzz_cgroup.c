/* tests/fuzz/fuzz_cgroup.c: the texts of control groups: the kernel's files and numbers, names of
 * groups and units, values of systemd's properties, resctrl's schemata. The first byte chooses the
 * reader: '0' statistics, '1' conversions, '2' mountinfo '~' /proc/self/cgroup '~' a path,
 * '3' a property, '4' schemata '~' schemata, '5' a unit's name, '6' a D-Bus message. */
#include "fuzz.h"

#include "cgroups/internal.h"
#include "cgroups/resctrl.h"
#include "cgroups/unit.h"
#include "namespaces/process.h"

/* Cuts the text in two at the first '~'. */
static char *second(char *text)
{
	char *at = strchr(text, '~');

	if (!at)
		return text + strlen(text);
	*at = '\0';
	return at + 1;
}

static void statistics(struct arena *a, const char *text, size_t len)
{
	static const char *const keys[3] = {"rbytes", "wbytes", "dbytes"};
	struct cg_counter *items;
	struct cg_u64s all = {0}, column = {0}, list = {0};
	struct cg_io_list io = {0};
	struct cg_pressure psi = {0};
	uint64_t v;
	size_t n;

	(void)cg_parse_u64(text, &v);
	(void)cg_parse_key(text, "oom_kill", &v);
	FUZZ_CHECK(cg_parse_flat(a, text, &items, &n) == 0 && n <= len);
	FUZZ_CHECK(cg_parse_columns(a, text, false, 0, &all) == 0 && all.n <= len);
	FUZZ_CHECK(cg_parse_columns(a, text, true, 1, &column) == 0 && column.n <= len);
	FUZZ_CHECK(cg_parse_blkio(a, text, &io) == 0);
	FUZZ_CHECK(cg_parse_io_stat(a, text, keys, &io) == 0);
	cg_parse_pressure(text, &psi);
	FUZZ_CHECK(cg_parse_list(a, text, &list) == 0 && list.n <= 65536);
	for (size_t i = 0; i < list.n; i++)
		FUZZ_CHECK(list.v[i] < 65536);
	(void)ns_signals_parse(text);
}

static void conversions(const char *text)
{
	struct ns_bits *bits = calloc(1, sizeof(*bits));
	struct err e = {0};
	uint64_t v = strtoull(text, NULL, 0);
	uint64_t weight = cg_shares_to_weight(v), io = cg_blkio_to_io_weight(v);

	FUZZ_CHECK(weight >= 1 && weight <= 10000 && io >= 1 && io <= 10000);
	FUZZ_CHECK(v == UINT64_MAX || cg_shares_to_weight(v + 1) >= weight);
	FUZZ_CHECK(bits);
	int rc = ns_bits_parse(text, bits, &e);
	FUZZ_CHECK(rc == 0 || e.code == -rc);
	free(bits);
}

static void path_in(struct arena *a, const struct cg_layout *l, const char *want)
{
	struct err e = {0};
	const char *recorded;
	int rc = cg_path_record(a, l, want, &recorded, &e);

	FUZZ_CHECK(rc == 0 || e.code == -rc);
	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		const char *in = cg_path_in(a, &l->items[i], recorded);
		/* Whatever was asked for: a group below the mount point, never the root itself. */
		FUZZ_CHECK(in && in[0] == '/' && in[1] && !strstr(in, "/../"));
		FUZZ_CHECK(strlen(in) < 3 || strcmp(in + strlen(in) - 3, "/..") != 0);
	}
}

static void layout(struct arena *a, char *mountinfo)
{
	char *self = second(mountinfo), *want = second(self);
	struct cg_layout *l;
	struct err e = {0};

	(void)cg_resctrl_mount(a, mountinfo);
	int rc = cg_parse(a, mountinfo, self, &l, &e);
	FUZZ_CHECK(rc == 0 || e.code == -rc);
	if (rc < 0)
		return;
	for (size_t i = 0; i < l->n; i++)
		FUZZ_CHECK(l->items[i].mountpoint && l->items[i].controllers && l->items[i].own);
	FUZZ_CHECK(cg_v2_index(l) < (int)l->n && cg_mode_word(l->mode));
	(void)cg_find(l, "memory");
	path_in(a, l, want);
	cg_layout_close(l);
}

static void property(struct arena *a, const char *text)
{
	auto_strbuf b = {0};
	struct cg_var *v = NULL;
	const char *why = NULL;
	int rc = cg_unit_value(a, text, &v, &why);

	FUZZ_CHECK(rc == 0 ? v != NULL : why && why[0]);
	if (rc < 0)
		return;
	/* It is of one whole type, and on the wire a reader steps over just that. */
	FUZZ_CHECK(v->sig && cg_sig_len(v->sig) == strlen(v->sig));
	cg_var_write(&b, v);
	struct cg_reader r = {.data = (const uint8_t *)b.s, .len = b.len};
	cg_read_skip(&r, v->sig);
	FUZZ_CHECK(!b.failed && !r.bad && r.at == b.len);
}

static void schemata(struct arena *a, char *have)
{
	char *want = second(have);
	const char *schema[] = {want};
	struct spec_intel_rdt rdt = {
		.l3_cache_schema = want, .mem_bw_schema = have, .schemata = {schema, 1}};
	const char *at, *lines = cg_resctrl_lines(a, &rdt), *legacy = cg_resctrl_legacy(a, &rdt);
	size_t n = 0;

	FUZZ_CHECK(lines && legacy);
	if ((at = cg_resctrl_unknown(have, want, &n)))
		FUZZ_CHECK(at >= want && at + n <= want + strlen(want));
	if ((at = cg_resctrl_differs(have, want, "", 10, &n)))
		FUZZ_CHECK(at >= want && at + n <= want + strlen(want));
	(void)cg_resctrl_differs(want, want, have, 0, &n);
}

static void unit(struct arena *a, char *path)
{
	char *id = second(path);
	struct cg_unit_name u = {0};
	struct err e = {0};
	int rc = cg_unit_name(a, path, id, false, &u, &e);

	FUZZ_CHECK(rc == 0 || e.code == -rc);
	if (rc == 0)
		FUZZ_CHECK(u.unit && u.slice && u.path && !strchr(u.unit, '/') &&
			   !strchr(u.slice, '/') && !strstr(u.path, "/../"));
}

static void message(const uint8_t *data, size_t len)
{
	struct cg_msg m = {0};
	uint8_t head[16] = {0};

	memcpy(head, data, len < sizeof(head) ? len : sizeof(head));
	(void)cg_msg_size(head);
	if (cg_msg_parse(data, len, &m) < 0)
		return;
	FUZZ_CHECK(m.path && m.iface && m.member && m.error && m.sender && m.sig);
	for (const char *sig = m.sig; *sig && !m.body.bad; sig += cg_sig_len(sig)) {
		if (!cg_sig_len(sig))
			break;
		cg_read_skip(&m.body, sig);
		FUZZ_CHECK(m.body.bad || m.body.at <= m.body.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena a = {0};

	if (!size)
		return 0;
	char *text = fuzz_text(data + 1, size - 1);
	switch (data[0]) {
	case '0':
		statistics(&a, text, size);
		break;
	case '1':
		conversions(text);
		break;
	case '2':
		layout(&a, text);
		break;
	case '3':
		property(&a, text);
		break;
	case '4':
		schemata(&a, text);
		break;
	case '5':
		unit(&a, text);
		break;
	default:
		message((const uint8_t *)text, size - 1);
	}
	free(text);
	return 0;
}
