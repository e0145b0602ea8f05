/* runtime/microvm_checkpoint.c: a micro-VM's container, written down with its machine, and what a
 * restore finds of it. No CRIU: the monitor writes processors, devices and memory, the file server
 * what the guest holds of its files.
 *
 * In the image directory:
 *	machine       processors, devices, memory (microvm/snapshot.h); sparse
 *	files         nodes and open files of the shares (microvm/fs_state.c)
 *	machine.json  what both belong to; written last, so without it there is no checkpoint
 *
 * Invariants
 *  1. The container is frozen inside before anything is written, and while it is, `awake` stands in
 *     its directory (microvm_ask.c): it is paused for everybody, also when we die here.
 *  2. What fails leaves the container as it was, paused if it was paused, and no images.
 *  3. Files are made anew, never written over: a machine that came from those of an earlier
 *     checkpoint still has its memory in them.
 *
 * What goes on in the restored machine is what was in this one: its agent is the program that made
 * it. So images belong to one build of this program and one kind of processor.
 */
#include "runtime/microvm.h"

#include "common/fd.h"
#include "common/file.h"
#include "microvm/control.h"
#include "net/card.h"
#include "runtime/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MACHINE "machine"
#define FILES "files"
#define ABOUT "machine.json"
#define ABOUT_MAX 65536u
#define QUIET_MS 10000 /* for its output to reach the host */
#define ANSWER_S 120   /* for the machine's memory to be written */

struct dump {
	struct rt_container *c;
	const struct rt_criu *how;
	int dir, machine, files; /* the image directory; connections */
};

/* --- what it belongs to --- */

/* As 16 digits; "" when the program can't be read. */
static void program_mark(char ret[17])
{
	auto_fd fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	ret[0] = '\0';
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return;
	void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return;
	snprintf(ret, 17, "%016llx", (unsigned long long)str_hash(text, (size_t)st.st_size));
	munmap(text, (size_t)st.st_size);
}

static void processor_mark(char ret[17])
{
	auto_strbuf b = {0};

	be_vm_processor(&b);
	snprintf(ret, 17, "%016llx", (unsigned long long)(b.failed ? 0 : str_hash(b.s, b.len)));
}

static int write_about(struct dump *d, const struct be_vm_saved *s, const struct net_cards *cards,
		       struct err *e)
{
	auto_strbuf b = {0};
	struct json_out o;

	json_out_init(&o, &b, NULL);
	json_obj_open(&o, NULL);
	json_put_str(&o, "id", s->id);
	json_put_str(&o, "program", s->program);
	json_put_str(&o, "processor", s->processor);
	json_put_u64(&o, "memory", s->memory);
	json_put_u64(&o, "vcpus", s->vcpus);
	json_put_bool(&o, "terminal", s->terminal);
	net_cards_put(cards, &o);
	json_obj_close(&o);
	if (b.failed)
		return err_sys(e, ENOMEM, ABOUT, "writing");
	return file_replace_at(d->dir, ABOUT, b.s, b.len, 0600, e);
}

/* --- checkpoint --- */

static int refuse(const char *option, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, NULL,
		       "--%s: a micro-VM is written down in one piece", option);
}

static int accept_dump(struct rt_container *c, const struct rt_criu *how, struct err *e)
{
	if (how->pre_dump)
		return refuse("pre-dump", e);
	if (how->parent_path)
		return refuse("parent-path", e);
	if (how->lazy_pages)
		return refuse("lazy-pages", e);
	if (how->page_server)
		return refuse("page-server", e);
	if (c->spec->vm.image_path)
		return err_set(e, ERR_UNSUPPORTED, EOPNOTSUPP, "/vm/image",
			       "a container whose root is a disk can't be checkpointed");
	if (be_vm_has_company(c))
		return err_set(e, ERR_UNSUPPORTED, EBUSY, c->id,
			       "its machine has other containers: a pod can't be checkpointed");
	return 0;
}

static int open_images(const struct rt_criu *how, bool make, int *ret_dir, struct err *e)
{
	const char *path = how->image_path ? how->image_path : RT_CRIU_IMAGES;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, errno, path, "making the image directory");
	*ret_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_dir < 0 ? err_sys(e, errno, path, "opening the image directory") : 0;
}

