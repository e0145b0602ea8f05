/* tests/fuzz/fuzz_idmaps.c: id maps as triples of numbers: the rules, the text that the kernel is
 * given, and the question whether an id is mapped. */
#include "fuzz.h"

#include "common/str.h"
#include "namespaces/process.h"
#include "spec/check.h"

#define MAX_MAPS 400

/* The kernel reads what was meant. */
static void text(const struct spec_id_maps *maps)
{
	auto_strbuf b = {0};
	size_t n = 0;

	ns_maps_text(&b, maps);
	for (char *at = b.s, *line; b.s && (line = strsep(&at, "\n"));) {
		unsigned c, h, s;
		if (!*line)
			continue;
		FUZZ_CHECK(sscanf(line, "%u %u %u", &c, &h, &s) == 3 && n < maps->n);
		FUZZ_CHECK(c == maps->items[n].container_id && h == maps->items[n].host_id &&
			   s == maps->items[n].size);
		n++;
	}
	FUZZ_CHECK(n == maps->n);
}

/* What user_namespaces(7) asks of a map, looked at with wider numbers. */
static bool good(const struct spec_id_maps *maps)
{
	const struct spec_id_map *m = maps->items;

	for (size_t i = 0; i < maps->n; i++) {
		if (!m[i].size || (uint64_t)m[i].container_id + m[i].size > UINT32_MAX ||
		    (uint64_t)m[i].host_id + m[i].size > UINT32_MAX)
			return false;
		for (size_t k = 0; k < i; k++)
			if (((uint64_t)m[i].container_id <
				     (uint64_t)m[k].container_id + m[k].size &&
			     (uint64_t)m[k].container_id <
				     (uint64_t)m[i].container_id + m[i].size) ||
			    ((uint64_t)m[i].host_id < (uint64_t)m[k].host_id + m[k].size &&
			     (uint64_t)m[k].host_id < (uint64_t)m[i].host_id + m[i].size))
				return false;
	}
	return true;
}

static bool has(const struct spec_id_maps *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->n; i++)
		if (id >= maps->items[i].container_id &&
		    id < (uint64_t)maps->items[i].container_id + maps->items[i].size)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	struct spec_id_map items[MAX_MAPS];
	struct spec_id_maps maps = {items, 0};
	struct err e = {0};
	struct spec_check c = {.base = "", .e = &e};
	uint32_t id = fuzz_u32(&in);

	while (in.left && maps.n < MAX_MAPS) {
		struct spec_id_map *m = &items[maps.n++];
		m->container_id = fuzz_u32(&in);
		m->host_id = fuzz_u32(&in);
		m->size = fuzz_u32(&in);
	}
	int rc = spec_check_id_maps(&c, "/linux/uidMappings", &maps);
	if (rc < 0)
		fuzz_check_err(rc, &e);
	else
		FUZZ_CHECK(maps.n > 340 || good(&maps));
	FUZZ_CHECK(ns_maps_have(&maps, id) == has(&maps, id));
	text(&maps);
	return 0;
}