/* (3) */
static int make_image(struct dump *d, const char *name, int *ret_fd, struct err *e)
{
	(void)unlinkat(d->dir, name, 0);
	*ret_fd = openat(d->dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_sys(e, errno, name, "making an image") : 0;
}

static int connect_to(struct rt_container *c, const char *name, int *ret_fd, struct err *e)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	int rc = rt_socket_connect(c->dir, name, SOCK_SEQPACKET, ret_fd, e);

	if (rc >= 0 &&
	    setsockopt(*ret_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_sys(e, errno, name, "connecting");
	return rc;
}

static int detach(struct rt_container *c, struct err *e)
{
	auto_vm_request r;

	be_vm_request(&r, c, "detach");
	return be_vm_ask(c, &r, NULL, e);
}

/* What the container wrote goes to whoever reads it first; a reader that takes nothing holds the
 * checkpoint up, and in the end prevents it. The agent is told more than once: after a checkpoint
 * right before, the relay may only be on its way back to the streams. */
static int save_machine(struct dump *d, struct err *e)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	auto_fd fd = -1;
	int rc = make_image(d, MACHINE, &fd, e);

	for (int ms = 0; rc >= 0; ms += 5) {
		if (ms % 500 == 0)
			rc = detach(d->c, e);
		if (rc < 0)
			return rc;
		rc = vm_control_save(d->machine, fd, e);
		if (rc != -EAGAIN || ms >= QUIET_MS)
			break;
		rc = 0;
		nanosleep(&moment, NULL);
	}
	return rc < 0 ? err_wrap(e, rc, "writing the machine down") : 0;
}

static int save_files(struct dump *d, struct err *e)
{
	auto_fd fd = -1;
	int rc = make_image(d, FILES, &fd, e);

	return rc < 0 ? rc : vm_fs_save(d->files, fd, e);
}

/* The guest has the cards of the namespace that the spec names, or none. */
static int describe(struct rt_container *c, struct net_cards *ret, struct err *e)
{
	const struct spec_namespace *ns = spec_find_ns(c->spec, SPEC_NS_NETWORK);

	*ret = (struct net_cards){0};
	if (!ns || !ns->path)
		return 0;
	auto_fd fd = open(ns->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, ns->path, "opening the network namespace");
	return net_describe(fd, c->arena, ret, e);
}

static int write_down(struct dump *d, struct err *e)
{
	struct rt_container *c = d->c;
	struct be_vm_saved s = {.id = be_vm_inside(c),
				.memory = c->doc.machine_memory,
				.vcpus = (unsigned)c->doc.machine_vcpus,
				.terminal = c->spec->process.terminal};

	struct net_cards cards;

	program_mark(s.program);
	processor_mark(s.processor);
	(void)unlinkat(d->dir, ABOUT, 0);
	int rc = describe(c, &cards, e);
	if (rc >= 0)
		rc = save_machine(d, e);
	if (rc >= 0)
		rc = save_files(d, e);
	if (rc >= 0)
		rc = write_about(d, &s, &cards, e);
	if (rc < 0) {
		(void)unlinkat(d->dir, MACHINE, 0);
		(void)unlinkat(d->dir, FILES, 0);
	}
	return rc;
}

/* It stands still until it is told, or we are gone. */
static int go_on(struct dump *d, bool saved, struct err *e)
{
	if (saved)
		return vm_control_go(d->machine, e);
	fd_close(&d->machine);
	return 0;
}

static int dump(struct dump *d, struct err *e)
{
	struct rt_container *c = d->c;
	struct err second;
	bool paused = false;
	int rc = be_vm_hold(c, &paused, e);

	if (rc < 0)
		return rc;
	rc = write_down(d, e);
	if (rc >= 0 && !d->how->leave_running)
		return 0; /* it doesn't go on: the caller deletes it */
	int back = go_on(d, rc >= 0, rc < 0 ? &second : e);
	if (back >= 0)
		back = be_vm_let_go(c, paused, rc < 0 ? &second : e);
	return rc < 0 ? rc : back;
}

int be_vm_checkpoint(struct rt_container *c, const struct rt_criu *how, struct err *e)
{
	struct dump d = {.c = c, .how = how, .dir = -1, .machine = -1, .files = -1};
	int rc = rt_load_spec(c, e);

	if (rc >= 0)
		rc = accept_dump(c, how, e);
	if (rc >= 0)
		rc = open_images(how, true, &d.dir, e);
	if (rc >= 0)
		rc = connect_to(c, "machine.sock", &d.machine, e);
	if (rc >= 0)
		rc = connect_to(c, "files.sock", &d.files, e);
	if (rc >= 0)
		rc = dump(&d, e);
	fd_cleanup(&d.dir);
	fd_cleanup(&d.machine);
	fd_cleanup(&d.files);
	return rc;
}

/* --- restore --- */

static int read_about(struct rt_container *c, int dir, struct be_vm_saved *s, struct err *e)
{
	const char *program, *processor;
	uint64_t vcpus = 0;
	auto_str text = NULL;
	struct json *j = NULL;
	size_t len = 0;
	int rc = file_read_at(dir, ABOUT, ABOUT_MAX, &text, &len, e);

	if (rc == -ENOENT)
		return err_set(e, ERR_NOTFOUND, ENOENT, ABOUT,
			       "the image directory holds no checkpoint of a micro-VM");
	const char *copy = rc < 0 ? NULL : arena_strndup(c->arena, text ? text : "", len);
	if (rc < 0 || !copy)
		return rc < 0 ? rc : err_sys(e, ENOMEM, ABOUT, "reading");
	rc = json_parse(c->arena, copy, len, ABOUT, &j, e);
	if (rc < 0)
		return rc;
	if (j->type != JSON_OBJECT || !json_get_string(j, "id", &s->id) ||
	    !json_get_string(j, "program", &program) ||
	    !json_get_string(j, "processor", &processor) ||
	    !json_get_u64(j, "memory", &s->memory) || !json_get_u64(j, "vcpus", &vcpus) ||
	    !json_get_bool(j, "terminal", &s->terminal) || vcpus == 0 || vcpus > 255)
		return err_set(e, ERR_SPEC, EINVAL, ABOUT, "is damaged");
	struct net_cards cards;
	rc = net_cards_parse(j, c->arena, &cards, e);
	if (rc < 0)
		return rc;
	s->macs = arena_alloc(c->arena, (cards.n + 1) * sizeof(*s->macs));
	if (!s->macs)
		return err_sys(e, ENOMEM, ABOUT, "reading");
	for (; s->n_cards < cards.n; s->n_cards++)
		memcpy(s->macs[s->n_cards], cards.items[s->n_cards].mac, 6);
	s->vcpus = (unsigned)vcpus;
	snprintf(s->program, sizeof(s->program), "%s", program);
	snprintf(s->processor, sizeof(s->processor), "%s", processor);
	return rt_check_id(s->id, e);
}

static int check_about(const struct rt_container *c, const struct be_vm_saved *s, struct err *e)
{
	char mark[17];

	program_mark(mark);
	if (!str_eq(mark, s->program))
		return err_set(e, ERR_UNSUPPORTED, EINVAL, ABOUT,
			       "the machine was checkpointed by another build of ringfence, which "
			       "goes on inside it");
	processor_mark(mark);
	if (!str_eq(mark, s->processor))
		return err_set(e, ERR_UNSUPPORTED, EINVAL, ABOUT,
			       "the machine was checkpointed on another kind of processor");
	if (s->terminal != c->spec->process.terminal)
		return err_set(e, ERR_SPEC, EINVAL, "/process/terminal",
			       "the container was checkpointed %s a terminal",
			       s->terminal ? "with" : "without");
	return 0;
}

static int open_image(int dir, const char *name, int *ret_fd, struct err *e)
{
	*ret_fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? err_sys(e, errno, name, "opening an image") : 0;
}

int be_vm_saved_open(struct rt_container *c, const struct rt_criu *how, struct be_vm_saved *ret,
		     struct err *e)
{
	auto_fd dir = -1;
	int rc = open_images(how, false, &dir, e);

	if (rc >= 0 && how->lazy_pages)
		rc = refuse("lazy-pages", e);
	if (rc >= 0)
		rc = read_about(c, dir, ret, e);
	if (rc >= 0)
		rc = check_about(c, ret, e);
	if (rc >= 0)
		rc = open_image(dir, MACHINE, &ret->machine, e);
	return rc < 0 ? rc : open_image(dir, FILES, &ret->files, e);
}

void be_vm_saved_close(struct be_vm_saved *s)
{
	fd_cleanup(&s->machine);
	fd_cleanup(&s->files);
}
